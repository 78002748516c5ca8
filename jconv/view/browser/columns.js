// A column of maps for each layer, and one of the maps looked at more closely.

import { paintMaps } from "jconv/maps.js";

const FEW = 10; // maps that a column shows at first
const SIDE = 48; // CSS pixels of a map
const CLOSER = 136;
const STEPS = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1, PageDown: 5, PageUp: -5, Home: -Infinity, End: Infinity };

/** An element with these properties and children. */
export function made(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

export function largestOf(values) {
  let largest = 0;
  for (const value of values) largest = Math.max(largest, Math.abs(value));
  return largest;
}

/**
 * A layer's values as maps: the channels of an image, or the features of a single position as one map.
 * @returns {{count, height, width, map: (values: Float32Array, c: number) => Float32Array}}
 */
function mapsOf(shape) {
  if (shape.length === 3 && shape[0] * shape[1] > 1) {
    const [height, width, count] = shape, area = height * width;
    return { count, height, width, map: (values, c) => Float32Array.from({ length: area }, (_, i) => values[i * count + c]) };
  }
  const features = shape.at(-1), width = features <= 16 ? 1 : Math.ceil(Math.sqrt(features / 4));
  const height = Math.ceil(features / width);
  return { count: 1, height, width, map: (values) => Float32Array.from({ length: width * height }, (_, i) => values[i] ?? 0) };
}

/**
 * The column of an operation; look(column) is called as one of its maps is chosen, by pointer or by keys.
 * `index` is the operation's place in the program.
 */
export function columnOf(operation, index, look) {
  const title = operation.path || operation.layer, shape = operation.shape.join("×");
  const box = made("div", { className: "maps", tabIndex: 0 });
  const said = { role: "slider", "aria-orientation": "vertical", "aria-label": `Map of ${title}`, "aria-valuemin": 1, "aria-valuenow": 1 };
  Object.entries(said).forEach(([name, value]) => box.setAttribute(name, value));
  const name = title.split("/").pop(), inside = title.slice(0, -name.length - 1);
  const heading = made("figcaption", { title: `${title}: ${operation.layer}, ${shape}` }, made("span", { textContent: inside }),
    made("b", { textContent: name }), made("span", { textContent: operation.layer }), made("span", { textContent: shape }));
  const column = {
    index, title, shape, box, kind: operation.layer, maps: mapsOf(operation.shape), canvases: [], values: null, chosen: 0,
    element: made("figure", { className: "column" }, heading, box),
  };
  setCount(column, FEW);
  if (column.maps.count > FEW) column.element.append(moreButton(column));
  const choose = (which) => {
    column.chosen = Math.max(0, Math.min(column.canvases.length - 1, which));
    look(column);
  };
  box.addEventListener("focus", () => choose(column.chosen));
  box.addEventListener("pointerover", ({ target }) => {
    if (column.canvases.includes(target)) choose(column.canvases.indexOf(target));
  });
  box.addEventListener("keydown", (event) => {
    if (!(event.key in STEPS)) return;
    event.preventDefault();
    choose(column.chosen + STEPS[event.key]);
  });
  return column;
}

/** Give a column so many canvases, or as many as it has maps. */
function setCount(column, count) {
  const { width, height, count: all } = column.maps, across = width === 1 && height > 1 ? SIDE / 2 : SIDE;
  const shown = Math.min(count, all);
  while (column.canvases.length > shown) column.canvases.pop().remove();
  while (column.canvases.length < shown) {
    const canvas = made("canvas", { width, height });
    canvas.style.width = `${across}px`;
    canvas.style.height = `${(across * height) / width}px`;
    column.canvases.push(canvas);
    column.box.append(canvas);
  }
  column.chosen = Math.min(column.chosen, shown - 1);
  column.box.setAttribute("aria-valuemax", shown);
}

function moreButton(column) {
  const { count } = column.maps, button = made("button", { className: "more", type: "button" });
  const name = () => {
    const all = column.canvases.length === count;
    button.textContent = all ? "fewer" : `+${count - FEW}`;
    button.setAttribute("aria-label", `${button.textContent}: show ${all ? FEW : count} maps of ${column.title}`);
  };
  button.addEventListener("click", () => {
    setCount(column, column.canvases.length === count ? FEW : count);
    paintColumn(column, column.values);
    name();
  });
  name();
  return button;
}

/** Paint what an operation made; the largest value of the layer is painted at full strength. */
export function paintColumn(column, values) {
  const { maps, canvases } = column, { height, width } = maps, largest = largestOf(values);
  column.values = values;
  canvases.forEach((canvas, c) => {
    const scale = parseFloat(canvas.style.width) / width;
    paintMaps(canvas, maps.map(values, c), { count: 1, height, width, largest, scale, columns: 1 });
  });
}

const short = (value) => String(Number(value.toPrecision(3)));

/** The chosen map of a column, larger, with its range. `closer`: the elements that show it. */
export function paintCloser(closer, { maps, kind, title, shape, values, chosen, box, canvases }) {
  const { height, width, count } = maps, shown = maps.map(values, chosen);
  const scale = CLOSER / Math.max(width, height);
  paintMaps(closer.canvas, shown, { count: 1, height, width, largest: largestOf(values), scale, columns: 1 });
  const real = count > 1 ? shown : values, range = [real.reduce((a, b) => Math.min(a, b)), real.reduce((a, b) => Math.max(a, b))];
  const which = count > 1 ? `map ${chosen + 1} of ${count}` : shape, said = `from ${range.map(short).join(" to ")}`;
  closer.name.textContent = title;
  closer.kind.textContent = `${kind}, ${which}`;
  closer.range.textContent = said;
  box.setAttribute("aria-valuenow", chosen + 1);
  box.setAttribute("aria-valuetext", `${which}, ${said}`);
  document.querySelector(".maps .chosen")?.classList.remove("chosen");
  canvases[chosen].classList.add("chosen");
}
