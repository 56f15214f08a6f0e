/** Both sound cards of the box: which, how loud, muted or not. */

import { setLevel, setPressed, setText, slide } from "./page_parts.js";

export class Sound {
  #input;
  #output;
  #setMaster;

  /** @param change called with what is to be changed, as `/api/audio` takes it */
  constructor(input, output, change) {
    this.#input = input;
    this.#output = output;
    this.#setMaster = slide(output.querySelector(".slider"), (masterVolume) => change({ masterVolume }));
    const toggle = (way, key) =>
      way.querySelector(".mute").addEventListener("click", ({ currentTarget }) =>
        change({ [key]: currentTarget.getAttribute("aria-pressed") !== "true" }),
      );
    toggle(input, "inputMuted");
    toggle(output, "muted");
  }

  /** @param audio as in the status */
  show({ input, output }) {
    show(this.#input, input, input.sends ? "" : "for the light only");
    show(this.#output, output, output.howling ? "turned down: it feeds back" : "");
    this.#input.querySelector(".mute").hidden = !input.sends;
    this.#setMaster(output.volume);
  }
}

function show(way, { card, problem, muted, peak_dbfs: peak }, remark) {
  const device = way.querySelector(".device");
  setText(device, [card ?? problem ?? "no card", card && remark].filter(Boolean).join(", "));
  way.dataset.card = String(card !== null);
  setPressed(way.querySelector(".mute"), muted);
  setLevel(way, card === null ? -120 : peak);
}
