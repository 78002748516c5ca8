// A net in plain JavaScript. A program is a list of operations; each makes one array of the arrays before
// it, an image (height, width, channels) or a row (features), row-major with the channel fastest.
//
// An operation: { kind, inputs, shape, settings, arrays }. inputs: 0 is the image, i + 1 what operation i
// makes. arrays: by name [where it begins among the numbers, its shape]. Where windows lie is a table for
// each axis, { taps, at }: for each output the positions it reads, -1 for none.
// A kind is a function of (operation, ...inputs): inputs are { values, shape }, operation.arrays typed arrays.

const volume = (shape) => shape.reduce((product, size) => product * size, 1);
const channelsOf = (shape) => shape[shape.length - 1];
const widthOf = (shape) => (shape.length === 3 ? shape[1] : 1);

/**
 * What every operation makes of an image, in order.
 * @param {{operations: object[], shape: number[]}} program
 * @param {Float32Array} numbers all arrays, one after another
 * @param {Float32Array} image (height * width * channels), scaled as the net takes it
 * @returns {Float32Array[]}
 */
export function run(program, numbers, image) {
  const made = [{ values: image, shape: program.shape }];
  for (const operation of program.operations) {
    const arrays = {};
    for (const [name, [at, shape]] of Object.entries(operation.arrays))
      arrays[name] = numbers.subarray(at, at + volume(shape));
    const inputs = operation.inputs.map((i) => made[i]);
    const values = KINDS[operation.kind]({ ...operation, arrays }, ...inputs);
    made.push({ values, shape: operation.shape });
  }
  return made.slice(1).map((one) => one.values);
}

/** Pixels of 0 to 255 as the net takes them: (value/255 - mean) / std, one number or one a channel. */
export function scaled(pixels, channels, { mean, std }) {
  const of = (numbers, c) => numbers[numbers.length > 1 ? c : 0];
  return Float32Array.from(pixels, (v, i) => (v / 255 - of(mean, i % channels)) / of(std, i % channels));
}

/** exp(x) / sum of exp(x), over each row of so many. */
export function softmax(values, channels = values.length) {
  const y = new Float32Array(values.length);
  for (let first = 0; first < values.length; first += channels) {
    const row = values.subarray(first, first + channels), most = row.reduce((a, b) => Math.max(a, b));
    let total = 0;
    for (const v of row) total += Math.exp(v - most);
    for (let c = 0; c < channels; c++) y[first + c] = Math.exp(row[c] - most) / total;
  }
  return y;
}

/** For each window, in order: visit(which, how many pixels it reads, their indices, their taps). */
function eachWindow({ rows, columns }, width, visit) {
  const pixels = new Int32Array(rows.taps * columns.taps), taps = new Int32Array(pixels.length);
  let window = 0;
  for (let i = 0; i < rows.at.length; i += rows.taps)
    for (let j = 0; j < columns.at.length; j += columns.taps) {
      let count = 0;
      for (let f = 0; f < rows.taps; f++)
        for (let g = 0; g < columns.taps; g++) {
          const row = rows.at[i + f], column = columns.at[j + g];
          if (row < 0 || column < 0) continue;
          pixels[count] = row * width + column;
          taps[count++] = f * columns.taps + g;
        }
      visit(window++, count, pixels, taps);
    }
}

/** kernel (rows, columns, channels/groups, features); with `own` one for each window, and its bias. */
function convolution({ settings, arrays, shape }, x, groups, own) {
  const { kernel, bias } = arrays, channels = channelsOf(x.shape), features = channelsOf(shape);
  const ins = channels / groups, outs = features / groups, area = settings.rows.taps * settings.columns.taps;
  const y = new Float32Array(volume(shape)), sums = new Float64Array(features);
  eachWindow(settings, widthOf(x.shape), (window, count, pixels, taps) => {
    const which = own ? window : 0;
    for (let k = 0; k < features; k++) sums[k] = bias ? bias[which * features + k] : 0;
    for (let n = 0; n < count; n++) {
      const from = pixels[n] * channels, tap = (which * area + taps[n]) * ins;
      for (let group = 0; group < groups; group++)
        for (let c = 0; c < ins; c++) {
          const v = x.values[from + group * ins + c], first = group * outs;
          if (v === 0) continue; // half of what a ReLU leaves
          const at = (tap + c) * features + first;
          for (let k = 0; k < outs; k++) sums[first + k] += v * kernel[at + k];
        }
    }
    y.set(sums, window * features);
  });
  return y;
}

/** Each channel of each window apart: begun with `start`, go(so far, value) over it, end(it, window). */
function pooled({ settings }, x, start, go, end = (total) => total) {
  const channels = channelsOf(x.shape), { rows, columns } = settings;
  const windows = (rows.at.length / rows.taps) * (columns.at.length / columns.taps);
  const y = new Float32Array(windows * channels), totals = new Float64Array(channels);
  eachWindow(settings, widthOf(x.shape), (window, count, pixels) => {
    totals.fill(start);
    for (let n = 0; n < count; n++)
      for (let c = 0; c < channels; c++) totals[c] = go(totals[c], x.values[pixels[n] * channels + c]);
    for (let c = 0; c < channels; c++) y[window * channels + c] = end(totals[c], window);
  });
  return y;
}

/** (x - mean) / sqrt(var + eps), over a group of channels at each position, or over all positions. */
function standardize({ settings }, x) {
  const { groups, each_position: eachPosition, centred, eps } = settings;
  const channels = channelsOf(x.shape), size = channels / groups, y = new Float32Array(x.values.length);
  const positions = y.length / channels, span = eachPosition ? 1 : positions;
  for (let first = 0; first < positions; first += span)
    for (let group = 0; group < groups; group++) {
      const over = (visit) => {
        for (let p = first; p < first + span; p++)
          for (let c = 0; c < size; c++) visit(p * channels + group * size + c);
      };
      let mean = 0, variance = 0;
      if (centred) over((i) => { mean += x.values[i] / (span * size); });
      over((i) => { variance += (x.values[i] - mean) ** 2 / (span * size); });
      over((i) => { y[i] = (x.values[i] - mean) / Math.sqrt(variance + eps); });
    }
  return y;
}

/** x * (k + scale * sum of squares)^-beta over neighbouring channels. */
function response({ settings: { before, after, k, scale, beta } }, x) {
  const channels = channelsOf(x.shape);
  return x.values.map((v, i) => {
    const c = i % channels;
    let total = 0;
    for (let j = Math.max(0, c - before); j <= Math.min(channels - 1, c + after); j++)
      total += x.values[i - c + j] ** 2;
    return v * (k + scale * total) ** -beta;
  });
}

function responseWithin(operation, x) {
  const { k, scale, beta } = operation.settings;
  const totals = pooled(operation, x, 0, (total, v) => total + v * v);
  return x.values.map((v, i) => v * (k + scale * totals[i]) ** -beta);
}

/** Minus the squared distance to each code. codes (features, classes) */
function rbf({ arrays: { codes }, shape }, x) {
  const features = channelsOf(x.shape), classes = channelsOf(shape);
  return Float32Array.from({ length: volume(shape) }, (_, i) => {
    const k = i % classes, first = ((i - k) / classes) * features;
    let total = 0;
    for (let j = 0; j < features; j++) total -= (x.values[first + j] - codes[j * classes + k]) ** 2;
    return total;
  });
}

function maxout({ settings: { pieces } }, x) {
  const largest = (i) => x.values.subarray(i * pieces, (i + 1) * pieces).reduce((a, b) => Math.max(a, b));
  return Float32Array.from({ length: x.values.length / pieces }, (_, i) => largest(i));
}

/** Images side by side along channels, each from a channel of its own on. */
function beside(shape, parts, starts) {
  const y = new Float32Array(volume(shape)), channels = channelsOf(shape);
  parts.forEach((part, n) => {
    const own = channelsOf(part.shape);
    for (let p = 0; p < part.values.length / own; p++)
      y.set(part.values.subarray(p * own, (p + 1) * own), p * channels + starts[n]);
  });
  return y;
}

function concat({ shape }, ...parts) {
  let next = 0;
  return beside(shape, parts, parts.map((part) => (next += channelsOf(part.shape)) - channelsOf(part.shape)));
}

/** The error function, to 1.5e-7. Source: Abramowitz and Stegun 1964, 7.1.26. */
function erf(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return Math.sign(x) * (1 - series * Math.exp(-x * x));
}

const normal = (x) => (1 + erf(x / Math.SQRT2)) / 2;
const nearNormal = (x) => (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))) / 2;
const sigmoid = (v) => 1 / (1 + Math.exp(-v));
const softplus = (v) => Math.max(v, 0) + Math.log1p(Math.exp(-Math.abs(v)));

/** A kind that is a function of each value, and of its channel; `make` gives it from settings and arrays. */
const each = (make) => ({ settings, arrays }, x) => {
  const f = make(settings, arrays), channels = channelsOf(x.shape);
  return x.values.map((v, i) => f(v, i % channels));
};

export const KINDS = {
  conv: (operation, x) => convolution(operation, x, operation.settings.groups, false),
  local: (operation, x) => convolution(operation, x, 1, true),
  rbf,
  max: (operation, x) => pooled(operation, x, -Infinity, (most, v) => (v > most || v !== v ? v : most)),
  average: (operation, x) =>
    pooled(operation, x, 0, (total, v) => total + v, (total, window) => total / operation.arrays.count[window]),
  lp: (operation, x) => {
    const { p } = operation.settings;
    return pooled(operation, x, 0, (total, v) => total + Math.abs(v) ** p, (total) => total ** (1 / p));
  },
  scale: each((_, { scale, bias }) => (v, c) => v * scale[c] + bias[c]),
  standardize,
  response,
  response_within: responseWithin,
  relu: each(() => (v) => (v < 0 ? 0 : v)),
  leaky_relu: each(({ slope }) => (v) => (v > 0 ? v : slope * v)),
  prelu: each((_, { slope }) => (v, c) => (v > 0 ? v : slope[c] * v)),
  clip: each(({ least, most }) => (v) => Math.min(Math.max(v, least), most)),
  elu: each(({ alpha }) => (v) => (v > 0 ? v : alpha * Math.expm1(v))),
  gelu: each(({ approximate }) => (approximate ? (v) => v * nearNormal(v) : (v) => v * normal(v))),
  silu: each(() => (v) => v * sigmoid(v)),
  sigmoid: each(() => sigmoid),
  tanh: each(({ scale, slope }) => (v) => scale * Math.tanh(slope * v)),
  softplus: each(({ beta }) => (v) => softplus(beta * v) / beta),
  softmax: (_, x) => softmax(x.values, channelsOf(x.shape)),
  maxout,
  pad_channels: ({ settings, shape }, x) => beside(shape, [x], [settings.before]),
  same: (_, x) => x.values,
  sum: (_, ...parts) => parts[0].values.map((_, i) => parts.reduce((total, part) => total + part.values[i], 0)),
  concat,
};
