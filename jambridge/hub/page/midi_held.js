/** What sounds because of somebody, and how it ends, as in the daemon's `midi/held.py`. Pure; times in milliseconds. */

const RATE = 500; // messages a second, and as many at once
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

export const kindOf = ([status]) => status & 0xf0;
export const channelOf = ([status]) => status & 0x0f;
/** Of a note's message or a controller's: one number for its channel and its own. */
export const keyOf = ([status, number]) => ((status & 0x0f) << 7) | number;
export const noteOff = (channel, note) => [0x80 | channel, note, RELEASE_VELOCITY];
export const control = (channel, controller, value) => [0xb0 | channel, controller, value];
export const allNotesOff = (channel) => control(channel, ALL_NOTES_OFF, 0);

const isNoteOn = (message) => kindOf(message) === 0x90 && message[2] > 0;
const isControl = (message) => kindOf(message) === 0xb0;
export const isNoteOff = (message) => kindOf(message) === 0x80 || (kindOf(message) === 0x90 && message[2] === 0);
export const isPedal = (message) => isControl(message) && PEDALS.includes(message[1]);
export const resetsControllers = (message) => isControl(message) && message[1] === RESET_CONTROLLERS;

/** All sound off, all notes off, or a change of mode, which are all of these as well. */
export function endsNotes(message) {
  return isControl(message) && (message[1] === ALL_SOUND_OFF || message[1] >= ALL_NOTES_OFF);
}

/** Notes and pedals held, as [channel, number, value] by their keys. */
export class Held {
  notes = new Map();
  pedals = new Map();

  get isEmpty() {
    return this.notes.size + this.pedals.size === 0;
  }

  take(message) {
    const [key, channel] = [keyOf(message), channelOf(message)];
    if (isNoteOn(message)) this.notes.set(key, [channel, message[1], message[2]]);
    else if (isNoteOff(message)) this.notes.delete(key);
    else if (endsNotes(message)) clear(this.notes, channel);
    else if (resetsControllers(message)) clear(this.pedals, channel);
    else if (isPedal(message) && message[2] > 0) this.pedals.set(key, [channel, message[1], message[2]]);
    else if (isPedal(message)) this.pedals.delete(key);
  }

  /** Whether the message ends something that is held. */
  isEndedBy(message) {
    const isOn = ([channel]) => channel === channelOf(message);
    if (isNoteOff(message)) return this.notes.has(keyOf(message));
    if (endsNotes(message)) return [...this.notes.values()].some(isOn);
    if (resetsControllers(message)) return [...this.pedals.values()].some(isOn);
    return isControl(message) && message[2] < DOWN && (this.pedals.get(keyOf(message))?.[2] ?? 0) >= DOWN;
  }

  /** What ends everything held but these; null: not known, they stay. */
  beyond(notes, pedals) {
    const key = ([channel, number]) => (channel << 7) | number;
    const others = (held, kept) => {
      const keys = new Set(kept?.map(key));
      return kept === null ? [] : [...held.values()].filter((one) => !keys.has(key(one)));
    };
    return [
      ...others(this.notes, notes).map(([channel, note]) => noteOff(channel, note)),
      ...others(this.pedals, pedals).map(([channel, controller]) => control(channel, controller, 0)),
    ];
  }

  /** What ends all of it. */
  release() {
    return this.beyond([], []);
  }
}

/** At most so many messages a second; but what ends something that is held always passes. */
export class Thinning {
  held = new Held(); // by what has passed
  #left = RATE;
  #filledAt = null;

  admits(message, now) {
    this.#left = Math.min(RATE, this.#left + ((now - (this.#filledAt ?? now)) * RATE) / 1000);
    this.#filledAt = now;
    const fits = this.#left >= 1;
    if (!fits && !this.held.isEndedBy(message)) return false;
    if (fits) this.#left -= 1;
    this.held.take(message);
    return true;
  }
}

function clear(held, channel) {
  for (const [key, [which]] of held) if (which === channel) held.delete(key);
}
