// The page Convolution: one state, four tabs over it, values from /api/convolution.

import { figure } from "./convolution-figure.js";
import { settingsForm } from "./convolution-form.js";
import { writePool, writeProducts } from "./convolution-formula.js";
import { matrices } from "./convolution-matrices.js";
import { player } from "./convolution-player.js";
import { forwardScene, inputGradientScene, kernelGradientScene, poolScene } from "./convolution-scene.js";
import { TABS, example, fitted, fromHash, request, seeded, shapes, toHash } from "./convolution-state.js";

const $ = (id) => document.getElementById(id);
const ABOUT = {
  forward: "Each output is the sum of products of a window of the input with a filter, over all slices, plus the bias.",
  im2col: "The same step as a matrix product: each window is a column of X_col, each filter a row of W_row.",
  dx: "The gradient of the input is a convolution of dY, with stride − 1 zeros between its values, with the filters turned by 180°.",
  dw: "The gradient of a filter is a convolution of the padded input with dY, whose values lie a stride apart.",
  pool: "Each output is the largest of a window of one slice. Its place, the switch, is where the gradient goes back.",
};
const SCENES = { forward: forwardScene, im2col: forwardScene, dx: inputGradientScene, dw: kernelGradientScene, pool: poolScene };

const told = fromHash(location.hash);
let state = told ?? example("notes"); // { settings, arrays }
let view = told?.view ?? { tab: "forward", side: "dx", step: 0 };
let known = null; // the latest state that has values, with them: { state, result }
let fault = ""; // why the state has no values
let scene = null, group = 0, asked = 0, waiting = 0;
const random = seeded(Date.now());
const formula = { result: $("result"), products: $("products") };

const playing = player(() => go(view.step + 1), (on) => {
  $("play").textContent = on ? "Pause" : "Play";
  formula.result.setAttribute("aria-live", on ? "off" : "polite");
  if (!on) remember();
});
const drawing = figure($("figure"), {
  onEdit: edit,
  onPick: (step) => { playing.pause(); go(step); },
  onPeek: (step) => { if (scene && !playing.playing()) show(step ?? view.step); },
  onFocus: playing.pause,
});
const product = matrices($("drawn"));
const form = settingsForm(
  $("settings"),
  (settings) => change({ settings, arrays: fitted(state.arrays, settings, random) }),
  (text) => { $("error").textContent = text || fault; },
);
const shown = () => (view.tab === "backward" ? view.side : view.tab);

/** The address tells the state, but not at every step of a play. */
function remember() {
  if (!playing.playing()) history.replaceState(null, "", `#${toHash(state, view)}`);
}

function change(next, anew = false) {
  state = next;
  form.show(state.settings, anew);
  ask();
}

function edit(path, value) {
  const arrays = structuredClone(state.arrays), [name, ...at] = path, last = at.pop();
  at.reduce((list, i) => list[i], arrays[name])[last] = value;
  state = { ...state, arrays };
  clearTimeout(waiting);
  waiting = setTimeout(ask, 60);
}

/** Ask the server for the values of the state; only the latest answer counts. */
async function ask() {
  const mine = ++asked, of = state;
  $("figure").setAttribute("aria-busy", "true");
  const answer = await answered(request(of));
  if (mine !== asked) return;
  $("figure").removeAttribute("aria-busy");
  fault = answer.error ?? "";
  if (!fault) known = { state: of, result: answer };
  draw();
  remember();
}

async function answered(body) {
  const token = document.querySelector('meta[name="token"]')?.content ?? "";
  try {
    const response = await fetch("/api/convolution", {
      method: "POST", headers: { "Content-Type": "application/json", "X-Token": token }, body: JSON.stringify(body),
    });
    const answer = await response.json();
    return response.ok || answer.error ? answer : { error: `The server answered ${response.status}.` };
  } catch {
    return { error: "The server does not answer. Is jconv demo still running?" };
  }
}

/** The tab with its scene, drawn anew. */
function draw() {
  const name = shown();
  const unfit = fault || (view.tab === "pool" && known?.result.pool.error) || "";
  markTab(ABOUT[name]);
  $("error").textContent = unfit;
  $("panel").classList.toggle("stale", unfit !== "");
  $("sizes").replaceChildren(...(unfit ? [] : sizeLines()));
  if (unfit) return playing.pause();
  scene = SCENES[name](known.state, known.result);
  drawing.draw(scene);
  if (view.tab === "im2col") product.draw(known.result, (group = 0));
  else product.clear();
  $("step").max = scene.steps - 1;
  go(view.step);
}

function markTab(about) {
  for (const tab of TABS) {
    const button = $(`tab-${tab}`);
    button.setAttribute("aria-selected", String(tab === view.tab));
    button.tabIndex = tab === view.tab ? 0 : -1;
  }
  $("panel").setAttribute("aria-labelledby", `tab-${view.tab}`);
  $("about").textContent = about;
  $("sides").hidden = view.tab !== "backward";
  $("drawn").classList.toggle("with-matrices", view.tab === "im2col");
  document.querySelector(`[name=side][value=${view.side}]`).checked = true;
}

function sizeLines() {
  const { state: { settings: s }, result } = known, pools = view.tab === "pool";
  const [height, width] = pools ? result.pool.sizes : result.sizes;
  const size = height === width ? [`Height and width: ${height}`] : [`Height: ${height}`, `Width: ${width}`];
  const [fh, fw, depth] = shapes(s).kernel;
  const count = `Parameters: ${s.filters}·(${fh}·${fw}·${depth} + 1) = ${s.filters * (fh * fw * depth + 1)}`;
  const gap = s.dilation.map((d) => d - 1), gaps = gap[0] === gap[1] ? gap[0] : gap.join(", ");
  const lines = [...size, ...(pools ? ["Parameters: none"] : [count, `Gap between taps, the CS231n notes' dilation: ${gaps}`])];
  return lines.map((text) => Object.assign(document.createElement("span"), { textContent: text }));
}

/** Stand at a step, counted round. */
function go(step) {
  if (!scene) return;
  view.step = ((step % scene.steps) + scene.steps) % scene.steps;
  $("step").value = view.step;
  $("step").setAttribute("aria-valuetext", `${scene.at(view.step).name}, ${view.step + 1} of ${scene.steps}`);
  show(view.step);
  remember();
}

/** Show a step in the figure, the formula and the matrices. */
function show(step) {
  const at = scene.at(step);
  drawing.mark(at);
  (view.tab === "pool" ? writePool : writeProducts)(formula, at);
  if (view.tab === "im2col") markProduct(at);
}

function markProduct(at) {
  const { rows, output } = known.result, each = rows[0].length, own = Math.floor(at.o / each);
  if (own !== group) product.draw(known.result, (group = own));
  product.mark(at.o % each, at.y * output[0].length + at.x);
}

/** What meets lights up together: a cell of the window, its weight, their product. */
function meet({ target }) {
  const n = target.closest("[data-tap]")?.dataset.tap;
  for (const one of $("panel").querySelectorAll(".met")) one.classList.remove("met");
  if (n !== undefined) for (const one of $("panel").querySelectorAll(`[data-tap="${n}"]`)) one.classList.add("met");
}

function choose(tab, side = view.side) {
  const same = [view.tab, tab].every((one) => one === "forward" || one === "im2col");
  view = { tab, side, step: same ? view.step : 0 };
  draw();
}

$("back").onclick = () => { playing.pause(); go(view.step - 1); };
$("forward").onclick = () => { playing.pause(); go(view.step + 1); };
$("play").onclick = playing.toggle;
$("step").oninput = (event) => { playing.pause(); go(Number(event.target.value)); };
$("speed").onchange = (event) => playing.speed(Number(event.target.value));
$("random").onclick = () => change({ ...state, arrays: fitted({}, state.settings, random) });
for (const button of document.querySelectorAll("[data-example]"))
  button.onclick = () => { view.step = 0; change(example(button.dataset.example), true); };
for (const radio of document.querySelectorAll("[name=side]")) radio.onchange = () => choose(view.tab, radio.value);
for (const tab of TABS) {
  $(`tab-${tab}`).onclick = () => choose(tab);
  $(`tab-${tab}`).onkeydown = ({ key }) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[key];
    if (!by) return;
    const next = TABS[(TABS.indexOf(tab) + by + TABS.length) % TABS.length];
    choose(next);
    $(`tab-${next}`).focus();
  };
}
$("panel").addEventListener("pointerover", meet);
addEventListener("hashchange", () => {
  const next = fromHash(location.hash);
  if (next) { view = next.view; change(next); }
});

form.show(state.settings);
await ask();
if (!told && scene && !matchMedia("(prefers-reduced-motion: reduce)").matches) playing.toggle();
