// What is drawn and what one step shows, as plain data: the forward pass and both gradients are the
// same kind of scene, a window of an input volume times a filter; max pooling is one of its own.
//
// Scene  { volumes: [Volume], steps: how many, at(step) -> Step }
// Volume { title, kind: "input" | "filter" | "output", slices: [{ id, label, rows: [[Cell]] }] }
// Cell   { value, name, edit: path into the arrays | null, step: which step it belongs to | null,
//          border: a zero of the padding, unused: no window reaches it }
// Step   { name, boxes: [{ id, y, x, h, w, kind }], taps: [{ id, y, x, n }], links: [[box, box]],
//          rows: [{ label, terms: [[value, weight]], sum }], bias: {name, value} | null, result }

const range = (n) => Array.from({ length: n }, (_, i) => i);
const cell = (value, name, more = {}) => ({ value, name, edit: null, step: null, border: false, unused: false, ...more });
const slice = (id, label, height, width, at) => ({ id, label, rows: range(height).map((y) => range(width).map((x) => at(y, x))) });
const times = (...sizes) => sizes.join("×");

/** The slices of the padded input, its border not to be edited. */
function inputSlices({ settings: s }, result) {
  const [ph, pw] = s.padding, height = result.padded.length, width = result.padded[0].length;
  const [uh, uw] = result.unused;
  return range(s.depth).map((d) => slice(`x${d}`, `x[:,:,${d}]`, height, width, (y, x) => {
    const i = y - ph, j = x - pw, border = i < 0 || j < 0 || i >= s.height || j >= s.width;
    return cell(result.padded[y][x][d], `x[${i},${j},${d}]`, {
      edit: border ? null : ["input", i, j, d], border, unused: y >= height - uh || x >= width - uw,
    });
  }));
}

function inputVolume(state, result) {
  const { padding: [ph, pw], depth } = state.settings, pad = ph === pw ? ph : `${ph}, ${pw}`;
  const size = times(result.padded.length, result.padded[0].length, depth);
  return { title: `Input volume (+pad ${pad}) (${size})`, kind: "input", slices: inputSlices(state, result) };
}

/** Volumes of one filter each with its bias, W0 and b0 first. */
function filterVolumes({ settings: s, arrays }) {
  const [fh, fw] = s.window, depth = arrays.kernel[0][0].length;
  return range(s.filters).map((k) => ({
    title: `Filter W${k} (${times(fh, fw, depth)})`, kind: "filter",
    slices: [
      ...range(depth).map((c) => slice(`W${k}/${c}`, `W${k}[:,:,${c}]`, fh, fw, (a, b) =>
        cell(arrays.kernel[a][b][c][k], `W${k}[${a},${b},${c}]`, { edit: ["kernel", a, b, c, k] }))),
      slice(`b${k}`, `b${k}`, 1, 1, () => cell(arrays.bias[k], `b${k}`, { edit: ["bias", k] })),
    ],
  }));
}

/** A volume whose cells are stepped through, x fastest, then y, then the slice. */
function steppedVolume(title, name, values, first = 0) {
  const height = values.length, width = values[0].length, depth = values[0][0].length;
  return {
    title: `${title} (${times(height, width, depth)})`, kind: "output",
    slices: range(depth).map((o) => slice(`${name}${first + o}`, `${name}[:,:,${o}]`, height, width, (y, x) =>
      cell(values[y][x][o], `${name}[${y},${x},${o}]`, { step: ((first + o) * height + y) * width + x }))),
  };
}

/**
 * A scene of products: step (o, y, x) multiplies the filter of output o with the input at
 * (y, x)*stride + offset, taps `dilation` apart, in the slices that o reads.
 * outputs[o]: { slice, name(y, x), reads: [input id], filter: [filter id], bias }
 */
function products(volumes, outputs, [height, width], { stride, dilation, offset, resultOf }) {
  const byId = new Map(volumes.flatMap((v) => v.slices.map((s) => [s.id, s])));
  const at = (step) => {
    const o = Math.floor(step / (height * width)), y = Math.floor(step / width) % height, x = step % width;
    const output = outputs[o], top = y * stride[0] + offset[0], left = x * stride[1] + offset[1];
    const boxes = [{ id: output.slice, y, x, h: 1, w: 1, kind: "output" }];
    const taps = [], links = [], rows = [];
    output.reads.forEach((id, i) => {
      const values = byId.get(id), weights = byId.get(output.filter[i]), terms = [];
      const fh = weights.rows.length, fw = weights.rows[0].length;
      const extent = [(fh - 1) * dilation[0] + 1, (fw - 1) * dilation[1] + 1];
      weights.rows.forEach((row, a) => row.forEach((weight, b) => {
        const place = { y: top + a * dilation[0], x: left + b * dilation[1] };
        terms.push([values.rows[place.y][place.x].value, weight.value]);
        taps.push({ id, ...place, n: taps.length }, { id: weights.id, y: a, x: b, n: taps.length });
      }));
      links.push([boxes.length, boxes.length + 1]);
      boxes.push({ id, y: top, x: left, h: extent[0], w: extent[1], kind: "input" });
      boxes.push({ id: weights.id, y: 0, x: 0, h: fh, w: fw, kind: "filter" });
      rows.push({ label: `${values.label} · ${weights.label}`, terms, sum: terms.reduce((sum, [v, w]) => sum + v * w, 0) });
    });
    if (output.bias) boxes.push({ id: output.bias.name, y: 0, x: 0, h: 1, w: 1, kind: "filter" });
    return { o, y, x, name: output.name(y, x), boxes, taps, links, rows, bias: output.bias ?? null, result: resultOf(o, y, x) };
  };
  return { volumes, steps: outputs.length * height * width, at };
}

/** Output y[y,x,k]: the window of x at (y, x)*S times filter Wk, plus bk. */
export function forwardScene(state, result) {
  const { settings: s, arrays } = state, depth = arrays.kernel[0][0].length, features = s.filters / s.groups;
  const outputs = range(s.filters).map((k) => ({
    slice: `y${k}`, name: (y, x) => `y[${y},${x},${k}]`,
    reads: range(depth).map((c) => `x${Math.floor(k / features) * depth + c}`),
    filter: range(depth).map((c) => `W${k}/${c}`),
    bias: { name: `b${k}`, value: arrays.bias[k] },
  }));
  const volumes = [inputVolume(state, result), ...filterVolumes(state), steppedVolume("Output volume", "y", result.output)];
  return products(volumes, outputs, [result.output.length, result.output[0].length], {
    stride: s.stride, dilation: s.dilation, offset: [0, 0], resultOf: (o, y, x) => result.output[y][x][o],
  });
}

/** dX[y,x,c]: dY, spread by the stride and padded, met by the filters turned by 180 degrees. */
export function inputGradientScene(state, result) {
  const { settings: s, arrays } = state, depth = arrays.kernel[0][0].length, features = s.filters / s.groups;
  const { upsampled, flipped, input_gradient: dx } = result.backward, [fh, fw] = s.window;
  const reach = [0, 1].map((i) => s.dilation[i] * (s.window[i] - 1));
  const spread = {
    title: `dY, spread by the stride, padded (${times(upsampled.length, upsampled[0].length, s.filters)})`, kind: "input",
    slices: range(s.filters).map((k) => slice(`g${k}`, `dY[:,:,${k}]`, upsampled.length, upsampled[0].length, (y, x) => {
      const i = (y - reach[0]) / s.stride[0], j = (x - reach[1]) / s.stride[1];
      const known = arrays.gradient[i]?.[j] !== undefined;
      return cell(upsampled[y][x][k], `dY[${i},${j},${k}]`, { edit: known ? ["gradient", i, j, k] : null, border: !known });
    })),
  };
  const turned = range(s.depth).map((c) => {
    const own = c % depth, first = Math.floor(c / depth) * features;
    return {
      title: `Filters turned, for x[:,:,${c}]`, kind: "filter",
      slices: range(features).map((i) => slice(`V${c}/${i}`, `W${first + i}[::-1,::-1,${own}]`, fh, fw, (a, b) =>
        cell(flipped[a][b][i][c], `turned W${first + i}[${fh - 1 - a},${fw - 1 - b},${own}]`, { edit: ["kernel", fh - 1 - a, fw - 1 - b, own, first + i] }))),
    };
  });
  const outputs = range(s.depth).map((c) => ({
    slice: `dX${c}`, name: (y, x) => `dX[${y},${x},${c}]`,
    reads: range(features).map((i) => `g${Math.floor(c / depth) * features + i}`),
    filter: range(features).map((i) => `V${c}/${i}`),
  }));
  return products([spread, ...turned, steppedVolume("Gradient of the input", "dX", dx)], outputs, [s.height, s.width], {
    stride: [1, 1], dilation: s.dilation, offset: s.padding, resultOf: (o, y, x) => dx[y][x][o],
  });
}

/** dW[a,b,c] of filter k: the padded input met by dY, dilated by the stride. */
export function kernelGradientScene(state, result) {
  const { settings: s, arrays } = state, depth = arrays.kernel[0][0].length, features = s.filters / s.groups;
  const { kernel_gradient: dw, bias_gradient: db } = result.backward, g = arrays.gradient;
  const sources = {
    title: `dY as filters (${times(g.length, g[0].length, s.filters)})`, kind: "filter",
    slices: range(s.filters).map((k) => slice(`g${k}`, `dY[:,:,${k}]`, g.length, g[0].length, (y, x) =>
      cell(g[y][x][k], `dY[${y},${x},${k}]`, { edit: ["gradient", y, x, k] }))),
  };
  const found = range(s.filters).map((k) => {
    const values = dw.map((row) => row.map((all) => all.map((one) => one[k])));
    const volume = steppedVolume(`Gradient of W${k}`, `dW${k}`, values, 0);
    volume.slices.forEach((one, c) => {
      one.id = `dW${k}/${c}`;
      one.rows.flat().forEach((each) => { each.step += k * depth * s.window[0] * s.window[1]; });
    });
    return { ...volume, slices: [...volume.slices, slice(`db${k}`, `db${k} = Σ dY[:,:,${k}]`, 1, 1, () => cell(db[k], `db${k}`))] };
  });
  const outputs = range(s.filters * depth).map((o) => {
    const k = Math.floor(o / depth), c = o % depth;
    return {
      slice: `dW${k}/${c}`, name: (a, b) => `dW${k}[${a},${b},${c}]`,
      reads: [`x${Math.floor(k / features) * depth + c}`], filter: [`g${k}`],
    };
  });
  return products([inputVolume(state, result), sources, ...found], outputs, s.window, {
    stride: s.dilation, dilation: s.stride, offset: [0, 0],
    resultOf: (o, a, b) => dw[a][b][o % depth][Math.floor(o / depth)],
  });
}

/** Max pooling of x[:,:,d]: the largest of a window, its switch, and the gradient sent back there. */
export function poolScene(state, result) {
  const { settings: s, arrays } = state, { pool } = result, [fh, fw] = s.poolSize;
  const height = pool.output.length, width = pool.output[0].length, [uh, uw] = pool.unused;
  const plain = { padded: arrays.input, unused: pool.unused };
  const input = {
    title: `Input volume (${times(s.height, s.width, s.depth)})`, kind: "input",
    slices: inputSlices({ settings: { ...s, padding: [0, 0] } }, { ...plain, unused: [uh, uw] }),
  };
  const dy = {
    title: `Gradient of the output (${times(height, width, s.depth)})`, kind: "filter",
    slices: range(s.depth).map((d) => slice(`g${d}`, `dY[:,:,${d}]`, height, width, (y, x) =>
      cell(arrays.poolGradient[y][x][d], `dY[${y},${x},${d}]`, { edit: ["poolGradient", y, x, d] }))),
  };
  const dx = {
    title: `Gradient routed to the input (${times(s.height, s.width, s.depth)})`, kind: "input",
    slices: range(s.depth).map((d) => slice(`r${d}`, `dX[:,:,${d}]`, s.height, s.width, (y, x) =>
      cell(pool.input_gradient[y][x][d], `dX[${y},${x},${d}]`))),
  };
  const winners = pool.winners.flatMap((row) => row.flatMap((all) => all.map((at, d) => ({ id: `x${d}`, y: Math.floor(at / s.width), x: at % s.width }))));
  const at = (step) => {
    const d = Math.floor(step / (height * width)), y = Math.floor(step / width) % height, x = step % width;
    const top = y * s.poolStride[0], left = x * s.poolStride[1], index = pool.winners[y][x][d];
    const winner = { y: Math.floor(index / s.width), x: index % s.width, h: 1, w: 1 };
    const boxes = [
      { id: `y${d}`, y, x, h: 1, w: 1, kind: "output" },
      { id: `x${d}`, y: top, x: left, h: fh, w: fw, kind: "input" },
      { id: `x${d}`, ...winner, kind: "output" },
      { id: `g${d}`, y, x, h: 1, w: 1, kind: "filter" },
      { id: `r${d}`, ...winner, kind: "filter" },
    ];
    const places = range(fh * fw).map((n) => ({ id: `x${d}`, y: top + Math.floor(n / fw), x: left + (n % fw), n }));
    return {
      o: d, y, x, name: `y[${y},${x},${d}]`, boxes, taps: places, links: [[2, 0], [3, 4]], rows: [], bias: null,
      result: pool.output[y][x][d],
      pool: {
        values: places.map((p) => arrays.input[p.y][p.x][d]), which: pool.switches[y][x][d],
        to: `dX[${winner.y},${winner.x},${d}]`, gradient: arrays.poolGradient[y][x][d],
        total: pool.input_gradient[winner.y][winner.x][d],
      },
    };
  };
  const volumes = [input, steppedVolume("Output volume", "y", pool.output), dy, dx];
  return { volumes, steps: height * width * s.depth, at, winners };
}
