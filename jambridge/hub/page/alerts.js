/** Alerts on the page: a sentence of the contract with its cause beside it. They come and go with their cause. */

import { TEXTS } from "./texts.js";

export class Alerts {
  #list;
  #shown = new Map();

  constructor(list) {
    this.#list = list;
  }

  /** Show the alert `code`, or change the cause beside it. */
  raise(code, cause = "") {
    const item = this.#shown.get(code) ?? this.#add(code);
    const [, detail] = item.children;
    if (detail.textContent !== cause) detail.textContent = cause;
  }

  clear(code) {
    this.#shown.get(code)?.remove();
    this.#shown.delete(code);
  }

  set(code, cause) {
    if (cause === null) this.clear(code);
    else this.raise(code, cause);
  }

  clearAll() {
    for (const code of [...this.#shown.keys()]) this.clear(code);
  }

  #add(code) {
    const item = document.createElement("li");
    item.dataset.code = code;
    item.append(document.createElement("strong"), document.createElement("span"));
    item.firstChild.textContent = TEXTS[code];
    this.#list.append(item);
    this.#shown.set(code, item);
    return item;
  }
}
