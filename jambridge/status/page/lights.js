/** Effect, mode, brightness and zones of the lights, until the box starts again. */

import { ask, RefusalError, Sender } from "./api.js";
import { fill, offer, setText, slide } from "./page_parts.js";

const EFFECTS = [
  ["notes", "Notes"],
  ["roll", "Piano roll"],
  ["chord", "Chord"],
  ["wash", "Wash"],
  ["spectrum", "Spectrum"],
  ["vu", "Level"],
  ["beat", "Beat"],
  ["scroll", "Scroll"],
];
const MODES = [
  ["auto", "What is heard, else the host"],
  ["local", "What is heard"],
  ["broadcast", "The host"],
];
const EVERYONE = [
  ["*", "Everyone"],
  ["self", "This box"],
];
const NONE = "Without zones, everyone’s notes share every strip.";
const SOME = "Each zone shows one player’s notes on a part of a strip.";

export class Lights {
  #parts;
  #sender;
  #setBrightness;
  #items = new Map();
  #zones = [];
  #sending = 0;
  #status = null;
  #seen = "";
  #problem;

  /** @param parts the elements: effect, mode, brightness, zones, zoneTemplate, count, hint, add, problem */
  constructor(parts) {
    this.#parts = parts;
    this.#problem = (words) => setText(parts.problem, words);
    this.#sender = new Sender("/api/light", this.#problem);
    this.#setBrightness = slide(parts.brightness, (brightness) => this.#sender.send({ brightness }));
    parts.effect.addEventListener("change", () => this.#sender.send({ effect: parts.effect.value }));
    parts.mode.addEventListener("change", () => this.#sender.send({ mode: parts.mode.value }));
    parts.add.addEventListener("click", () => this.#add());
    offer(parts.effect, EFFECTS, "notes");
    offer(parts.mode, MODES, "auto");
  }

  /** @param status the whole */
  show(status) {
    this.#status = status;
    const { effect, wanted, brightness, zones } = status.light;
    offer(this.#parts.effect, EFFECTS, effect);
    offer(this.#parts.mode, MODES, wanted);
    this.#parts.mode.disabled = wanted === "off"; // the configuration's alone
    this.#setBrightness(brightness);
    const seen = JSON.stringify(zones);
    if (seen !== this.#seen) this.#read();
    this.#seen = seen;
    this.#draw();
  }

  /** The zones as they may be changed: those of the configuration, without what is derived. */
  async #read() {
    try {
      const { zones } = await ask("/api/light");
      if (!this.#sending) this.#zones = zones; // else there is a newer wish
    } catch (error) {
      if (!(error instanceof RefusalError)) throw error;
      this.#problem(error.message);
    }
    this.#draw();
  }

  #draw() {
    const { zones, zoneTemplate, count, hint, add } = this.#parts;
    fill(zones, this.#zones.map((zone, place) => ({ zone, place })), this.#items, {
      key: ({ place }) => place,
      make: ({ place }) => this.#made(zoneTemplate.content.firstElementChild.cloneNode(true), place),
      show: ({ element }, { zone }) => this.#show(element, zone),
    });
    setText(count, this.#zones.length ? `(${this.#zones.length})` : "");
    setText(hint, this.#zones.length ? SOME : NONE);
    add.disabled = this.#controllers().length === 0;
  }

  #made(element, place) {
    element.setAttribute("aria-label", `Zone ${place + 1}`);
    element.querySelector("button").addEventListener("click", () => this.#put(this.#zones.toSpliced(place, 1)));
    element.querySelector("button").setAttribute("aria-label", `Remove zone ${place + 1}`);
    for (const control of element.querySelectorAll("[data-key]"))
      control.addEventListener("change", () => this.#change(place, control.dataset.key, control));
    return { element };
  }

  #show(element, zone) {
    const { room, light } = this.#status;
    const control = (key) => element.querySelector(`[data-key="${key}"]`);
    const players = [...new Set(room.participants.filter((one) => one.sends && !one.self).map((one) => one.name))];
    offer(control("player"), [...EVERYONE, ...players.map((name) => [name, name])], zone.player);
    offer(control("controller"), this.#controllers(), zone.controller);
    offer(control("effect"), [["", "As all"], ...EFFECTS], zone.effect ?? "");
    for (const key of ["start", "stop"]) {
      const words = zone[key] === null ? "" : String(zone[key]);
      if (control(key) !== document.activeElement && control(key).value !== words) control(key).value = words;
    }
    const same = (one) => one.player === zone.player && one.controller === zone.controller && one.start === zone.start;
    setText(element.querySelector(".problem"), light.zones.find(same)?.problem ?? "");
  }

  #controllers() {
    const names = (this.#status?.light.controllers ?? []).map((one) => one.name);
    return [...new Set(names)].map((name) => [name, name]);
  }

  #change(place, key, control) {
    const numeric = key === "start" || key === "stop";
    const empty = { start: 0, stop: null, effect: null }[key];
    const value = control.value === "" ? empty : numeric ? Math.trunc(control.valueAsNumber) : control.value;
    this.#put(this.#zones.with(place, { ...this.#zones[place], [key]: value }));
  }

  #add() {
    const [[controller]] = this.#controllers();
    this.#put([...this.#zones, { player: "*", controller, start: 0, stop: null, reverse: false, mirror: false, effect: null }]);
  }

  /** The next change builds on this one, whether or not it has arrived; what is refused is read back. */
  async #put(zones) {
    this.#zones = zones;
    this.#sending += 1;
    try {
      await this.#sender.send({ zones });
    } finally {
      this.#sending -= 1;
    }
    await this.#read();
  }
}
