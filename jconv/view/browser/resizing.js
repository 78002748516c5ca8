// Images as Pillow makes them: changed to gray, cropped about the centre and resized, bilinear with
// antialiasing, so that a file gives here what `jconv predict` makes of it. Bytes, row-major, channels last.

/**
 * The opaque colours of a canvas as 1 or 3 channels; gray is ITU-R 601 luma.
 * @param {Uint8ClampedArray} rgba 4 bytes a pixel
 */
export function inChannels(rgba, channels) {
  const bytes = new Uint8ClampedArray((rgba.length / 4) * channels);
  for (let from = 0, to = 0; from < rgba.length; from += 4, to += channels)
    if (channels === 1)
      bytes[to] = (rgba[from] * 19595 + rgba[from + 1] * 38470 + rgba[from + 2] * 7471 + 32768) >> 16;
    else bytes.set(rgba.subarray(from, from + 3), to);
  return bytes;
}

/** The largest part about the centre that has the aspect of `size`. @returns {{left, top, width, height}} */
export function centred(width, height, size) {
  const aspect = size.width / size.height;
  const across = Math.min(width, height * aspect), down = across / aspect;
  return { left: (width - across) / 2, top: (height - down) / 2, width: across, height: down };
}

/**
 * A part of an image at another size, the rows first and rounded between, as Pillow does.
 * @param {{bytes, width, height, channels}} image
 * @param {{left, top, width, height}} part in pixels and fractions; beyond the border its pixels go on
 */
export function resized({ bytes, width, height, channels }, part, size) {
  const across = weightsOf(part.left, part.width, width, size.width);
  const down = weightsOf(part.top, part.height, height, size.height);
  const narrow = mixed(bytes, across, { lines: height, line: width * channels, step: channels });
  return mixed(narrow, down, { lines: 1, line: 0, step: size.width * channels });
}

/** For each output the first input position it is made of, and the weight of each from there on: a triangle. */
function weightsOf(start, length, size, count) {
  const scale = length / count, spread = Math.max(scale, 1);
  return Array.from({ length: count }, (_, i) => {
    const middle = start + (i + 0.5) * scale;
    const first = Math.min(size - 1, Math.max(0, Math.trunc(middle - spread + 0.5)));
    const end = Math.max(first + 1, Math.min(size, Math.trunc(middle + spread + 0.5)));
    const weights = Array.from({ length: end - first }, (_, j) =>
      Math.max(0, 1 - Math.abs(first + j + 0.5 - middle) / spread));
    const total = weights.reduce((a, b) => a + b);
    return { first, weights: total ? weights.map((weight) => weight / total) : [1] };
  });
}

/** Weighted sums along lines that begin `line` bytes apart, of groups of `step` bytes. */
function mixed(bytes, outputs, { lines, line, step }) {
  const made = new Uint8ClampedArray(lines * outputs.length * step);
  let at = 0;
  for (let n = 0; n < lines; n++)
    for (const { first, weights } of outputs)
      for (let k = 0; k < step; k++) {
        let total = 0, from = n * line + first * step + k;
        for (const weight of weights) {
          total += weight * bytes[from];
          from += step;
        }
        made[at++] = Math.floor(total + 0.5);
      }
  return made;
}

/**
 * Where a drawing is to be cut out: about its ink, which then takes `share` of the longer side.
 * @returns {?{left, top, width, height}} nothing where there is no ink
 */
export function aroundInk({ bytes, width, height }, { dark, share }, size) {
  let top = height, left = width, bottom = -1, right = -1;
  for (let i = 0; i < height; i++)
    for (let j = 0; j < width; j++) {
      if ((dark ? bytes[i * width + j] : 255 - bytes[i * width + j]) < 77) continue; // 0.3 of white
      top = Math.min(top, i);
      bottom = Math.max(bottom, i);
      left = Math.min(left, j);
      right = Math.max(right, j);
    }
  if (bottom < 0) return null;
  const side = Math.max(bottom - top + 1, right - left + 1) / share / Math.max(size.width, size.height);
  const across = side * size.width, down = side * size.height;
  return { left: (left + right + 1 - across) / 2, top: (top + bottom + 1 - down) / 2, width: across, height: down };
}
