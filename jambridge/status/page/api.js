/** What the page asks of the box, and its refusals in words. */

import { merge } from "./live.js";

export class RefusalError extends Error {}

/** GET; throws RefusalError. */
export function ask(path) {
  return answered(fetch(path));
}

/** POST of JSON; throws RefusalError. */
export function tell(path, body = {}) {
  return answered(
    fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }),
  );
}

async function answered(asking) {
  const answer = await asking.catch(() => {
    throw new RefusalError("The box does not answer.");
  });
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new RefusalError(sentence(said.error ?? answer.statusText));
  return said;
}

function sentence(words) {
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}${/[.!?)]$/.test(words) ? "" : "."}`;
}

/** Values that a person is changing: the newest is sent when the one before has been answered. */
export class Sender {
  #path;
  #failed;
  #waiting = null;
  #sending = false;

  /** @param failed called with a sentence, or with "" when all is well again */
  constructor(path, failed) {
    this.#path = path;
    this.#failed = failed;
  }

  /** Merged into what waits. */
  async send(values) {
    this.#waiting = merge(this.#waiting ?? {}, values);
    if (this.#sending) return;
    this.#sending = true;
    try {
      while (this.#waiting) await this.#next();
    } finally {
      this.#sending = false;
    }
  }

  async #next() {
    const next = this.#waiting;
    this.#waiting = null;
    try {
      await tell(this.#path, next);
      this.#failed("");
    } catch (error) {
      if (!(error instanceof RefusalError)) throw error;
      this.#failed(error.message);
    }
  }
}
