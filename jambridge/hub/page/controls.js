/** Tempo, key, scale, colours and play: what the room agrees on, shown and changed. */

import { COLOR_MODES, TEMPO_BPM } from "./state.js";
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
const RANGE = `The tempo goes from ${TEMPO_BPM[0]} to ${TEMPO_BPM[1]} BPM.`;
const NOT_ALLOWED = "Only the host changes tempo and key here.";
const CHOICES = Object.freeze({ key: KEYS, scale: SCALES, colorMode: COLOR_MODES });

/** A field as a sentence's beginning. */
const WORDS = Object.freeze({
  tempo: (value) => `Tempo ${value}`,
  key: (value) => `Key ${spelled(value).replace("♯", " sharp").replace("♭", " flat")}`,
  scale: (value) => `Scale ${readable(value)}`,
  colorMode: (value) => `Colours ${value}`,
  isPlaying: (value) => (value ? "Playing" : "Stopped"),
});

export class Controls {
  #group;
  #note;
  #change;
  #announce;
  #tap = new Tap();
  #state = null;
  #typing = false; // a number that is not finished
  #news = new Map();
  #timer = null;
  #listening = new AbortController();

  /**
   * @param group the fieldset that holds them
   * @param note the element for a sentence about them
   * @param change called with a field and the value that a person has given it
   * @param announce called with what a screen reader should say
   */
  constructor(group, note, { change, announce }) {
    this.#group = group;
    this.#note = note;
    this.#input("tempo").title = RANGE;
    this.#change = change;
    this.#announce = announce;
    this.#note.textContent = "";
    for (const [field, values] of Object.entries(CHOICES)) this.#offer(field, values);
    this.#listen();
  }

  /**
   * @param author gives the name of who set a field, or null where that was ourselves or nobody
   * @param allowed whether this person may change anything
   */
  show(state, author, allowed) {
    const before = this.#state;
    this.#state = state;
    this.#allow(allowed);
    const { isPlaying } = state.values;
    this.#showTempo();
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

  #allow(allowed) {
    if (allowed === !this.#group.disabled) return;
    this.#group.disabled = !allowed;
    this.#typing = false;
    this.#say(allowed ? "" : NOT_ALLOWED);
  }

  #say(sentence) {
    this.#note.textContent = sentence;
    if (sentence) this.#announce(sentence);
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
    else this.#showTempo();
  }

  #showTempo() {
    if (!this.#typing) this.#input("tempo").value = String(Math.round(this.#state.value("tempo") * 10) / 10);
  }

  #tapped(at) {
    const tempo = this.#tap.at(at);
    if (tempo !== null) this.#setTempo(tempo);
  }

  #setTempo(tempo) {
    const possible = withinReach(tempo);
    this.#say(tempo === possible ? "" : RANGE);
    this.#change("tempo", possible);
    this.#showTempo(); // also where nothing changes
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
  const words = readable(value);
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** Another program's scale may have any name; what is no word is not shown. */
function readable(value) {
  return /^[\p{L}\p{M}\p{N} #♯♭'’().,-]+$/u.test(value) ? value : "another";
}
