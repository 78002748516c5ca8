// The number fields of the settings.

import { FIELDS } from "./convolution-state.js";
import { element as made } from "./dom.js";

/**
 * The settings as a form in `host`; onChange(settings) is told of each that makes sense, onFault(text)
 * of one that does not, and of "" once it is gone.
 */
export function settingsForm(host, onChange, onFault) {
  let settings = null;
  const square = made("input", { type: "checkbox", checked: true, id: "square" });
  const inputs = new Map(FIELDS.map((field) => [field.key, inputsOf(field)]));
  const labels = FIELDS.map(({ key, label }) => {
    const [first, second] = inputs.get(key);
    const name = made("label", { htmlFor: first.id, textContent: label });
    return made("div", { className: "setting" }, name, made("div", { className: "pair" }, first, ...(second ? [second] : [])));
  });
  const both = made("label", { className: "square", title: "height as width" }, square, "Square");
  host.replaceChildren(...labels, both);

  function inputsOf({ key, label, least, most, pair }) {
    const one = (axis) => {
      const field = made("input", { type: "number", min: least, max: most, step: 1, id: axis ? `${key}-width` : key, required: true });
      if (axis) field.setAttribute("aria-label", `${label}, width`);
      field.addEventListener("input", () => typed(key, axis, field));
      field.addEventListener("blur", () => { if (!field.checkValidity()) restore(field); });
      return field;
    };
    return pair ? [one(0), one(1)] : [one(0)];
  }

  function typed(key, axis, field) {
    if (!field.checkValidity()) {
      field.setAttribute("aria-invalid", "true");
      const name = host.querySelector(`label[for=${key}]`).textContent;
      return onFault(`${name}: a whole number from ${field.min} to ${field.max} is expected`);
    }
    field.removeAttribute("aria-invalid");
    onFault("");
    const value = Number(field.value), before = settings[key];
    const pair = () => (square.checked ? [value, value] : before.map((n, i) => (i === axis ? value : n)));
    onChange({ ...settings, [key]: Array.isArray(before) ? pair() : value });
  }

  function restore(field) {
    field.removeAttribute("aria-invalid");
    onFault("");
    show(settings);
  }

  /** `anew`: the settings are another example's, not one of these changed. */
  function show(next, anew = false) {
    settings = next;
    const pairs = FIELDS.filter((field) => field.pair).map(({ key }) => next[key]);
    const even = pairs.every(([a, b]) => a === b);
    if (!even) square.checked = false;
    else if (anew) square.checked = true;
    host.classList.toggle("is-square", square.checked);
    for (const { key } of FIELDS)
      [next[key]].flat().forEach((value, axis) => {
        const field = inputs.get(key)[axis];
        if (field !== document.activeElement) field.value = value;
      });
  }

  square.addEventListener("change", () => {
    const even = Object.fromEntries(FIELDS.filter((field) => field.pair).map(({ key }) => [key, [settings[key][1], settings[key][1]]]));
    host.classList.toggle("is-square", square.checked);
    if (square.checked) onChange({ ...settings, ...even });
  });
  host.addEventListener("submit", (event) => event.preventDefault());
  return { show };
}
