/**
 * Several sources into one instrument, which cannot tell them apart: nobody ends what another one holds. As in the
 * daemon's `midi/merge.py`. Pure.
 */

import {
  Held, allNotesOff, channelOf, control, endsNotes, isNoteOff, isPedal, keyOf, noteOff, resetsControllers,
} from "./midi_held.js";

export class Merge {
  #sources = new Map(); // {held, channels}, those that it has used

  /** What the instrument is to be told of a source's channel message. */
  play(source, message) {
    if (!this.#sources.has(source)) this.#sources.set(source, { held: new Held(), channels: new Set() });
    const { held, channels } = this.#sources.get(source);
    channels.add(channelOf(message));
    if (isNoteOff(message)) return this.#endNote(source, held, message);
    if (endsNotes(message) || resetsControllers(message)) return this.#endChannel(source, held, message);
    held.take(message);
    return [isPedal(message) ? this.#pressed(message) : message];
  }

  /** Whether the message ends something that this source holds. */
  isEndedBy(source, message) {
    return this.#sources.get(source)?.held.isEndedBy(message) ?? false;
  }

  /** What ends all that a source holds, which is forgotten; ALL NOTES OFF only on channels it alone has used. */
  hush(source) {
    const gone = this.#sources.get(source);
    if (!gone) return [];
    const told = gone.held.release().flatMap((end) => this.play(source, end));
    this.#sources.delete(source);
    const used = new Set([...this.#sources.values()].flatMap(({ channels }) => [...channels]));
    const alone = [...gone.channels].filter((channel) => !used.has(channel)).sort((one, other) => one - other);
    return [...told, ...alone.map(allNotesOff)];
  }

  hushAll() {
    return [...this.#sources.keys()].flatMap((source) => this.hush(source));
  }

  #endNote(source, held, message) {
    if (!held.isEndedBy(message)) return [];
    held.take(message);
    return this.#others(source).some((other) => other.held.notes.has(keyOf(message))) ? [] : [message];
  }

  /** One source's own share of it, where others use the channel. */
  #endChannel(source, held, message) {
    const channel = channelOf(message);
    if (!this.#others(source).some(({ channels }) => channels.has(channel))) {
      held.take(message);
      return [message];
    }
    const own = (some) => [...some.values()].filter(([which]) => which === channel).map(([, number]) => number);
    const ends = endsNotes(message)
      ? own(held.notes).map((note) => noteOff(channel, note))
      : own(held.pedals).map((controller) => control(channel, controller, 0));
    return ends.flatMap((end) => this.play(source, end));
  }

  /** A pedal is down as far as whoever presses it most. */
  #pressed(message) {
    const values = [...this.#sources.values()].map(({ held }) => held.pedals.get(keyOf(message))?.[2] ?? 0);
    return control(channelOf(message), message[1], Math.max(...values));
  }

  #others(source) {
    return [...this.#sources].filter(([other]) => other !== source).map(([, one]) => one);
  }
}
