// A step in writing: every product, its sum, the bias, the value.

import { factor, number } from "./convolution-numbers.js";

function made(name, className, ...children) {
  const element = document.createElement(name);
  element.className = className;
  element.append(...children);
  return element;
}

/** The parts joined by plus signs, negative ones in parentheses. */
const sum = (parts) => parts.map(factor).join(" + ");

/** `tap` counts the products over all rows, as the figure counts the cells that meet. */
function termElement(text, tap, kind = "") {
  const span = made("span", `term ${kind}`, text);
  span.dataset.tap = tap;
  return span;
}

function productRow({ label, terms, sum: total }, first) {
  const spans = terms.map(([value, weight], i) =>
    termElement(`${i ? "+ " : ""}${factor(value)}·${factor(weight)}`, first + i, value && weight ? "" : "nothing"));
  return made("div", "products", made("span", "label", label), made("span", "terms", ...spans), made("b", "total", `= ${number(total)}`));
}

/** A step of products: in `result` the sum of the rows, in `products` a row for each slice. */
export function writeProducts({ result, products }, step) {
  const sums = step.rows.map((row) => row.sum), bias = step.bias ? ` + ${factor(step.bias.value)}` : "";
  const parts = sums.length > 1 || step.bias ? ` = ${sum(sums)}${bias}` : "";
  result.replaceChildren(made("code", "", step.name), parts, made("b", "", ` = ${number(step.result)}`));
  if (step.bias) result.append(made("span", "muted", ` with the bias ${step.bias.name}`));
  products.replaceChildren(...step.rows.map((row, i) => productRow(row, i * row.terms.length)));
}

/** A step of max pooling: the largest and where its gradient goes, and the window's values. */
export function writePool({ result, products }, { name, result: largest, pool }) {
  result.replaceChildren(
    made("code", "", name), " = max of its window", made("b", "", ` = ${number(largest)}`), `, at switch ${pool.which}. `,
    `The gradient ${number(pool.gradient)} goes to `, made("code", "", pool.to), ", which receives ", made("b", "", number(pool.total)), " in all.");
  const values = pool.values.map((value, i) => termElement(number(value), i, i === pool.which ? "largest" : ""));
  const total = made("b", "total", `max ${number(largest)}`);
  products.replaceChildren(made("div", "products", made("span", "label", "window, counted from 0"), made("span", "terms", ...values), total));
}
