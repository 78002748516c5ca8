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
  byId("columns").classList.toggle("nested", columns.some((column) => column.title.includes("/")));
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

/**
 * The large image that is classified. One way of giving it is open at a time: begin(button) ends what was open
 * and tells whether it is still the last; say(text) tells the reader; put(source) takes the middle of an image or
 * video, plain(pixels) what the net takes already, drawn() what lies on the stage.
 */
function stageOf(page, show, fit) {
  const [height, width, channels] = page.shape, canvas = byId("stage");
  const context = canvas.getContext("2d", { willReadFrequently: true });
  canvas.height = Math.round((canvas.width * height) / width);
  const stage = { canvas, took: 0, stop: () => {}, turn: 0 };
  stage.say = (text) => { byId("message").textContent = text; };
  stage.begin = (pressed) => {
    stage.stop();
    stage.stop = () => {};
    stage.say("");
    document.querySelectorAll(".picture [aria-pressed]").forEach((button) => button.setAttribute("aria-pressed", button === pressed));
    const turn = ++stage.turn;
    return () => turn === stage.turn;
  };
  stage.put = (source, announced) => {
    const [w, h] = [source.videoWidth || source.width, source.videoHeight || source.height];
    const part = centred(w, h, { width, height });
    context.imageSmoothingEnabled = true;
    context.fillStyle = "#fff";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(source, part.left, part.top, part.width, part.height, 0, 0, canvas.width, canvas.height);
    stage.took = show(fit(source, w, h, part), announced);
  };
  stage.plain = (pixels, announced) => {
    const small = made("canvas");
    paintColours(small, coloured(pixels, channels), { count: 1, height, width, scale: 1, columns: 1 });
    context.imageSmoothingEnabled = false;
    context.drawImage(small, 0, 0, canvas.width, canvas.height);
    stage.took = show(pixels, announced);
  };
  stage.drawn = (announced) => {
    const whole = { left: 0, top: 0, width: canvas.width, height: canvas.height };
    const rgba = context.getImageData(0, 0, canvas.width, canvas.height).data;
    const gray = { bytes: inChannels(rgba, 1), width: canvas.width, height: canvas.height };
    const ink = page.drawing.share && aroundInk(gray, page.drawing, { width, height });
    stage.took = show(fit(canvas, canvas.width, canvas.height, ink || whole), announced);
  };
  return stage;
}

/** A button for each test image; the first is shown. */
function offerExamples(page, stage) {
  const [height, width, channels] = page.shape, scale = 32 / Math.max(width, height);
  for (const { name, pixels } of page.examples.filter((one) => one.name)) {
    const small = made("canvas"), button = made("button", { type: "button", className: "example" }, small);
    const bytes = bytesOf(pixels);
    paintColours(small, coloured(bytes, channels), { count: 1, height, width, scale, columns: 1 });
    button.setAttribute("aria-label", `Test image of ${name}`);
    button.setAttribute("aria-pressed", false);
    button.addEventListener("click", () => {
      stage.begin(button);
      stage.plain(bytes, true);
      stage.say(`A test image of ${name}.`);
    });
    byId("examples").append(button);
  }
  byId("examples").firstChild?.setAttribute("aria-pressed", true);
  stage.plain(bytesOf(page.examples[0].pixels), false);
}

/** Files, chosen or dropped on the page. */
function offerFiles(stage) {
  const take = async (file) => {
    const last = stage.begin(null);
    try {
      const image = await readFile(file);
      if (!last()) return;
      stage.put(image, true);
      stage.say(`${file.name}, ${image.width}×${image.height}, its middle.`);
    } catch (error) {
      if (last()) stage.say(error.message);
    }
  };
  byId("file").addEventListener("change", ({ target }) => {
    if (target.files[0]) take(target.files[0]);
    target.value = ""; // so that the same file can be chosen again
  });
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files[0]) take(event.dataTransfer.files[0]);
  });
}

function offerCamera(stage) {
  byId("camera").addEventListener("click", async ({ currentTarget: button }) => {
    const open = button.getAttribute("aria-pressed") === "true", last = stage.begin(open ? null : button);
    if (open) return;
    try {
      const close = await openCamera((video) => last() && stage.put(video, false));
      if (!last()) return close();
      stage.stop = close;
      stage.say("Live. Camera again to stop.");
    } catch (error) {
      if (!last()) return;
      stage.begin(null);
      stage.say(error.message);
    }
  });
}

function offerPad(page, stage) {
  byId("draw").addEventListener("click", ({ currentTarget: button }) => {
    stage.begin(button);
    let waiting = false;
    const classified = (finished) => {
      waiting = false;
      stage.drawn(finished);
    };
    stage.stop = openPad(stage.canvas, page.drawing, (finished) => {
      if (finished) classified(true);
      else if (!waiting && stage.took < LIVE) {
        waiting = true;
        requestAnimationFrame(() => waiting && classified(false));
      }
    });
    classified(false);
    stage.say("Draw with the mouse or a finger. Draw again to clear.");
  });
}

function main() {
  const page = JSON.parse(byId("program").textContent), [height, width, channels] = page.shape;
  const numbers = new Float32Array(bytesOf(page.numbers).buffer);
  const compute = (pixels) => run(page, numbers, scaled(pixels, channels, page.pixels));
  const classify = (pixels) => compute(pixels).at(-1);
  const fit = (source, w, h, part) =>
    resized({ bytes: inChannels(rgbaOf(source, w, h), channels), width: w, height: h, channels }, part, { width, height });
  const stage = stageOf(page, display(page, compute), fit);
  offerExamples(page, stage);
  offerFiles(stage);
  offerCamera(stage);
  offerPad(page, stage);
  const found = apart(page.examples, classify), far = `${found.toExponential(0)} of the largest`;
  byId("agreement").textContent = found < AGREE ? `Scores agree with JAX to ${far}.` : `Scores differ from JAX's by ${far}.`;
  byId("agreement").classList.toggle("error", !(found < AGREE));
  // what tests and people may use: classify(bytes), pixelsOf(image, width, height)
  window.jconv = { page, apart: found, classify, run: compute, pixelsOf: (source, w, h) => fit(source, w, h, centred(w, h, { width, height })) };
}

main();
