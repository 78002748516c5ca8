// The page Train: what the demo says is shown, and what is pressed or typed is asked for.

import { ask, listen } from "./api.js";
import { showPredictions, tryImages } from "./answers.js";
import { editNet } from "./editor.js";
import { drawGraph } from "./graph.js";
import { Layers } from "./layers.js";

const page = (id) => document.getElementById(id);
const message = page("message"), settings = page("settings"), layers = new Layers(page("layers"));
const numbers = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

let classes = [], said = "", paused = null;
let batchWanted = null; // until it is compiled
let latest = null, drawing = 0; // the state to be shown in the next frame

const whole = (value) => (value === null ? "–" : numbers.format(value));
const percent = (value) => (value === null ? "–" : `${(100 * value).toFixed(1)} %`);
const small = (value) => (value === null ? "–" : value.toFixed(4));
const milliseconds = (value) => (value === null ? "–" : `${value < 0.1 ? value.toPrecision(2) : value.toFixed(2)} ms`);
const WORDS = {
  loss: small, decay_loss: small, accuracy: percent, examples: whole, steps: whole,
  images_per_second: whole, forward_ms: milliseconds, backward_ms: milliseconds,
};

function say(text, error = false) {
  message.textContent = text;
  message.classList.toggle("error", error);
}

/** What went wrong with something that was pressed or typed; it stays until something goes right. */
function complain(text) {
  said = text;
  say(text, true);
}

function showState(state) {
  drawing = 0;
  for (const [name, word] of Object.entries(WORDS)) page(name).textContent = word(state[name]);
  const { of, accuracy } = state.validation;
  page("validation").textContent = of ? `${percent(accuracy)} of ${of}` : "–";
  if (state.batch_size === batchWanted) batchWanted = null;
  for (const field of settings.elements)
    if (field !== document.activeElement && !(field.name === "batch_size" && batchWanted)) field.value = state[field.name];
  if (paused !== state.paused) {
    paused = state.paused;
    page("pause").textContent = paused ? "Resume" : "Pause";
  }
  if (!said) say(paused ? "paused" : "training");
}

function showNet(net) {
  classes = net.classes;
  const { batch_size: batch } = settings.elements;
  batch.replaceChildren(...net.batches.map((n) => new Option(n, n)));
  page("summary").textContent = `Images of ${net.input}, ${numbers.format(net.parameters)} parameters, ${classes.length} classes.`;
  layers.describe(net);
  editor.net(net);
  page("predictions").replaceChildren();
  page("tested").textContent = "";
  drawGraph(page("graph"), []);
}

const editor = editNet(page);
tryImages(page, () => classes);

page("pause").addEventListener("click", () => asked({ do: paused ? "resume" : "pause" }));
for (const word of ["step", "restart", "clear"]) page(word).addEventListener("click", () => asked({ do: word }));
settings.addEventListener("submit", (event) => event.preventDefault());
settings.addEventListener("change", ({ target }) => {
  if (!target.checkValidity()) return complain(`${target.parentElement.textContent.trim()}: ${target.validationMessage}`);
  const value = Number(target.value);
  if (target.name === "batch_size") batchWanted = value;
  refusedNothing(() => ask("settings", { [target.name]: value }));
});

// the arrows change a rate by a quarter of it, and momentum by a twentieth
settings.addEventListener("keydown", (event) => {
  const { target, key } = event, up = key === "ArrowUp";
  if (target.type !== "number" || !(up || key === "ArrowDown")) return;
  event.preventDefault();
  const value = Number(target.value);
  const next = target.name === "momentum" ? Math.min(1, Math.max(0, value + (up ? 0.05 : -0.05))) : value * (up ? 1.25 : 0.8);
  target.value = Number(next.toPrecision(3));
  target.dispatchEvent(new Event("change", { bubbles: true }));
});

function asked(body) {
  return refusedNothing(() => ask("control", body));
}

async function refusedNothing(act) {
  try {
    await act();
    said = "";
    return true;
  } catch (error) {
    complain(error.message);
    return false;
  }
}

listen(
  {
    net: showNet,
    state(state) {
      latest = state;
      if (!document.hidden && !drawing) drawing = requestAnimationFrame(() => showState(latest));
    },
    message({ text, error }) {
      said = text;
      say(text || (paused ? "paused" : "training"), error);
    },
    graph: (points) => document.hidden || drawGraph(page("graph"), points),
    layers: (seen) => layers.show(seen, classes[seen.label]),
    predictions({ shown, of, accuracy }) {
      if (document.hidden) return;
      showPredictions(page("predictions"), shown, classes);
      page("tested").textContent = `${percent(accuracy)} of the last ${of} were right.`;
    },
  },
  () => say("the demo does not answer; was it ended?", true),
);

const shared = new URLSearchParams(location.hash.slice(1));
if (shared.has("net")) editor.propose(shared);
