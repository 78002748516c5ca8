// The convolution as one matrix product: W_row times X_col, a group at a time, the step's row and
// column marked.

import { number } from "./convolution-numbers.js";

/** A matrix with a name: its element, and its rows of cells. */
function matrixOf(name, kind, values) {
  const rows = values.map((row) => `<tr>${row.map((v) => `<td>${number(v)}</td>`).join("")}</tr>`).join("");
  const element = document.createElement("figure");
  element.className = `matrix-of ${kind}`;
  element.innerHTML = `<figcaption><code>${name}</code> ${values.length}×${values[0].length}</figcaption><div class="scroll" tabindex="0" role="group" aria-label="${name}"><table><tbody>${rows}</tbody></table></div>`;
  return { element, values, rows: element.querySelector("table").rows };
}

/** The same matrix with other numbers; only cells that differ are written. */
function updated(matrix, values) {
  values.forEach((row, i) => row.forEach((value, j) => {
    if (value !== matrix.values[i][j]) matrix.rows[i].cells[j].textContent = number(value);
  }));
  return { ...matrix, values };
}

/** Scroll whatever holds a cell sideways until it is seen; the page itself stays. */
function inView(td) {
  const scroller = td.closest(".scroll"), frame = scroller.getBoundingClientRect(), place = td.getBoundingClientRect();
  if (place.left < frame.left) scroller.scrollLeft += place.left - frame.left;
  if (place.right > frame.right) scroller.scrollLeft += place.right - frame.right;
}

const sizes = (all) => all.map((values) => `${values.length}x${values[0].length}`).join();

/**
 * Matrices behind what `host` holds. draw(result, group) makes them, mark(row, column) marks the
 * step's, clear() takes them away.
 * result: rows (groups, K/groups, F*F*C), columns (groups, F*F*C, positions), output (H', W', K)
 */
export function matrices(host) {
  let made = [], marked = [];
  function clear() {
    for (const { element } of made) element.remove();
    made = marked = [];
  }
  function draw(result, group) {
    const rows = result.rows[group], first = group * rows.length;
    const outputs = rows.map((_, k) => result.output.flat().map((all) => all[first + k]));
    const next = [rows, result.columns[group], outputs];
    if (made.length && sizes(next) === sizes(made.map(({ values }) => values))) {
      made = made.map((matrix, i) => updated(matrix, next[i]));
      return;
    }
    clear();
    made = [matrixOf("W_row", "filter", next[0]), matrixOf("X_col", "input", next[1]), matrixOf("W_row X_col + b", "output", next[2])];
    host.append(...made.map(({ element }) => element));
  }
  function mark(row, column) {
    for (const td of marked) td.className = "";
    const [weights, columns, outputs] = made.map((matrix) => matrix.rows);
    marked = [...weights[row].cells, ...[...columns].map((tr) => tr.cells[column]), outputs[row].cells[column]];
    for (const td of marked) td.className = "marked";
    for (const td of [columns[0].cells[column], outputs[row].cells[column]]) inView(td);
  }
  return { draw, mark, clear };
}
