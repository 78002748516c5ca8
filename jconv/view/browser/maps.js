// Values as pixels on a canvas. Blue is above zero, red below, the stronger the larger; zero lets the
// page through. A canvas holds all maps of a layer, side by side in rows.

const GAP = 1; // pixels of a map between two maps

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim().split(/\s+/).map(Number);
}

/** How many maps lie in a row of a canvas that may be `room` CSS pixels wide. */
export function columnsFor(room, width, scale, count) {
  return Math.max(1, Math.min(count, Math.floor((room / scale + GAP) / (width + GAP))));
}

function laidOut(canvas, count, height, width, scale, columns, put) {
  const rows = Math.ceil(count / columns);
  const across = columns * (width + GAP) - GAP, down = rows * (height + GAP) - GAP;
  if (canvas.width !== across || canvas.height !== down) {
    canvas.width = across;
    canvas.height = down;
  }
  canvas.style.width = `${across * scale}px`;
  canvas.style.height = `${down * scale}px`;
  const context = canvas.getContext("2d"), image = context.createImageData(across, down);
  for (let k = 0; k < count; k++) {
    const top = Math.floor(k / columns) * (height + GAP), left = (k % columns) * (width + GAP);
    for (let i = 0; i < height; i++)
      for (let j = 0; j < width; j++)
        put(image.data, 4 * ((top + i) * across + left + j), (k * height + i) * width + j);
  }
  context.putImageData(image, 0, 0);
}

/**
 * Paint `count` maps of height x width.
 * values: map after map, row after row; `largest` is the value that is painted at full strength.
 * scale: CSS pixels a value; columns: maps in a row.
 */
export function paintMaps(canvas, values, { count, height, width, largest, scale, columns }) {
  const blue = colour("--pixel-blue"), red = colour("--pixel-red"), strength = largest ? 255 / largest : 0;
  laidOut(canvas, count, height, width, scale, columns, (data, at, index) => {
    const value = values[index], [r, g, b] = value > 0 ? blue : red;
    data[at] = r;
    data[at + 1] = g;
    data[at + 2] = b;
    data[at + 3] = Math.min(255, Math.abs(value) * strength);
  });
}

/** Paint `count` colour images of height x width, bytes of red, green and blue for each pixel. */
export function paintColours(canvas, bytes, { count, height, width, scale, columns }) {
  laidOut(canvas, count, height, width, scale, columns, (data, at, index) => {
    data[at] = bytes[3 * index];
    data[at + 1] = bytes[3 * index + 1];
    data[at + 2] = bytes[3 * index + 2];
    data[at + 3] = 255;
  });
}
