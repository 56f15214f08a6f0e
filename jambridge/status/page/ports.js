/** The box's MIDI: its ports, and that something goes through them. */

import { setText } from "./page_parts.js";

const LIT_MS = 250;

export class Ports {
  #parts;
  #counts = new Map();

  /** @param parts the elements: inputs, outputs, sent, received, problem */
  constructor(parts) {
    this.#parts = parts;
  }

  /** @param midi as in the status */
  show({ inputs, outputs, sent, received, problem }) {
    setText(this.#parts.inputs, inputs.join(", ") || "none");
    setText(this.#parts.outputs, outputs.join(", ") || "none");
    setText(this.#parts.problem, problem ?? "");
    this.#count(this.#parts.sent, sent);
    this.#count(this.#parts.received, received);
  }

  #count(element, count) {
    const before = this.#counts.get(element)?.count ?? count;
    if (count === before && this.#counts.has(element)) return;
    clearTimeout(this.#counts.get(element)?.timer);
    setText(element.querySelector("b"), String(count));
    element.dataset.active = String(count !== before);
    const timer = setTimeout(() => {
      element.dataset.active = "false";
    }, LIT_MS);
    this.#counts.set(element, { count, timer });
  }
}
