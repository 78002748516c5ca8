// A scene on the page: its volumes as grids of cells, and over them the boxes and lines of one step.

import { element as made } from "./dom.js";
import { number, parsed } from "./convolution-numbers.js";

const SVG = "http://www.w3.org/2000/svg";
const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], Enter: [1, 0] };

/** A cell's element: a field where it can be edited, a button where it is a step, else text. */
function cellElement(cell) {
  const td = made("td");
  td.setAttribute("role", "gridcell");
  if (cell.edit) {
    const field = made("input", { type: "text", inputMode: "decimal", autocomplete: "off", tabIndex: -1 });
    field.setAttribute("aria-label", cell.name);
    td.append(field);
  } else if (cell.step !== null) td.append(made("button", { type: "button", tabIndex: -1 }));
  return td;
}

function sliceElement(slice) {
  const rows = slice.rows.map((row) => {
    const tr = made("tr", {}, ...row.map(cellElement));
    tr.setAttribute("role", "row");
    return tr;
  });
  const table = made("table", {}, made("tbody", {}, ...rows));
  table.setAttribute("role", "grid");
  table.setAttribute("aria-label", slice.label);
  const first = table.querySelector("input, button");
  if (first) first.tabIndex = 0;
  return made("div", { className: "slice" }, made("div", { className: "label", textContent: slice.label }), table);
}

function volumeElement(volume) {
  const slices = made("div", { className: "slices" }, ...volume.slices.map(sliceElement));
  return made("div", { className: `volume ${volume.kind}` }, made("h3", { textContent: volume.title }), slices);
}

/** What must be the same for the elements of a scene to be used again. */
const signature = (scene) => JSON.stringify(scene.volumes.map((v) => [
  v.title, v.slices.map((s) => [s.label, s.rows.map((row) => row.map((c) => [c.name, !!c.edit]))]),
]));

/**
 * A figure in `host`. onEdit(path, number) is told of a number that was typed, onPick(step) of a cell
 * that was chosen, onPeek(step) of one under the pointer, or null, onFocus() when a cell is entered.
 */
export function figure(host, { onEdit, onPick, onPeek, onFocus }) {
  const overlay = document.createElementNS(SVG, "svg");
  overlay.setAttribute("aria-hidden", "true");
  let drawn = "", scene = null, step = null, cells = new Map(); // id -> [[{ td, cell }]]

  const elementAt = (id, y, x) => cells.get(id)?.[y]?.[x]?.td;
  const found = (target) => {
    const td = target.closest("td");
    for (const rows of cells.values()) for (const row of rows) for (const one of row) if (one.td === td) return one;
    return null;
  };

  function draw(next) {
    scene = next;
    if (signature(next) !== drawn) {
      drawn = signature(next);
      host.replaceChildren(...next.volumes.map(volumeElement), overlay);
      const widest = Math.max(...next.volumes.flatMap((v) => v.slices.map((s) => s.rows[0].length)));
      host.classList.toggle("large", widest > 12);
    }
    const tables = [...host.querySelectorAll("table")], slices = next.volumes.flatMap((v) => v.slices);
    cells = new Map(slices.map((slice, i) => [slice.id, slice.rows.map((row, y) => row.map((cell, x) => {
      const td = tables[i].rows[y].cells[x];
      fill(td, cell);
      return { td, cell };
    }))]));
    for (const td of host.querySelectorAll(".winner")) td.classList.remove("winner");
    for (const { id, y, x } of next.winners ?? []) elementAt(id, y, x)?.classList.add("winner");
  }

  function fill(td, cell) {
    td.classList.toggle("border", cell.border);
    td.classList.toggle("unused", cell.unused);
    td.title = cell.unused ? "no window reaches this" : "";
    const inside = td.firstElementChild;
    if (inside?.tagName === "INPUT") {
      if (inside !== document.activeElement) inside.value = String(cell.value);
      inside.removeAttribute("aria-invalid");
    } else (inside ?? td).textContent = number(cell.value);
    if (inside?.tagName === "BUTTON") inside.setAttribute("aria-label", `${cell.name} = ${number(cell.value)}`);
  }

  function mark(next) {
    step = next;
    for (const td of host.querySelectorAll("td[data-tap]")) delete td.dataset.tap;
    for (const one of host.querySelectorAll("[aria-current]")) one.removeAttribute("aria-current");
    for (const tap of next.taps) {
      const td = elementAt(tap.id, tap.y, tap.x);
      if (td) td.dataset.tap = tap.n;
    }
    const { id, y, x } = next.boxes[0];
    elementAt(id, y, x)?.querySelector("button")?.setAttribute("aria-current", "step");
    lines();
  }

  /** The boxes of the step and the lines that join their corners, measured on the page. */
  function lines() {
    if (!step) return;
    const frame = host.getBoundingClientRect();
    const boxes = step.boxes.map((box) => {
      const a = elementAt(box.id, box.y, box.x)?.getBoundingClientRect();
      const b = elementAt(box.id, box.y + box.h - 1, box.x + box.w - 1)?.getBoundingClientRect();
      return a && b && { kind: box.kind, left: a.left - frame.left, top: a.top - frame.top, right: b.right - frame.left, bottom: b.bottom - frame.top };
    });
    const corners = ({ left, top, right, bottom }) => [[left, top], [right, top], [left, bottom], [right, bottom]];
    const joined = step.links.flatMap(([i, j]) => {
      if (!boxes[i] || !boxes[j]) return [];
      const ends = corners(boxes[j]);
      return corners(boxes[i]).map(([x1, y1], n) => shape("line", { x1, y1, x2: ends[n][0], y2: ends[n][1] }));
    });
    const outlines = boxes.filter(Boolean).map(({ kind, left, top, right, bottom }) =>
      shape("rect", { class: kind, x: left, y: top, width: right - left, height: bottom - top, rx: 3 }));
    overlay.replaceChildren(...joined, ...outlines);
  }

  function shape(name, attributes) {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  }

  function move(event) {
    const by = MOVES[event.key], td = event.target.closest("td");
    if (!by || !td || (event.key === "Enter" && event.target.tagName === "BUTTON")) return;
    event.preventDefault();
    const rows = td.closest("table").rows;
    let y = td.parentElement.rowIndex + by[0], x = td.cellIndex + by[1];
    for (; rows[y]?.cells[x]; y += by[0], x += by[1]) {
      const inside = rows[y].cells[x].firstElementChild;
      if (inside) return inside.focus();
    }
  }

  host.addEventListener("keydown", move);
  host.addEventListener("input", (event) => {
    const value = parsed(event.target.value), one = found(event.target);
    event.target.toggleAttribute("aria-invalid", value === null);
    if (value !== null && one) onEdit(one.cell.edit, value);
  });
  host.addEventListener("click", (event) => {
    const one = event.target.closest("button") && found(event.target);
    if (one) onPick(one.cell.step);
  });
  host.addEventListener("focusin", (event) => {
    for (const other of event.target.closest("table").querySelectorAll("[tabindex='0']")) other.tabIndex = -1;
    event.target.tabIndex = 0;
    event.target.select?.();
    onFocus();
  });
  host.addEventListener("focusout", (event) => {
    const one = found(event.target);
    if (one?.cell.edit) fill(one.td, { ...one.cell, value: parsed(event.target.value) ?? one.cell.value });
  });
  host.addEventListener("pointerover", (event) => onPeek(event.target.tagName === "BUTTON" ? found(event.target).cell.step : null));
  host.addEventListener("pointerleave", () => onPeek(null));
  new ResizeObserver(lines).observe(host);
  return { draw, mark };
}
