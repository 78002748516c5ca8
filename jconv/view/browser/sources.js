// Where images come from: files, the camera, and a pad to draw on.

const LARGEST_FILE = 40e6; // bytes
const LARGEST_IMAGE = 40e6; // pixels

/** The image in a file, turned as its camera says. Rejects with what to tell the reader. */
export async function readFile(file) {
  const name = file.name || "This";
  if (file.size > LARGEST_FILE)
    throw new Error(`${name} has ${Math.round(file.size / 1e6)} MB, at most ${LARGEST_FILE / 1e6} were expected.`);
  const image = await createImageBitmap(file, { imageOrientation: "from-image" }).catch(() => {
    throw new Error(`${name} is not an image that this browser reads. Choose a JPEG, PNG or WebP file.`);
  });
  const megapixels = (image.width * image.height) / 1e6;
  if (megapixels <= LARGEST_IMAGE / 1e6) return image;
  image.close();
  throw new Error(`${name} has ${Math.round(megapixels)} megapixels, at most ${LARGEST_IMAGE / 1e6} were expected.`);
}

/** The pixels of an image, video or canvas, transparency laid over white. @returns {Uint8ClampedArray} RGBA */
export function rgbaOf(source, width, height) {
  const canvas = new OffscreenCanvas(width, height), context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "#fff";
  context.fillRect(0, 0, width, height);
  context.drawImage(source, 0, 0, width, height);
  return context.getImageData(0, 0, width, height).data;
}

/**
 * Show the camera frame by frame, show(video), until stop() is called. Rejects with what to tell the reader.
 * @returns {Promise<() => void>} stop
 */
export async function openCamera(show) {
  if (!navigator.mediaDevices?.getUserMedia) throw new Error("This browser gives pages no camera. Use a file instead.");
  const stream = await navigator.mediaDevices
    .getUserMedia({ video: { width: { ideal: 640 }, facingMode: "environment" } })
    .catch((error) => {
      const refused = error.name === "NotAllowedError";
      throw new Error(refused ? "The camera was not allowed." : "There is no camera here. Use a file instead.");
    });
  const video = Object.assign(document.createElement("video"), { srcObject: stream, muted: true, playsInline: true });
  await video.play();
  let open = true;
  const next = () => {
    if (!open) return;
    if (video.videoWidth) show(video);
    requestAnimationFrame(next);
  };
  next();
  return () => {
    open = false;
    stream.getTracks().forEach((track) => track.stop());
  };
}

/**
 * Make a canvas a pad to draw on; drawn(finished) is called for every stroke, and when it ends.
 * @returns {() => void} what makes it a plain canvas again
 */
export function openPad(canvas, { dark }, drawn) {
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = dark ? "#000" : "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  Object.assign(context, { strokeStyle: dark ? "#fff" : "#000", lineCap: "round", lineJoin: "round" });
  context.lineWidth = canvas.width / 8; // as thick as pens are on most scans of digits
  const at = ({ offsetX, offsetY }) => [
    (offsetX * canvas.width) / canvas.clientWidth, (offsetY * canvas.height) / canvas.clientHeight];
  const closed = new AbortController(), listen = { signal: closed.signal };
  let last = null;
  const go = (event) => {
    if (!last) return;
    const here = at(event);
    context.beginPath();
    context.moveTo(...last);
    context.lineTo(...here);
    context.stroke();
    last = here;
    drawn(false);
  };
  const end = () => {
    if (last) drawn(true);
    last = null;
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    last = at(event);
    go(event);
  }, listen);
  canvas.addEventListener("pointermove", go, listen);
  canvas.addEventListener("pointerup", end, listen);
  canvas.addEventListener("pointercancel", end, listen);
  canvas.classList.add("pad");
  return () => {
    closed.abort();
    canvas.classList.remove("pad");
  };
}
