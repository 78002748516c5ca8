// The number fields of the settings.

import { FIELDS } from "./convolution-state.js";

function made(name, properties, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

/** The settings as a form in `host`; onChange(settings) is told of each that makes sense. */
export function settingsForm(host, onChange) {
  let settings = null;
  const square = made("input", { type: "checkbox", checked: true, id: "square" });
  const inputs = new Map(FIELDS.map((field) => [field.key, inputsOf(field)]));
  const labels = FIELDS.map(({ key, label }) => {
    const [first, second] = inputs.get(key);
    const name = made("label", { htmlFor: first.id, textContent: label });
    return made("div", { className: "setting" }, name, made("div", { className: "pair" }, first, ...(second ? [second] : [])));
  });
  const both = made("label", { className: "square" }, square, " square: height as width");
  host.replaceChildren(...labels, both);

  function inputsOf({ key, label, least, most, pair }) {
    const one = (axis) => {
      const field = made("input", { type: "number", min: least, max: most, step: 1, id: axis ? `${key}-width` : key, required: true });
      if (axis) field.setAttribute("aria-label", `${label}, width`);
      field.addEventListener("input", () => typed(key, axis, field));
      return field;
    };
    return pair ? [one(0), one(1)] : [one(0)];
  }

  function typed(key, axis, field) {
    if (!field.checkValidity()) return field.setAttribute("aria-invalid", "true");
    field.removeAttribute("aria-invalid");
    const value = Number(field.value), before = settings[key];
    const pair = () => (square.checked ? [value, value] : before.map((n, i) => (i === axis ? value : n)));
    onChange({ ...settings, [key]: Array.isArray(before) ? pair() : value });
  }

  function show(next) {
    settings = next;
    const pairs = FIELDS.filter((field) => field.pair).map(({ key }) => next[key]);
    if (pairs.some(([a, b]) => a !== b)) square.checked = false;
    host.classList.toggle("is-square", square.checked);
    for (const { key } of FIELDS)
      [next[key]].flat().forEach((value, axis) => {
        const field = inputs.get(key)[axis];
        if (field !== document.activeElement) field.value = value;
      });
  }

  square.addEventListener("change", () => {
    const even = Object.fromEntries(FIELDS.filter((field) => field.pair).map(({ key }) => [key, [settings[key][1], settings[key][1]]]));
    show(settings);
    host.classList.toggle("is-square", square.checked);
    if (square.checked) onChange({ ...settings, ...even });
  });
  host.addEventListener("submit", (event) => event.preventDefault());
  return { show };
}
