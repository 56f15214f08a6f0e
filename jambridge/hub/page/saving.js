/**
 * Saves the session while we host it: at once, then every 30 s if something changed, to the hub's own database.
 *
 * A write names the revision it follows; where somebody else has written meanwhile it is read again. Nothing here
 * disturbs the musician: what fails is tried again.
 */

import { duration, revision, snapshot } from "./stored.js";

const EVERY_MS = 30_000;
const FIRST_RETRY_MS = 2000;
const TIMEOUT_MS = 5000;
const TRIES = 3;
const TABLE = "/rest/v1/sessions";
const REVISION = "state->metadata->>revision";

export class Saver {
  #code;
  #look;
  #found;
  #row; // what is stored; null for nothing, undefined for unknown
  #failures = 0;
  #timer = null;
  #hosting = false;
  #busy = false;
  #began = 0;
  #minutes = 0; // before we hosted

  /**
   * @param code the room's, the row's id
   * @param look gives {state, participants} of this moment
   * @param found called with the row, {created_at, state}, that is there when we begin to host, if there is one
   */
  constructor(code, { look, found }) {
    this.#code = code;
    this.#look = look;
    this.#found = found;
  }

  /** Whether we host the session, with a hub to save it at. */
  hosting(hosting) {
    if (hosting === this.#hosting) return;
    this.#hosting = hosting;
    this.#row = undefined;
    clearTimeout(this.#timer);
    if (hosting) this.#turn();
  }

  /** A last time, while the page goes away: one request, if we know what it follows. */
  close() {
    if (this.#hosting && this.#row) this.#write({ keepalive: true }).catch(() => {});
    this.#hosting = false;
    clearTimeout(this.#timer);
  }

  async #turn() {
    if (this.#busy) return this.#again(FIRST_RETRY_MS);
    this.#busy = true;
    try {
      await this.#save();
      this.#failures = 0;
    } catch {
      this.#row = undefined; // whether it was written is not known
      this.#failures += 1;
    }
    this.#busy = false;
    return this.#again(this.#failures ? Math.min(FIRST_RETRY_MS * 2 ** (this.#failures - 1), EVERY_MS) : EVERY_MS);
  }

  #again(delayMs) {
    clearTimeout(this.#timer);
    if (this.#hosting) this.#timer = setTimeout(() => this.#turn(), delayMs);
  }

  async #save() {
    for (let tries = 0; tries < TRIES && this.#hosting; tries += 1) {
      if (this.#row === undefined) await this.#read();
      if (!this.#hosting || (await this.#write())) return;
      this.#row = undefined;
    }
  }

  async #read() {
    const [found] = await this.#ask("GET", { id: `eq.${this.#code}`, select: "created_at,state" });
    this.#row = found?.state ?? null;
    this.#minutes = duration(this.#row);
    this.#began = performance.now();
    if (found && this.#hosting) this.#found(found);
  }

  /** False where somebody else has written. */
  async #write(options = {}) {
    const minutes = this.#minutes + Math.floor((performance.now() - this.#began) / 60_000);
    const state = snapshot(this.#row, { ...this.#look(), minutes, wall: new Date() });
    if (state === null) return true;
    const written = await (this.#row === null ? this.#insert(state) : this.#replace(state, options));
    if (written) this.#row = state;
    return written;
  }

  async #insert(state) {
    const prefer = "return=representation,resolution=ignore-duplicates";
    return (await this.#ask("POST", { select: "id" }, { body: { id: this.#code, state }, prefer })).length > 0;
  }

  async #replace(state, options) {
    const known = revision(this.#row);
    const query = { id: `eq.${this.#code}`, [REVISION]: known === null ? "is.null" : `eq.${known}`, select: "id" };
    return (await this.#ask("PATCH", query, { body: { state }, prefer: "return=representation", ...options })).length > 0;
  }

  /** The rows that the hub answers; throws where it does not. */
  async #ask(method, query, { body, prefer, keepalive = false } = {}) {
    const headers = { apikey: "lan", ...(body ? { "Content-Type": "application/json", Prefer: prefer } : {}) };
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const text = body && JSON.stringify(body);
    const answer = await fetch(`${TABLE}?${new URLSearchParams(query)}`, { method, headers, body: text, signal, keepalive });
    const rows = answer.ok ? await answer.json() : null;
    if (!Array.isArray(rows)) throw new Error(`the hub answers ${answer.status}`);
    return rows;
  }
}
