// The one-file page: an image, a column of maps for every layer, the five best classes.

import { columnOf, largestOf, made, paintCloser, paintColumn } from "jconv/columns.js";
import { run, scaled, softmax } from "jconv/engine.js";
import { paintColours } from "jconv/maps.js";
import { aroundInk, centred, inChannels, resized } from "jconv/resizing.js";
import { openCamera, openPad, readFile, rgbaOf } from "jconv/sources.js";

const LIVE = 150; // milliseconds: a slower net waits for the end of a stroke
const AGREE = 1e-4; // of the largest score

const byId = (id) => document.getElementById(id);
const bytesOf = (base64) => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));

/** Pixels of 1 or 3 channels as red, green and blue. */
const coloured = (pixels, channels) =>
  channels === 3 ? pixels : Uint8Array.from({ length: 3 * pixels.length }, (_, i) => pixels[Math.floor(i / 3)]);

/** The classes with the largest scores, the best first. */
function best(scores, probabilities, count) {
  return [...scores.keys()].sort((a, b) => scores[b] - scores[a]).slice(0, count)
    .map((k) => ({ k, score: scores[k], probability: probabilities[k] }));
}

const barRow = () => made("li", {}, made("b"), made("span"), made("small"), made("div", { className: "track" }, made("i")));

function paintBars(rows, answers, classes) {
  answers.forEach(({ k, score, probability }, i) => {
    const [name, percent, raw, track] = rows[i].children;
    name.textContent = name.title = classes[k];
    percent.textContent = `${(100 * probability).toFixed(1)} %`;
    raw.textContent = `score ${score.toFixed(2)}`;
    track.firstChild.style.width = `${100 * probability}%`;
  });
}

/** How far scores lie from JAX's, of the largest, over the examples. */
function apart(examples, classify) {
  return Math.max(...examples.map(({ pixels, scores }) => {
    const found = classify(bytesOf(pixels));
    return largestOf(scores.map((score, k) => score - found[k])) / largestOf(scores);
  }));
}

/** The parts of the page that show what becomes of pixels. @returns {(pixels, announced) => number} its ms */
function display(page, compute) {
  const [height, width, channels] = page.shape, ends = page.operations.at(-1).kind;
  const closer = Object.fromEntries(["canvas", "name", "kind", "range"].map((part) => [part, byId(`closer-${part}`)]));
  const rows = Array.from({ length: Math.min(5, page.classes.length) }, barRow);
  let looked = null;
  const look = (column) => {
    looked = column;
    if (column.values) paintCloser(closer, column);
  };
  const columns = page.operations.map((operation, index) => operation.layer && columnOf(operation, index, look)).filter(Boolean);
  byId("best").append(...rows);
  byId("columns").append(...columns.map((column) => column.element));
  return (pixels, announced) => {
    const start = performance.now(), values = compute(pixels), took = performance.now() - start;
    const scores = values.at(-1), probabilities = ends === "softmax" ? scores : softmax(scores);
    const answers = best(scores, probabilities, rows.length);
    paintBars(rows, answers, page.classes);
    for (const column of columns) paintColumn(column, values[column.index]);
    if (columns.length) look(looked ?? columns[0]);
    paintColours(byId("seen"), coloured(pixels, channels), { count: 1, height, width, scale: 64 / width, columns: 1 });
    byId("time").textContent = `${took < 10 ? took.toFixed(1) : Math.round(took)} ms`;
    if (announced) byId("status").textContent = `${page.classes[answers[0].k]}, ${(100 * answers[0].probability).toFixed(0)} %`;
    return took;
  };
}

/** The buttons, each of which ends what was open before. */
function connect(page, show, fit) {
  const [height, width, channels] = page.shape, stage = byId("stage"), context = stage.getContext("2d", { willReadFrequently: true });
  stage.height = Math.round((stage.width * height) / width);
  let stop = () => {}, turn = 0, took = 0;
  const say = (text) => { byId("message").textContent = text; };
  const begin = (pressed) => {
    stop();
    stop = () => {};
    say("");
    document.querySelectorAll(".picture [aria-pressed]").forEach((button) => button.setAttribute("aria-pressed", button === pressed));
    return ++turn;
  };
  const put = (source, part, announced) => {
    context.imageSmoothingEnabled = true;
    context.drawImage(source, part.left, part.top, part.width, part.height, 0, 0, stage.width, stage.height);
    const [w, h] = [source.videoWidth || source.width, source.videoHeight || source.height];
    took = show(fit(source, w, h, part), announced);
  };
  const middle = (source) => centred(source.videoWidth || source.width, source.videoHeight || source.height, { width, height });

  const example = ({ pixels, name }, button) => {
    begin(button);
    const bytes = bytesOf(pixels), small = made("canvas");
    paintColours(small, coloured(bytes, channels), { count: 1, height, width, scale: 1, columns: 1 });
    context.imageSmoothingEnabled = false;
    context.drawImage(small, 0, 0, stage.width, stage.height);
    took = show(bytes, Boolean(button));
    if (button) say(`A test image of class ${name}.`);
  };
  const buttons = page.examples.filter(({ name }) => name).map((one) => {
    const small = made("canvas", { ariaHidden: "true" }), button = made("button", { type: "button", className: "example" }, small);
    button.setAttribute("aria-label", `Test image of ${one.name}`);
    button.setAttribute("aria-pressed", false);
    paintColours(small, coloured(bytesOf(one.pixels), channels), { count: 1, height, width, scale: 32 / Math.max(width, height), columns: 1 });
    button.addEventListener("click", () => example(one, button));
    return button;
  });
  byId("examples").append(...buttons);

  const file = async (given) => {
    const mine = begin(null);
    try {
      const image = await readFile(given);
      if (mine !== turn) return;
      put(image, middle(image), true);
      say(`${given.name}, ${image.width}×${image.height}, cropped about its centre.`);
    } catch (error) {
      say(error.message);
    }
  };
  byId("file").addEventListener("change", ({ target }) => {
    if (target.files[0]) file(target.files[0]);
    target.value = ""; // so that the same file can be chosen again
  });
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files[0]) file(event.dataTransfer.files[0]);
  });

  byId("camera").addEventListener("click", async ({ currentTarget: button }) => {
    const open = button.getAttribute("aria-pressed") === "true", mine = begin(open ? null : button);
    if (open) return;
    try {
      const close = await openCamera((video) => put(video, middle(video), false));
      if (mine === turn) stop = close;
      else close();
    } catch (error) {
      begin(null);
      say(error.message);
    }
  });

  byId("draw").addEventListener("click", ({ currentTarget: button }) => {
    begin(button);
    let waiting = false;
    const classified = (finished) => {
      waiting = false;
      const whole = { left: 0, top: 0, width: stage.width, height: stage.height };
      const gray = { bytes: inChannels(context.getImageData(0, 0, stage.width, stage.height).data, 1), ...whole };
      const part = page.drawing.share ? aroundInk(gray, page.drawing, { width, height }) : whole;
      took = show(fit(stage, stage.width, stage.height, part ?? whole), finished);
    };
    stop = openPad(stage, page.drawing, (finished) => {
      if (finished) classified(true);
      else if (!waiting && took < LIVE) {
        waiting = true;
        requestAnimationFrame(() => waiting && classified(false));
      }
    });
    classified(false);
    say("Draw with the mouse or a finger. Draw again to clear.");
  });
  example(page.examples[0], buttons[0]);
}

function main() {
  const page = JSON.parse(byId("program").textContent), [height, width, channels] = page.shape;
  const numbers = new Float32Array(bytesOf(page.numbers).buffer);
  const compute = (pixels) => run(page, numbers, scaled(pixels, channels, page.pixels));
  const classify = (pixels) => compute(pixels).at(-1);
  const fit = (source, w, h, part) =>
    resized({ bytes: inChannels(rgbaOf(source, w, h), channels), width: w, height: h, channels }, part, { width, height });
  connect(page, display(page, compute), fit);
  const found = apart(page.examples, classify), agree = found < AGREE;
  byId("agreement").textContent = agree ? `Scores agree with JAX to ${found.toExponential(0)} of the largest.` : `Scores differ from JAX's by ${found.toExponential(0)} of the largest.`;
  byId("agreement").classList.toggle("error", !agree);
  // what tests and people may use: classify(bytes), pixelsOf(image, width, height)
  window.jconv = { page, apart: found, classify, run: compute, pixelsOf: (source, w, h) => fit(source, w, h, centred(w, h, { width, height })) };
}

main();
