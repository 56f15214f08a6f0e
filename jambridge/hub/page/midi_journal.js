/**
 * The `midi` data channel, as in the daemon's `midi/journal.py`: each packet tells again of what came before it and of
 * what is held, so that nothing is asked for and nothing waits. Pure; times are milliseconds.
 *
 * `{seq, time, data, journal: {events: [[seq, time, data]], held: [[channel, note, velocity]], pedals}, alive}`
 */

import { Thinning, isChannelMessage } from "./midi_held.js";

export const ALIVE_MS = 250; // while anything is held
export const AGAIN_MS = [20, 100]; // of quiet
export const SILENT_TIMES = 5;
const KEPT_MS = 300;
const MOST_EVENTS = 16;
export const MOST_NEW = MOST_EVENTS / 2; // told at once: the other half of a packet is for those before
const MOST_HELD = 128;
const MOST_HELD_BESIDE = 32; // notes: a packet with events stays within one datagram
const MAX_MESSAGE = 4096;

/** Our own messages on their way to all peers. */
export class Journal {
  #sequence = 0;
  #told = 0;
  #events = [];

  /** Events that no packet has told of yet. */
  get waiting() {
    return this.#sequence - this.#told;
  }

  add(data, time) {
    this.#sequence += 1;
    this.#events.push([this.#sequence, Math.round(time * 10) / 10, [...data]]);
    if (this.#events.length > MOST_EVENTS) this.#events.shift();
  }

  /** The next packet: what is new, what was shortly before, and `held`; without news, the journal alone. */
  text(held, time) {
    const events = this.#events.filter(([sequence, at]) => sequence > this.#told || time - at <= KEPT_MS);
    const isNews = this.waiting > 0;
    this.#told = this.#sequence;
    const own = isNews ? events.pop() : null;
    const journal = { events };
    const most = isNews ? MOST_HELD_BESIDE : MOST_HELD;
    for (const [name, some] of [["held", held.notes], ["pedals", held.pedals]])
      if (some.size <= most) journal[name] = [...some.values()];
    const data = own === null ? {} : { data: own[2] };
    return JSON.stringify({ seq: this.#sequence, time: own?.[1] ?? time, ...data, journal, alive: ALIVE_MS });
  }
}

/** One peer's messages as they come, twice or never: each once, in its order. */
export class Reception {
  alive = null;
  #thinning = new Thinning();
  #sequence = null;

  get held() {
    return this.#thinning.held;
  }

  /** The messages to be played of a packet that came `now`; none of what makes no sense. */
  take(text, now) {
    const packet = decode(text);
    if (packet === null) return [];
    this.alive = packet.alive ?? this.alive;
    if (this.#sequence !== null && packet.seq < this.#sequence) return [];
    const known = this.#sequence ?? (packet.events[0]?.[0] ?? packet.seq + 1) - 1;
    this.#sequence = packet.seq;
    const played = packet.events.filter(([seq]) => seq > known).map(([, , data]) => data);
    const taken = played.filter((data) => this.#thinning.admits(data, now));
    if (packet.held === null) return taken;
    const ends = this.held.beyond(packet.held, packet.pedals);
    for (const end of ends) this.#thinning.admits(end, now);
    return [...taken, ...ends];
  }

  /** A peer that is not heard any more holds nothing. */
  forget() {
    for (const end of this.held.release()) this.held.take(end);
  }
}

/** {seq, events, held, pedals, alive}; null for what is malformed. */
function decode(text) {
  if (typeof text !== "string" || text.length > MAX_MESSAGE) return null;
  try {
    const { seq, time, data, journal = {}, alive = null } = JSON.parse(text);
    const events = [...(journal.events ?? []), ...(data?.length ? [[seq, time, data]] : [])];
    const [held, pedals] = [journal.held ?? null, journal.pedals ?? null];
    const isTime = (one) => typeof one === "number";
    const isEvent = ([number, at, message]) =>
      Number.isSafeInteger(number) && number <= seq && isTime(at) && Array.isArray(message) && isChannelMessage(message);
    const isHeld = ([channel, ...rest]) => Number.isInteger(channel) && isChannelMessage([0x90 | channel, ...rest]);
    const fits =
      Number.isSafeInteger(seq) && seq >= 0 && isTime(time) && events.length <= MOST_EVENTS + 1 &&
      events.every(isEvent) && (held ?? []).every(isHeld) && (pedals ?? []).every(isHeld) &&
      (alive === null || (Number.isInteger(alive) && alive > 0));
    const byNumber = new Map(events.map((event) => [event[0], event]));
    return fits ? { seq, events: [...byNumber.values()].sort(([a], [b]) => a - b), held, pedals, alive } : null;
  } catch {
    return null;
  }
}
