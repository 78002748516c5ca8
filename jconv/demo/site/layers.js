// The layers of the net, one row each: what it is, and what passes through it.

import { columnsFor, paintColours, paintMaps } from "./maps.js";
import { bytes } from "./api.js";

const WHAT = { image: "image", activations: "activations", gradients: "gradient", weights: "weights", weight_gradients: "gradient of the weights" };
const LARGEST_SCALE = 8; // CSS pixels a value

/** CSS pixels of a value: small maps are enlarged. */
function scaleOf({ height, width, shown }) {
  if (height === 1 && width === 1) return 14;
  if (shown === 1 && width > 64) return Math.max(1, Math.min(4, Math.floor(300 / width)));
  return Math.max(2, Math.min(LARGEST_SCALE, Math.floor(48 / Math.max(height, width))));
}

function short(value) {
  if (value === null || value === undefined) return "–";
  return Math.abs(value) >= 1e4 || (value !== 0 && Math.abs(value) < 1e-3) ? value.toExponential(1) : value.toPrecision(3);
}

function element(name, attributes = {}, ...children) {
  const made = Object.assign(document.createElement(name), attributes);
  made.append(...children);
  return made;
}

/** A figure for the maps of one kind; `size` says how large they are before any came. */
function figure(layer, what, size) {
  const canvas = element("canvas");
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `${WHAT[what]} of ${layer.path}`);
  const range = element("span", { className: "range", textContent: "–" });
  const made = element("figure", {}, element("figcaption", {}, `${WHAT[what]} `, range), canvas);
  return { made, canvas, range, size };
}

function reserve({ made, canvas, size }) {
  const scale = scaleOf(size), columns = columnsFor(made.parentElement.clientWidth, size.width, scale, size.shown);
  const rows = Math.ceil(size.shown / columns);
  canvas.style.width = `${(columns * (size.width + 1) - 1) * scale}px`;
  canvas.style.height = `${(rows * (size.height + 1) - 1) * scale}px`;
}

/** Paint maps as the demo packs them: signed bytes, or colours. */
export function paint(canvas, maps, room, scale = scaleOf(maps)) {
  const { height, width, shown: count } = maps, columns = columnsFor(room, width, scale, count);
  const values = bytes(maps.data), size = { count, height, width, scale, columns };
  if (maps.colour) paintColours(canvas, values, size);
  else paintMaps(canvas, new Int8Array(values.buffer), { ...size, largest: 127 });
}

/** The list of layers in an element; `show(layers)` paints what passes through them. */
export class Layers {
  constructor(place) {
    this.place = place;
    this.rows = [];
  }

  /** Another net: the image that goes in, and its layers. */
  describe(net) {
    const input = { path: "input", kind: "", shape: net.input, sizes: { image: { ...net.input_sizes, shown: 1 }, gradients: net.input_sizes } };
    this.rows = [input, ...net.layers].map((layer) => {
      const figures = {};
      for (const [what, size] of Object.entries(layer.sizes)) figures[what] = figure(layer, what, size);
      const title = element("h3", {}, layer.path, element("small", {}, ` ${layer.kind} ${layer.shape}`));
      const words = [layer.settings, layer.parameters && `parameters ${layer.parameters}`].filter(Boolean).join("; ");
      const maps = element("div", { className: "maps" }, ...Object.values(figures).map(({ made }) => made));
      return { figures, made: element("article", {}, title, element("p", { className: "hint", textContent: words }), maps) };
    });
    this.place.replaceChildren(...this.rows.map(({ made }) => made));
    for (const { figures } of this.rows) Object.values(figures).forEach(reserve);
  }

  /** What passes through them now, a row for each layer; the class of the image is in words. */
  show({ image, gradient, layers }, truth) {
    const input = { image: { ...image, shown: 1, count: 1, colour: true }, gradients: gradient };
    [input, ...layers].forEach((maps, i) => {
      const row = this.rows[i];
      if (!row) return;
      for (const [what, { made, canvas, range }] of Object.entries(row.figures)) {
        const found = maps[what];
        if (!found) continue;
        paint(canvas, found, made.parentElement.clientWidth);
        const more = found.count > found.shown ? `, ${found.shown} of ${found.count}` : "";
        range.textContent = what === "image" ? truth : `${short(found.min)} to ${short(found.max)}${more}`;
      }
    });
  }
}
