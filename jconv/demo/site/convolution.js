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
let result = null, scene = null, asked = 0, waiting = 0;
const random = seeded(Date.now());

const playing = player(() => go(view.step + 1), (on) => {
  $("play").textContent = on ? "Pause" : "Play";
  $("formula").setAttribute("aria-live", on ? "off" : "polite");
  if (!on) remember();
});
const drawing = figure($("figure"), { onEdit: edit, onPick: (step) => { playing.pause(); go(step); }, onFocus: playing.pause });
const product = matrices($("drawn"));
const form = settingsForm($("settings"), (settings) => change({ settings, arrays: fitted(state.arrays, settings, random) }));
const shown = () => (view.tab === "backward" ? view.side : view.tab);

/** The address tells the state, but not at every step of a play. */
function remember() {
  if (!playing.playing()) history.replaceState(null, "", `#${toHash(state, view)}`);
}

function change(next) {
  state = next;
  form.show(state.settings);
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
  const mine = ++asked;
  $("figure").setAttribute("aria-busy", "true");
  const answer = await answered(request(state));
  if (mine !== asked) return;
  $("error").textContent = answer.error ?? "";
  $("panel").classList.toggle("stale", "error" in answer);
  if (!("error" in answer)) {
    result = answer;
    show();
  } else playing.pause();
  $("figure").removeAttribute("aria-busy");
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

/** The tab with its scene, drawn anew from the result. */
function show() {
  const name = shown(), pools = name === "pool", unfit = pools && result.pool.error;
  for (const tab of TABS) {
    const button = $(`tab-${tab}`);
    button.setAttribute("aria-selected", String(tab === view.tab));
    button.tabIndex = tab === view.tab ? 0 : -1;
  }
  $("panel").setAttribute("aria-labelledby", `tab-${view.tab}`);
  $("about").textContent = ABOUT[name];
  $("sides").hidden = view.tab !== "backward";
  $("drawn").classList.toggle("with-matrices", view.tab === "im2col");
  document.querySelector(`[name=side][value=${view.side}]`).checked = true;
  $("sizes").replaceChildren(...sizeLines(unfit));
  $("error").textContent = unfit || "";
  $("panel").classList.toggle("stale", Boolean(unfit));
  if (unfit) return playing.pause();
  scene = SCENES[name](state, result);
  drawing.draw(scene);
  $("step").max = scene.steps - 1;
  if (view.tab === "im2col") product.draw(result, (drawnGroup = 0));
  else product.clear();
  go(view.step);
}

let drawnGroup = 0;

function sizeLines(unfit) {
  const { settings: s } = state, pools = view.tab === "pool";
  const [height, width] = (pools ? !unfit && result.pool.sizes : result.sizes) || ["", ""];
  const size = height === width ? [`Height and width: ${height}`] : [`Height: ${height}`, `Width: ${width}`];
  const { kernel } = shapes(s), each = kernel[0] * kernel[1] * kernel[2];
  const count = `Parameters: ${s.filters}·(${kernel.slice(0, 3).join("·")} + 1) = ${s.filters * (each + 1)}`;
  const gap = s.dilation.map((d) => d - 1), gaps = gap[0] === gap[1] ? gap[0] : gap.join(", ");
  const lines = [...size, ...(pools ? ["Parameters: none"] : [count, `Gap between taps, the notes' dilation: ${gaps}`])];
  return lines.map((text) => Object.assign(document.createElement("span"), { textContent: text }));
}

/** Stand at a step, counted round. */
function go(step) {
  if (!scene) return;
  view.step = ((step % scene.steps) + scene.steps) % scene.steps;
  const at = scene.at(view.step);
  $("step").value = view.step;
  $("step").setAttribute("aria-valuetext", `${at.name}, ${view.step + 1} of ${scene.steps}`);
  drawing.mark(at);
  if (view.tab === "pool") writePool($("formula"), at);
  else writeProducts($("formula"), at);
  if (view.tab === "im2col") markProduct(at);
  remember();
}

function markProduct(at) {
  const each = result.rows[0].length, group = Math.floor(at.o / each);
  if (group !== drawnGroup) product.draw(result, (drawnGroup = group));
  product.mark(at.o % each, at.y * result.output[0].length + at.x);
}

function choose(tab, side = view.side) {
  const same = [view.tab, tab].every((one) => one === "forward" || one === "im2col");
  view = { tab, side, step: same ? view.step : 0 };
  if (result) show();
}

$("back").onclick = () => { playing.pause(); go(view.step - 1); };
$("forward").onclick = () => { playing.pause(); go(view.step + 1); };
$("play").onclick = playing.toggle;
$("step").oninput = (event) => { playing.pause(); go(Number(event.target.value)); };
$("speed").onchange = (event) => playing.speed(Number(event.target.value));
$("random").onclick = () => change({ ...state, arrays: fitted({}, state.settings, random) });
for (const button of document.querySelectorAll("[data-example]"))
  button.onclick = () => { view.step = 0; change(example(button.dataset.example)); };
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
addEventListener("hashchange", () => {
  const next = fromHash(location.hash);
  if (next) { view = next.view; change(next); }
});

form.show(state.settings);
await ask();
if (!told && result && !matchMedia("(prefers-reduced-motion: reduce)").matches) playing.toggle();
