/** The box's status as it changes, over server-sent events; by the rules of the daemon's `status/live.py`. */

const AGAIN_MS = 5000;

export class Live {
  #source = null;
  #timer = null;
  #status = null;
  #callbacks;

  /**
   * @param callbacks.changed called with the status and the set of its sections that may have changed
   * @param callbacks.strips called with {mac: Uint8Array of three bytes a pixel, empty where it shows its own state}
   * @param callbacks.connection called with true when the box is heard, with false when it is not any more
   * @param callbacks.refused called where the box wants to see the token
   */
  constructor(callbacks) {
    this.#callbacks = callbacks;
  }

  async open() {
    clearTimeout(this.#timer);
    this.#source?.close();
    const answer = await fetch("/status").catch(() => null);
    if (answer?.status === 401) return this.#callbacks.refused();
    if (!answer?.ok) return this.#later();
    this.#source = new EventSource("/events");
    this.#source.addEventListener("status", ({ data }) => this.#begin(JSON.parse(data)));
    this.#source.addEventListener("patch", ({ data }) => this.#go(JSON.parse(data)));
    this.#source.addEventListener("strips", ({ data }) => this.#callbacks.strips(decoded(JSON.parse(data))));
    this.#source.addEventListener("error", () => this.#failed());
  }

  #begin(status) {
    this.#status = status;
    this.#callbacks.connection(true);
    this.#callbacks.changed(status, new Set(Object.keys(status)));
  }

  #go(patch) {
    merge(this.#status, patch);
    this.#callbacks.changed(this.#status, new Set(Object.keys(patch)));
  }

  /** The browser tries again by itself, unless it was refused. */
  #failed() {
    this.#callbacks.connection(false);
    if (this.#source.readyState === EventSource.CLOSED) this.#later();
  }

  #later() {
    this.#callbacks.connection(false);
    this.#timer = setTimeout(() => this.open(), AGAIN_MS);
  }
}

/** RFC 7396, but for null: the status has keys that are null, and none that go. */
export function merge(target, patch) {
  for (const [name, value] of Object.entries(patch)) {
    const both = isObject(value) && isObject(target[name]);
    if (both) merge(target[name], value);
    else target[name] = value;
  }
  return target;
}

function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function decoded(strips) {
  return Object.fromEntries(
    Object.entries(strips).map(([mac, rgb]) => [mac, Uint8Array.from(atob(rgb), (character) => character.charCodeAt(0))]),
  );
}
