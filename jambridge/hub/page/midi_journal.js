/**
 * The `midi` data channel, as in the daemon's `midi/journal.py`: each packet tells again of what came before it and of
 * what is held, so that nothing is asked for and nothing waits. Pure; times are milliseconds.
 *
 * `{seq, time, data, journal: {events: [[seq, time, data]], held: [[channel, note, velocity]], pedals}, alive}`
 */

export const ALIVE_MS = 250; // while anything is held
export const AGAIN_MS = [20, 100]; // of quiet
export const SILENT_TIMES = 5;
const KEPT_MS = 300;
const MOST_EVENTS = 16;
const MOST_HELD = 128;
const MAX_MESSAGE = 4096;
const RATE = 500; // a second, and as many at once
const PEDALS = [64, 66, 69];
const ALL_SOUND_OFF = 120;
const RESET_CONTROLLERS = 121;
const ALL_NOTES_OFF = 123;
const RELEASE_VELOCITY = 64;
const DOWN = 64;

/** The length of a channel message by its status; 0 for what is none. */
function length(status) {
  if (!(status >= 0x80 && status < 0xf0)) return 0;
  return status >= 0xc0 && status < 0xe0 ? 2 : 3;
}

export function isChannelMessage(data) {
  const isByte = (one) => Number.isInteger(one) && one >= 0 && one < 0x80;
  return data.length > 0 && data.length === length(data[0]) && [...data].slice(1).every(isByte);
}

/** Notes and pedals held, as [channel, number, value] by their place. */
export class Held {
  notes = new Map();
  pedals = new Map();

  get isEmpty() {
    return this.notes.size + this.pedals.size === 0;
  }

  take([status, number, value]) {
    const [kind, channel] = [status & 0xf0, status & 0x0f];
    const key = (channel << 7) | number;
    if (kind === 0x90 && value > 0) this.notes.set(key, [channel, number, value]);
    else if (kind === 0x80 || kind === 0x90) this.notes.delete(key);
    else if (kind === 0xb0 && (number === ALL_SOUND_OFF || number >= ALL_NOTES_OFF)) clear(this.notes, channel);
    else if (kind === 0xb0 && number === RESET_CONTROLLERS) clear(this.pedals, channel);
    else if (kind === 0xb0 && PEDALS.includes(number) && value > 0) this.pedals.set(key, [channel, number, value]);
    else if (kind === 0xb0) this.pedals.delete(key);
  }

  /** Whether the message ends something that is held. */
  isEndedBy([status, number, value]) {
    const [kind, channel] = [status & 0xf0, status & 0x0f];
    const key = (channel << 7) | number;
    const on = (map) => [...map.values()].some(([which]) => which === channel);
    if (kind === 0x80 || (kind === 0x90 && value === 0)) return this.notes.has(key);
    if (kind !== 0xb0) return false;
    if (number === ALL_SOUND_OFF || number >= ALL_NOTES_OFF) return on(this.notes);
    if (number === RESET_CONTROLLERS) return on(this.pedals);
    return value < DOWN && (this.pedals.get(key)?.[2] ?? 0) >= DOWN;
  }

  /** What ends everything held but these; null: not known, they stay. */
  beyond(notes, pedals) {
    const key = ([channel, number]) => (channel << 7) | number;
    const others = (held, kept) => {
      const keys = new Set(kept?.map(key));
      return kept === null ? [] : [...held.values()].filter((one) => !keys.has(key(one)));
    };
    return [
      ...others(this.notes, notes).map(([channel, note]) => [0x80 | channel, note, RELEASE_VELOCITY]),
      ...others(this.pedals, pedals).map(([channel, controller]) => [0xb0 | channel, controller, 0]),
    ];
  }
}

/** Our own messages on their way to all peers. */
export class Journal {
  held = new Held();
  #sequence = 0;
  #told = 0;
  #events = [];

  add(data, time) {
    this.held.take(data);
    this.#sequence += 1;
    this.#events.push([this.#sequence, Math.round(time * 10) / 10, [...data]]);
    if (this.#events.length > MOST_EVENTS) this.#events.shift();
  }

  /** The next packet: with its newest message, or, where that was told before, the journal alone. */
  text(time) {
    const events = this.#events.filter(([, at]) => time - at <= KEPT_MS);
    const isNews = this.#sequence > this.#told && events.length > 0;
    this.#told = this.#sequence;
    const own = isNews ? events.pop() : null;
    const journal = { events };
    for (const [name, held] of [["held", this.held.notes], ["pedals", this.held.pedals]])
      if (held.size <= MOST_HELD) journal[name] = [...held.values()];
    const data = own === null ? {} : { data: own[2] };
    return JSON.stringify({ seq: this.#sequence, time: own?.[1] ?? time, ...data, journal, alive: ALIVE_MS });
  }
}

/** One peer's messages as they come, twice or never: each once, in its order. */
export class Reception {
  held = new Held();
  alive = null;
  #sequence = null;
  #left = RATE;
  #filledAt = null;

  /** The messages to be played of a packet that came `now`; none of what makes no sense. */
  take(text, now) {
    const packet = decode(text);
    if (packet === null) return [];
    this.alive = packet.alive ?? this.alive;
    if (this.#sequence !== null && packet.seq < this.#sequence) return [];
    const known = this.#sequence ?? (packet.events[0]?.[0] ?? packet.seq + 1) - 1;
    this.#sequence = packet.seq;
    const played = packet.events.filter(([seq]) => seq > known).map(([, , data]) => data);
    const taken = played.filter((data) => this.#admits(data, now));
    if (packet.held === null) return taken;
    const ends = this.held.beyond(packet.held, packet.pedals);
    for (const end of ends) this.held.take(end);
    return [...taken, ...ends];
  }

  /** What ends all that is held, for a peer that is not heard any more. */
  release() {
    const ends = this.held.beyond([], []);
    this.held = new Held();
    return ends;
  }

  #admits(data, now) {
    this.#left = Math.min(RATE, this.#left + ((now - (this.#filledAt ?? now)) * RATE) / 1000);
    this.#filledAt = now;
    if (this.#left < 1 && !this.held.isEndedBy(data)) return false;
    this.#left = Math.max(0, this.#left - 1);
    this.held.take(data);
    return true;
  }
}

function clear(held, channel) {
  for (const [key, [which]] of held) if (which === channel) held.delete(key);
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
