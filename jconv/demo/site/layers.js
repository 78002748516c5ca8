// The layers of the net, one row each: what it is, and what passes through it.

import { columnsFor, paintColours, paintMaps } from "./maps.js";
import { bytes } from "./api.js";
import { element } from "./dom.js";

const WHAT = { image: "image", activations: "activations", gradients: "gradient", weights: "weights", weight_gradients: "gradient of the weights" };
const LARGEST_SCALE = 8; // CSS pixels a value
const MARGIN = 300; // CSS pixels beyond the window in which layers are painted too

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

function inSight(element) {
  const { top, bottom } = element.getBoundingClientRect();
  return bottom > -MARGIN && top < innerHeight + MARGIN;
}

/** The list of layers in an element. Only those in sight are painted, so that a long net costs no more than a short one. */
export class Layers {
  constructor(place) {
    this.place = place;
    this.rows = [];
    this.maps = []; // of each row, as they came last
    addEventListener("scroll", () => requestAnimationFrame(() => this.paint()), { passive: true });
    addEventListener("resize", () => requestAnimationFrame(() => this.paint()));
    document.addEventListener("visibilitychange", () => this.paint());
  }

  /** Another net: the image that goes in, and its layers. */
  describe(net) {
    const input = { path: "input", kind: "", shape: net.input, sizes: { image: { ...net.input_sizes, shown: 1 }, gradients: net.input_sizes } };
    this.maps = [];
    this.rows = [input, ...net.layers].map((layer) => {
      const figures = {};
      for (const [what, size] of Object.entries(layer.sizes)) figures[what] = figure(layer, what, size);
      const title = element("h3", {}, layer.path, element("small", {}, ` ${layer.kind} ${layer.shape}`));
      const words = [layer.settings, layer.parameters && `parameters ${layer.parameters}`].filter(Boolean).join("; ");
      const maps = element("div", { className: "maps" }, ...Object.values(figures).map(({ made }) => made));
      const parts = words ? [title, element("p", { className: "hint", textContent: words }), maps] : [title, maps];
      return { figures, made: element("article", {}, ...parts), painted: null };
    });
    this.place.replaceChildren(...this.rows.map(({ made }) => made));
    for (const { figures } of this.rows) Object.values(figures).forEach(reserve);
  }

  /** What passes through them now, a row for each layer; the class of the image is in words. */
  show({ image, gradient, layers }, truth) {
    this.maps = [{ image: { ...image, shown: 1, count: 1, colour: true, words: truth }, gradients: gradient }, ...layers];
    this.paint();
  }

  /** Paint what is in sight and not painted yet. */
  paint() {
    if (document.hidden) return;
    this.rows.forEach((row, i) => {
      const maps = this.maps[i];
      if (!maps || row.painted === maps || !inSight(row.made)) return;
      row.painted = maps;
      for (const [what, { made, canvas, range }] of Object.entries(row.figures))
        if (maps[what]) {
          paint(canvas, maps[what], made.parentElement.clientWidth);
          range.textContent = inWords(maps[what]);
        }
    });
  }
}

function inWords({ words, min, max, count, shown }) {
  return words ?? `${short(min)} to ${short(max)}${count > shown ? `, ${shown} of ${count}` : ""}`;
}
