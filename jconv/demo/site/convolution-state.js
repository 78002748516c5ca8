// What the page Convolution shares between its tabs: settings, arrays, where the reader stands. Pure
// functions, and the state as text in the address. Arrays are nested lists, channels last.

/** The number fields: key, label, the least and the most. A pair has a value per axis. */
export const FIELDS = [
  { key: "height", label: "Input height", least: 1, most: 12 },
  { key: "width", label: "Input width", least: 1, most: 12 },
  { key: "depth", label: "Input depth", least: 1, most: 4 },
  { key: "filters", label: "Filters K", least: 1, most: 4 },
  { key: "groups", label: "Groups", least: 1, most: 4 },
  { key: "window", label: "Window F", least: 1, most: 5, pair: true },
  { key: "stride", label: "Stride S", least: 1, most: 8, pair: true },
  { key: "padding", label: "Padding P", least: 0, most: 4, pair: true },
  { key: "dilation", label: "Dilation", least: 1, most: 4, pair: true },
  { key: "poolSize", label: "Pool window", least: 1, most: 5, pair: true },
  { key: "poolStride", label: "Pool stride", least: 1, most: 8, pair: true },
];
export const TABS = ["forward", "im2col", "backward", "pool"];
const NOTES = {
  height: 5, width: 5, depth: 3, filters: 2, groups: 1,
  window: [3, 3], stride: [2, 2], padding: [1, 1], dilation: [1, 1],
  poolSize: [3, 3], poolStride: [2, 2],
};
const EXAMPLES = {
  notes: {},
  stride: { height: 1, depth: 1, filters: 1, window: [1, 3], padding: [0, 1], poolSize: [1, 3], poolStride: [1, 2] },
  dilated: { height: 7, width: 7, depth: 1, filters: 1, stride: [1, 1], padding: [0, 0], dilation: [2, 2] },
  grouped: { depth: 4, filters: 4, groups: 2 },
};
// where each array's numbers are drawn from, as the demo of the CS231n notes draws them
const DRAWN = {
  input: [0, 1, 2], kernel: [-1, 0, 1], bias: [0, 1], gradient: [-1, 0, 1], poolGradient: [1, 2, 3],
};
export const ARRAYS = Object.keys(DRAWN);

/** Numbers in [0, 1) that a seed repeats (mulberry32). */
export function seeded(seed) {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Nested lists of a shape; numbers are kept where `from` has them, the others are made by fill(). */
export function reshaped(from, [n, ...rest], fill) {
  return Array.from({ length: n }, (_, i) =>
    rest.length ? reshaped(from?.[i], rest, fill) : from?.[i] ?? fill());
}

/** Nested lists of a shape out of a flat list, the last axis fastest. */
export function nested(flat, shape) {
  let at = 0;
  return reshaped(undefined, shape, () => flat[at++]);
}

const outSize = (n, f, s, p, d) => Math.max(0, Math.floor((n + 2 * p - d * (f - 1) - 1) / s) + 1);

/** The shape of every array under these settings; an output size is 0 where no window fits. */
export function shapes(s) {
  const sizes = [s.height, s.width];
  const out = sizes.map((n, i) => outSize(n, s.window[i], s.stride[i], s.padding[i], s.dilation[i]));
  const pooled = sizes.map((n, i) => outSize(n, s.poolSize[i], s.poolStride[i], 0, 1));
  return {
    input: [...sizes, s.depth],
    kernel: [...s.window, Math.max(1, Math.floor(s.depth / s.groups)), s.filters],
    bias: [s.filters],
    gradient: [...out, s.filters],
    poolGradient: [...pooled, s.depth],
  };
}

/** The arrays fitted to the settings: what they hold stays, what is new is drawn. */
export function fitted(arrays, settings, random) {
  const wanted = shapes(settings);
  return Object.fromEntries(ARRAYS.map((name) => [
    name,
    reshaped(arrays[name], wanted[name], () => DRAWN[name][Math.floor(random() * DRAWN[name].length)]),
  ]));
}

/** One of the examples, its numbers drawn from a fixed seed. */
export function example(name) {
  const settings = { ...NOTES, ...EXAMPLES[name] };
  const drawn = fitted({ bias: [1, 0] }, settings, seeded(231));
  const figure = { input: nested([1, 2, -1, 1, -3], [1, 5, 1]), kernel: nested([1, 0, -1], [1, 3, 1, 1]), bias: [0] };
  return { settings, arrays: name === "stride" ? { ...drawn, ...figure } : drawn };
}

/** What the server is asked. */
export function request({ settings: s, arrays }) {
  const { input, kernel, bias, gradient, poolGradient } = arrays;
  const { stride, padding, dilation, groups } = s;
  const pool = { size: s.poolSize, stride: s.poolStride, gradient: poolGradient };
  return { input, kernel, bias, gradient, stride, padding, dilation, groups, pool };
}

/** The state as text for the address: settings by name, arrays as flat lists. */
export function toHash({ settings, arrays }, view) {
  const parts = FIELDS.map(({ key }) => `${key}=${[settings[key]].flat().join("x")}`);
  const lists = ARRAYS.map((name) => `${name}=${arrays[name].flat(Infinity).join(",")}`);
  return [`tab=${view.tab}`, `side=${view.side}`, `step=${view.step}`, ...parts, ...lists].join("&");
}

/** The state that an address tells, or null where it tells none; numbers out of range are drawn in. */
export function fromHash(hash) {
  const told = new URLSearchParams(hash.replace(/^#/, ""));
  if (!told.has("tab") && !told.has("height")) return null;
  const settings = Object.fromEntries(FIELDS.map((field) => [field.key, settingOf(told, field)]));
  const given = {};
  for (const [name, shape] of Object.entries(shapes(settings))) {
    const flat = (told.get(name) ?? "").split(",").map((text) => (text === "" ? NaN : Number(text)));
    const whole = flat.length === shape.reduce((a, b) => a * b, 1) && flat.every(Number.isFinite);
    if (whole) given[name] = nested(flat, shape);
  }
  const tab = TABS.includes(told.get("tab")) ? told.get("tab") : TABS[0];
  const view = { tab, side: told.get("side") === "dw" ? "dw" : "dx", step: Math.max(0, Math.floor(Number(told.get("step")) || 0)) };
  return { settings, arrays: fitted(given, settings, seeded(231)), view };
}

function settingOf(told, { key, least, most, pair }) {
  const given = (told.get(key) ?? "").split("x").map((text) => parseInt(text, 10));
  const within = given.map((n) => Math.min(most, Math.max(least, n)));
  if (within.some(Number.isNaN)) return NOTES[key];
  return pair ? [within[0], within[1] ?? within[0]] : within[0];
}
