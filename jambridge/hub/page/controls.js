/** Tempo, key, scale, colours and play: what the room agrees on, shown and changed. */

import { COLOR_MODES } from "./state.js";
import { Tap, withinReach } from "./tap.js";

const ANNOUNCE_MS = 700; // after the last of many changes
const KEYS = ["C", "C#", "Db", "D", "D#", "Eb", "E", "F", "F#", "Gb", "G", "G#", "Ab", "A", "A#", "Bb", "B"];
const SCALES = [
  "major",
  "minor",
  "dorian",
  "phrygian",
  "lydian",
  "mixolydian",
  "locrian",
  "harmonic minor",
  "melodic minor",
  "major pentatonic",
  "minor pentatonic",
  "blues",
  "chromatic",
];
const CHOICES = Object.freeze({ key: KEYS, scale: SCALES, colorMode: COLOR_MODES });

/** A field as a sentence's beginning. */
const WORDS = Object.freeze({
  tempo: (value) => `Tempo ${value}`,
  key: (value) => `Key ${spelled(value).replace("♯", " sharp").replace("♭", " flat")}`,
  scale: (value) => `Scale ${value}`,
  colorMode: (value) => `Colours ${value}`,
  isPlaying: (value) => (value ? "Playing" : "Stopped"),
});

export class Controls {
  #group;
  #change;
  #announce;
  #tap = new Tap();
  #state = null;
  #typing = false; // a number that is not finished
  #news = new Map();
  #timer = null;
  #listening = new AbortController();

  /**
   * @param group the element that holds them
   * @param change called with a field and the value that a person has given it
   * @param announce called with what a screen reader should say
   */
  constructor(group, { change, announce }) {
    this.#group = group;
    this.#change = change;
    this.#announce = announce;
    for (const [field, values] of Object.entries(CHOICES)) this.#offer(field, values);
    this.#listen();
  }

  /** @param author gives the name of who set a field, or null where that was ourselves or nobody */
  show(state, author) {
    const before = this.#state;
    this.#state = state;
    const { tempo, isPlaying } = state.values;
    if (!this.#typing) this.#input("tempo").value = String(Math.round(tempo * 10) / 10);
    for (const field of Object.keys(CHOICES)) this.#select(field, state.value(field));
    this.#input("isPlaying").dataset.playing = String(isPlaying);
    this.#input("isPlaying").querySelector(".words").textContent = isPlaying ? "Stop" : "Start";
    if (before === null) return;
    for (const field of Object.keys(WORDS)) {
      const name = state.value(field) === before.value(field) ? null : author(field);
      if (name !== null) this.#tell(field, `${WORDS[field](state.value(field))}, by ${name}.`);
    }
  }

  close() {
    clearTimeout(this.#timer);
    this.#listening.abort();
  }

  #listen() {
    const on = (target, event, action) => target.addEventListener(event, action, { signal: this.#listening.signal });
    const tempo = this.#input("tempo");
    for (const field of Object.keys(CHOICES))
      on(this.#input(field), "change", ({ target }) => this.#change(field, target.value));
    on(this.#input("isPlaying"), "click", () => this.#change("isPlaying", !this.#state.value("isPlaying")));
    on(tempo, "input", () => {
      this.#typing = true;
    });
    on(tempo, "change", () => this.#typed(tempo.valueAsNumber));
    on(tempo, "blur", () => this.#typed(NaN));
    for (const button of this.#group.querySelectorAll("[data-step]"))
      on(button, "click", () => this.#setTempo(Math.round(this.#state.value("tempo")) + Number(button.dataset.step)));
    const tap = this.#group.querySelector("[data-tap]");
    on(tap, "pointerdown", ({ timeStamp }) => this.#tapped(timeStamp));
    on(tap, "click", ({ detail, timeStamp }) => detail === 0 && this.#tapped(timeStamp)); // by the keyboard
  }

  /** What is no number leaves the tempo as it is. */
  #typed(tempo) {
    this.#typing = false;
    if (Number.isFinite(tempo)) this.#setTempo(tempo);
    else this.show(this.#state, () => null);
  }

  #tapped(at) {
    const tempo = this.#tap.at(at);
    if (tempo !== null) this.#setTempo(tempo);
  }

  #setTempo(tempo) {
    this.#change("tempo", withinReach(tempo));
  }

  #input(field) {
    return this.#group.querySelector(`[data-field="${field}"]`);
  }

  #offer(field, values) {
    this.#input(field).replaceChildren(...values.map((value) => new Option(spelled(value), value)));
  }

  /** A value of another program's is one more to choose. */
  #select(field, value) {
    const select = this.#input(field);
    if (![...select.options].some((option) => option.value === value)) {
      this.#offer(field, [...CHOICES[field], value]);
    }
    select.value = value;
  }

  #tell(field, sentence) {
    this.#news.set(field, sentence);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#announce([...this.#news.values()].join(" "));
      this.#news.clear();
    }, ANNOUNCE_MS);
  }
}

/** As it is printed: signs for accidentals, a capital to begin with. */
function spelled(value) {
  if (/^[A-G][#b]?$/.test(value)) return value.replace("#", "♯").replace("b", "♭");
  return value.charAt(0).toUpperCase() + value.slice(1);
}
