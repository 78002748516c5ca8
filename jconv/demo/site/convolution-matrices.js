// The convolution as one matrix product: W_row times X_col, a group at a time, the step's row and
// column marked.

import { number } from "./convolution-numbers.js";

function matrix(name, values, kind) {
  const rows = values.map((row) => `<tr>${row.map((v) => `<td>${number(v)}</td>`).join("")}</tr>`).join("");
  const figure = document.createElement("figure");
  figure.className = `matrix-of ${kind}`;
  figure.innerHTML = `<figcaption><code>${name}</code> ${values.length}×${values[0].length}</figcaption><div class="scroll" tabindex="0" role="group" aria-label="${name}"><table><tbody>${rows}</tbody></table></div>`;
  return figure;
}

/**
 * Matrices behind what `host` holds. draw(result, group) makes them, mark(row, column) marks the
 * step's, clear() takes them away.
 * result: rows (groups, K/groups, F*F*C), columns (groups, F*F*C, positions), output (H', W', K)
 */
export function matrices(host) {
  let made = [], marked = [];
  function clear() {
    for (const figure of made) figure.remove();
    made = marked = [];
  }
  function draw(result, group) {
    const rows = result.rows[group], first = group * rows.length;
    const outputs = rows.map((_, k) => result.output.flat().map((all) => all[first + k]));
    clear();
    made = [matrix("W_row", rows, "filter"), matrix("X_col", result.columns[group], "input"), matrix("W_row X_col + b", outputs, "output")];
    host.append(...made);
  }
  function mark(row, column) {
    for (const td of marked) td.className = "";
    const [weights, columns, outputs] = made.map((figure) => figure.querySelector("table").rows);
    marked = [...weights[row].cells, ...[...columns].map((tr) => tr.cells[column]), outputs[row].cells[column]];
    for (const td of marked) td.className = "marked";
  }
  return { draw, mark, clear };
}
