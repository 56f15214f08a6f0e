/** Tempo by tapping. Pure; milliseconds. */

import { TEMPO_BPM } from "./state.js";

const PAUSE_MS = 2000; // longer than a beat of the slowest tempo: a new start
const TAPS = 9;

export class Tap {
  #taps = [];

  /** The tempo after a tap at `now`, in whole beats a minute; null for the first. */
  at(now) {
    const goesOn = this.#taps.length > 0 && now - this.#taps.at(-1) < PAUSE_MS;
    this.#taps = [...(goesOn ? this.#taps : []), now].slice(-TAPS);
    const beats = this.#taps.length - 1;
    return beats ? withinReach(Math.round((60_000 * beats) / (now - this.#taps[0]))) : null;
  }
}

/** The nearest tempo that a room can have. */
export function withinReach(tempo) {
  return Math.min(Math.max(tempo, TEMPO_BPM[0]), TEMPO_BPM[1]);
}
