/** The LED strips as they shine: a dot a pixel, or one for several where they are many, and their glow. */

import { fill, setText } from "./page_parts.js";

const CELL_PX = 11; // at least
const STATES = {
  driven: "",
  listed: "not driven",
  foreign: "another program streams to it",
  absent: "does not answer",
  faulty: "answers oddly",
};

export class Strips {
  #list;
  #template;
  #items = new Map();

  constructor(list, template) {
    this.#list = list;
    this.#template = template;
    new ResizeObserver(() => this.#redraw()).observe(list);
  }

  /** @param controllers as in the status */
  show(controllers) {
    const shown = controllers.filter((one) => one.mac);
    fill(this.#list, shown, this.#items, {
      key: (one) => one.mac,
      make: () => new Strip(this.#template.content.firstElementChild.cloneNode(true)),
      show: (strip, one) => strip.describe(one),
    });
  }

  /** @param colours by MAC, three bytes a pixel */
  draw(colours) {
    for (const [mac, rgb] of Object.entries(colours)) this.#items.get(mac)?.draw(rgb);
  }

  #redraw() {
    for (const strip of this.#items.values()) strip.redraw();
  }
}

class Strip {
  #colours = new Uint8Array();
  #own = true;
  #about = null;

  constructor(element) {
    this.element = element;
    this.#paint();
  }

  describe(one) {
    this.#about = one;
    this.#caption();
  }

  draw(rgb) {
    this.#own = rgb.length === 0;
    this.#colours = rgb;
    this.#caption();
    this.#paint();
  }

  redraw() {
    this.#paint();
  }

  #caption() {
    const { name, state, reason, pixels, fps_sent: rate, error } = this.#about;
    const quiet = STATES[state] || (this.#own ? "shows its own state" : "");
    const why = state === "driven" ? "" : reason;
    const words = [`${pixels} LEDs`, quiet, why, error, state === "driven" && rate ? `${Math.round(rate)} frames a second` : ""];
    const about = words.filter(Boolean).join(" · ");
    const [title, detail] = this.element.querySelector(".caption").children;
    setText(title, name);
    setText(detail, about);
    const label = `Strip ${name}: ${quiet || "shines with the notes"}`;
    const leds = this.element.querySelector(".leds");
    if (leds.getAttribute("aria-label") !== label) leds.setAttribute("aria-label", label);
  }

  #paint() {
    const source = this.#own ? new Uint8Array(180) : this.#colours;
    const pixels = source.length / 3;
    const room = Math.max(8, Math.floor((this.element.clientWidth - 24) / CELL_PX));
    const cells = Math.min(pixels, room);
    const image = new ImageData(cells, 1);
    for (let cell = 0; cell < cells; cell += 1) image.data.set(mean(source, pixels, cell, cells), 4 * cell);
    for (const canvas of this.element.querySelectorAll("canvas")) {
      if (canvas.width !== cells) canvas.width = cells;
      canvas.getContext("2d").putImageData(lit(image, canvas.className), 0, 0);
    }
    this.element.querySelector(".dots").style.setProperty("--count", String(cells));
  }
}

/** The mean colour of the pixels that one cell stands for, with its alpha. */
function mean(rgb, pixels, cell, cells) {
  const [from, to] = [Math.floor((cell * pixels) / cells), Math.floor(((cell + 1) * pixels) / cells)];
  const sum = [0, 0, 0];
  for (let pixel = from; pixel < to; pixel += 1) for (let channel = 0; channel < 3; channel += 1) sum[channel] += rgb[3 * pixel + channel];
  return [...sum.map((value) => value / (to - from)), 255];
}

/** An LED that is off is still seen as a dot; its glow is not. */
function lit(image, layer) {
  if (layer !== "dots") return image;
  const seen = new ImageData(image.width, 1);
  for (let at = 0; at < image.data.length; at += 1) seen.data[at] = Math.max(image.data[at], at % 4 === 3 ? 255 : 30);
  return seen;
}
