// A curve over examples, as SVG: the vertical axis fits what there is, the horizontal one doubles.

const WIDTH = 460, HEIGHT = 230, LEFT = 46, BOTTOM = 30, TOP = 8, RIGHT = 8;
const FIRST = 1000; // examples that the axis shows at least

/** At most five round numbers from 0 to `most`. */
function ticks(most) {
  const rough = most / 4, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough);
  return Array.from({ length: Math.floor(most / step + 1e-9) + 1 }, (_, i) => i * step);
}

function short(value) {
  if (value >= 1e9) return value.toExponential(0);
  return value >= 1e6 ? `${+(value / 1e6).toPrecision(3)}M` : value >= 1e3 ? `${+(value / 1e3).toPrecision(3)}k` : `${+value.toPrecision(3)}`;
}

/** Draw points [x, y] into an <svg>. */
export function drawGraph(svg, points) {
  const last = points.length ? points[points.length - 1][0] : 0;
  let horizon = FIRST;
  while (horizon < last) horizon *= 2;
  const highest = Math.max(...points.map(([, y]) => y), 1e-6) * 1.05;
  const x = (value) => LEFT + (value / horizon) * (WIDTH - LEFT - RIGHT);
  const y = (value) => HEIGHT - BOTTOM - (value / highest) * (HEIGHT - BOTTOM - TOP);
  const across = ticks(horizon).map((t) => `<text x="${x(t)}" y="${HEIGHT - 10}" text-anchor="middle">${short(t)}</text>`);
  const down = ticks(highest).map(
    (t) => `<path class="grid" d="M${LEFT} ${y(t)}H${WIDTH - RIGHT}"/><text x="${LEFT - 6}" y="${y(t) + 4}" text-anchor="end">${short(t)}</text>`,
  );
  const path = points.map(([a, b], i) => `${i ? "L" : "M"}${x(a).toFixed(1)} ${y(b).toFixed(1)}`).join("");
  svg.innerHTML = `${down.join("")}${across.join("")}<path class="curve" d="${path}"/>`;
}
