// The net as text: changed and started; and snapshots of it, saved and loaded.

import { ask, showing } from "./api.js";

const FORMS = { layers: "a list of layers", pattern: "a pattern", json: "JSON" };

function download(blob, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

/** The parts of the page that change the net. `net(message)` is to be called for each net. */
export function editNet(page) {
  const text = page("text"), form = page("form"), preset = page("preset");
  let texts = {}, edited = false;
  let settings = null; // that a link brought with its net

  function write() {
    text.value = texts[form.value] ?? "";
    edited = false;
  }

  text.addEventListener("input", () => (edited = true));
  form.addEventListener("change", () => {
    preset.value = "";
    write();
  });
  preset.addEventListener("change", () => {
    if (!preset.value) return write();
    text.value = preset.value;
    form.value = "pattern";
    edited = true;
  });
  page("network").addEventListener("submit", async (event) => {
    event.preventDefault();
    const wanted = { text: text.value, optimizer: page("optimizer").value };
    const done = await showing(page("network-error"), () =>
      ask("network", wanted).catch((error) => {
        if (error.at !== undefined) {
          text.focus();
          text.setSelectionRange(error.at, error.at + 1);
        }
        throw error;
      }),
    );
    if (!done) return;
    edited = false;
    preset.value = "";
    if (settings) await showing(page("network-error"), () => ask("settings", settings));
    settings = null;
  });
  page("share").addEventListener("click", async () => {
    const parts = new URLSearchParams({ net: text.value, optimizer: page("optimizer").value });
    for (const field of page("settings").elements) parts.set(field.name, field.value);
    history.replaceState(null, "", `#${parts}`);
    await navigator.clipboard?.writeText(location.href).catch(() => {});
  });

  const error = page("snapshot-error");
  for (const button of document.querySelectorAll("[data-save]"))
    button.addEventListener("click", async () => {
      const kind = button.dataset.save;
      const response = await showing(error, () => ask(`save?form=${kind}`));
      if (response) download(await response.blob(), kind === "jconv" ? "snapshot.safetensors" : "snapshot.json");
    });
  page("load").addEventListener("change", async (event) => {
    const [file] = event.target.files;
    event.target.value = "";
    if (file) await showing(error, () => ask("load", file));
  });
  page("json-show").addEventListener("click", async () => {
    const response = await showing(error, () => ask("save?form=convnetjs"));
    if (response) page("json").value = await response.text();
  });
  page("json-load").addEventListener("click", () => showing(error, () => ask("load", page("json").value)));

  return {
    net(message) {
      texts = message.texts;
      const kept = form.value;
      form.replaceChildren(...Object.keys(texts).map((name) => new Option(FORMS[name], name)));
      if (kept in texts) form.value = kept;
      page("optimizer").value = message.optimizer;
      if (!edited) write();
    },
    /** A net that a link brought: written, not started. */
    propose(given) {
      text.value = given.get("net");
      page("optimizer").value = given.get("optimizer") ?? page("optimizer").value;
      settings = Object.fromEntries(
        ["learning_rate", "momentum", "weight_decay"].filter((name) => given.has(name)).map((name) => [name, Number(given.get(name))]),
      );
      page("editor").open = edited = true;
    },
  };
}
