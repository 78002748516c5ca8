// Answers of the net as bars: of test images, and of an image of one's own.

import { paintColours } from "./maps.js";
import { ask, bytes, showing } from "./api.js";
import { element } from "./dom.js";
import { paint } from "./layers.js";

const LINE = 18; // pixels of the pen

/** Bars of the best classes, each [class, probability]; the true class, if known, is marked. */
export function bars(best, classes, truth) {
  return best.map(([k, p]) => {
    const bar = element("i", { className: truth === undefined || k === truth ? "right" : "wrong" });
    bar.style.width = `${100 * p}%`;
    const percent = `${(100 * p).toFixed(p > 0.995 || p < 0.1 ? 1 : 0)} %`;
    return element("div", { className: "answer" }, element("span", { textContent: classes[k] }), element("span", { className: "track" }, bar), element("span", { textContent: percent }));
  });
}

export function paintImage(canvas, image, side) {
  const scale = Math.max(1, Math.round(side / Math.max(image.height, image.width)));
  paintColours(canvas, bytes(image.data), { count: 1, height: image.height, width: image.width, scale, columns: 1 });
}

/** The test images of a message, each with the net's answers. */
export function showPredictions(place, shown, classes) {
  while (place.children.length < shown.length) {
    const canvas = element("canvas");
    place.append(element("div", { className: "prediction" }, canvas, element("div")));
  }
  shown.forEach(({ image, label, best }, i) => {
    const [canvas, answers] = place.children[i].children;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `test image of ${classes[label]}`);
    paintImage(canvas, image, 64);
    answers.replaceChildren(...bars(best, classes, label));
  });
}

/** The part of the page in which one draws, or chooses a file. */
export function tryImages(page, classes) {
  const canvas = page("drawing"), context = canvas.getContext("2d");
  let last = null;

  function erase() {
    context.fillStyle = "black";
    context.fillRect(0, 0, canvas.width, canvas.height);
  }

  function forget(error = "") {
    page("try-error").textContent = error;
    page("answer").replaceChildren();
    for (const name of ["seen", "saliency"]) page(name).width = page(name).height = 1;
  }

  async function classify(blob, kind) {
    const response = await showing(page("try-error"), () => ask(`classify?kind=${kind}`, blob));
    if (!response) return forget(page("try-error").textContent);
    const { image, saliency, best } = await response.json();
    paintImage(page("seen"), image, 96);
    paint(page("saliency"), saliency, 400, Math.max(1, Math.round(96 / Math.max(saliency.height, saliency.width))));
    page("answer").replaceChildren(...bars(best, classes()));
  }

  function place(event) {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) * canvas.width) / box.width, ((event.clientY - box.top) * canvas.height) / box.height];
  }

  function line(to) {
    context.strokeStyle = "white";
    context.lineWidth = LINE;
    context.lineCap = context.lineJoin = "round";
    context.beginPath();
    context.moveTo(...(last ?? to));
    context.lineTo(...to);
    context.stroke();
    last = to;
  }

  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    line(place(event));
  });
  canvas.addEventListener("pointermove", (event) => last && line(place(event)));
  for (const end of ["pointerup", "pointercancel"])
    canvas.addEventListener(end, () => {
      if (!last) return;
      last = null;
      canvas.toBlob((blob) => classify(blob, "drawing"));
    });
  page("erase").addEventListener("click", () => {
    erase();
    forget();
  });
  page("upload").addEventListener("change", (event) => {
    const [file] = event.target.files;
    if (file) classify(file, "file");
    event.target.value = "";
  });
  erase();
}
