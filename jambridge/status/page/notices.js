/** Alerts of the box: what is wrong, why, and what to do about it. They come and go with their cause. */

import { fill, setText } from "./page_parts.js";

export class Notices {
  #list;
  #items = new Map();

  constructor(list) {
    this.#list = list;
  }

  /** @param alerts as in the status; `code` tells them apart */
  show(alerts) {
    fill(this.#list, alerts, this.#items, { key: ({ code }) => code, make, show });
  }
}

function make() {
  const element = document.createElement("li");
  element.append(...["strong", "span", "span"].map((name) => document.createElement(name)));
  return { element };
}

function show({ element }, { code, text, cause, remedy }) {
  const [title, why, what] = element.children;
  element.dataset.code = code;
  setText(title, text);
  setText(why, cause);
  setText(what, remedy ?? "");
}
