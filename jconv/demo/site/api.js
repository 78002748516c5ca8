// How a page talks to the demo: questions with its token, and the events that it listens to.

const token = document.querySelector('meta[name="token"]').content;

/** What the demo refused, with the place in a text where there is one. */
export class Refused extends Error {
  constructor(answer) {
    super(answer.error);
    this.at = answer.at;
  }
}

/**
 * Ask the demo to do something; throws Refused with its words.
 * @param {string} name of the action, with parameters: "save?form=jconv"
 * @param {object|Blob|string} body JSON, or a file as it is
 * @returns {Promise<Response>}
 */
export async function ask(name, body = {}) {
  const raw = body instanceof Blob || typeof body === "string";
  let response;
  try {
    response = await fetch(`/api/${name}`, {
      method: "POST",
      headers: { "X-Token": token },
      body: raw ? body : JSON.stringify(body),
    });
  } catch {
    throw new Refused({ error: "the demo does not answer; was it ended?" });
  }
  if (!response.ok) {
    const answer = await response.json().catch(() => ({ error: `the demo failed (${response.status})` }));
    throw new Refused(answer);
  }
  return response;
}

/** Do something and show what goes wrong in an element; its text is emptied first. */
export async function showing(place, act) {
  place.textContent = "";
  try {
    return await act();
  } catch (error) {
    place.textContent = error.message;
    if (!(error instanceof Refused)) throw error;
    return undefined;
  }
}

/**
 * Listen to the demo: one function for each kind of event, called with its data; `lost` when the
 * connection breaks. The browser connects again by itself.
 */
export function listen(heard, lost) {
  const source = new EventSource(`/events?token=${encodeURIComponent(token)}`);
  for (const [kind, hear] of Object.entries(heard))
    source.addEventListener(kind, (event) => hear(JSON.parse(event.data)));
  source.onerror = () => lost();
}

/** The bytes of a base64 text. */
export function bytes(text) {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}
