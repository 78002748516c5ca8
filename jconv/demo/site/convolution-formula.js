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

function productRow({ label, terms, sum: total }) {
  const spans = terms.map(([value, weight], i) =>
    made("span", value && weight ? "term" : "term nothing", `${i ? "+ " : ""}${factor(value)}·${factor(weight)}`));
  return made("div", "products", made("span", "label", label), made("span", "terms", ...spans), made("b", "total", `= ${number(total)}`));
}

/** A step of products: a row for each slice, then the sum of the rows. */
export function writeProducts(host, step) {
  const sums = step.rows.map((row) => row.sum), bias = step.bias ? ` + ${factor(step.bias.value)}` : "";
  const parts = sums.length > 1 || step.bias ? ` = ${sum(sums)}${bias}` : "";
  const total = made("p", "result", made("code", "", step.name), parts, made("b", "", ` = ${number(step.result)}`));
  if (step.bias) total.append(made("span", "muted", ` with the bias ${step.bias.name}`));
  host.replaceChildren(total, ...step.rows.map(productRow));
}

/** A step of max pooling: the window's values, the largest, where its gradient goes. */
export function writePool(host, { name, result, pool }) {
  const values = pool.values.map((value, i) => made("span", i === pool.which ? "term largest" : "term", number(value)));
  const found = made("p", "result", made("code", "", name), " = max of its window", made("b", "", ` = ${number(result)}`), `, switch ${pool.which} (the first of equals, counted from 0)`);
  const routed = made("p", "result", `The gradient ${number(pool.gradient)} goes to `, made("code", "", pool.to), ", which receives ", made("b", "", number(pool.total)), " in all");
  host.replaceChildren(found, made("div", "products", made("span", "label", "window"), made("span", "terms", ...values)), routed);
}
