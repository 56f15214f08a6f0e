/**
 * What a room agrees on: tempo, key, scale, colour mode, playing; by the rules of the daemon's `room/state.py`. Pure.
 *
 * Each field carries its own stamp `[revision, author]` and the higher stamp wins, so that merging is commutative,
 * associative and idempotent. Equal stamps with different values, which only a liar makes, are decided by the value.
 */

export const FIELDS = Object.freeze(["tempo", "key", "scale", "colorMode", "isPlaying"]);
export const TEMPO_BPM = Object.freeze([40, 300]);
export const COLOR_MODES = Object.freeze(["chromatic", "harmonic"]);
const MAX_SCALE = 32; // characters
export const MOST_AHEAD = 1000; // revisions: so that a liar cannot put a field out of everyone's reach
/** Up to which revision somebody may be further ahead than that; the end of the numbers stays out of reach. */
export const TRUST = Object.freeze({
  member: 0,
  answer: 2 ** 40, // who answers a newcomer, which knows nothing yet
  host: 2 ** 52, // it may itself have followed such an answer
});
export const MOST_OTHERS = 8; // fields we do not know, of newer or other programs
const MAX_OTHER = 512; // characters of such a field as JSON

const UNSTAMPED = Object.freeze([0, ""]);
const DEFAULTS = Object.freeze({ tempo: 120, key: "C", scale: "major", colorMode: "chromatic", isPlaying: false });
const MUSICAL_KEY = /^[A-G][#b]?$/;
const NAME = /^[\x21-\x7e]{1,64}$/;
const UNPRINTABLE = /(?! )[\p{C}\p{Z}]/u;

/** What others say does not follow the contract; it is dropped. */
export class WireError extends Error {}

/** Immutable. Fields of a state-sync that we do not know are kept and given back. */
export class RoomState {
  #values;
  #stamps;

  constructor(values = new Map(Object.entries(DEFAULTS)), stamps = new Map()) {
    this.#values = values;
    this.#stamps = stamps;
  }

  /** The highest of the stamps' revisions. */
  get revision() {
    return Math.max(0, ...[...this.#stamps.values()].map(([revision]) => revision));
  }

  /** The five fields, as an object. */
  get values() {
    return Object.fromEntries(FIELDS.map((name) => [name, this.#values.get(name)]));
  }

  /** The five fields and those that we only carry, as an object. */
  get everything() {
    return Object.fromEntries(this.#values);
  }

  /** The stamps of all fields, as an object. */
  get stamps() {
    return Object.fromEntries([...this.#values.keys()].map((name) => [name, this.stamp(name)]));
  }

  value(name) {
    return this.#values.get(name);
  }

  stamp(name) {
    return this.#stamps.get(name) ?? UNSTAMPED;
  }

  /** The next state after `author` has set one field; throws WireError for a bad value. */
  changed(name, value, author) {
    return this.put(name, checked(name, value), [this.stamp(name)[0] + 1, author]);
  }

  /** One checked field with its stamp, whatever was there. Of unknown fields only the first by name are kept. */
  put(name, value, stamp) {
    const values = new Map(this.#values).set(name, value);
    const stamps = new Map(this.#stamps).set(name, stamp);
    const others = [...values.keys()].filter((known) => !FIELDS.includes(known)).sort();
    for (const surplus of others.slice(MOST_OTHERS)) {
      values.delete(surplus);
      stamps.delete(surplus);
    }
    return new RoomState(values, stamps);
  }

  /** One checked field merged in: `put` if it is higher than what is there. */
  take(name, value, stamp) {
    if (this.#values.has(name)) {
      const order = compareStamps(stamp, this.stamp(name)) || compareValues(value, this.value(name));
      if (order <= 0) return this;
    }
    return this.put(name, value, stamp);
  }

  /**
   * `take` of what a member says whose word has that TRUST; null if it is too far ahead. A host that is as far behind
   * would never take ours, so we take its word.
   */
  offered(name, value, stamp, trust) {
    const ahead = stamp[0] - this.stamp(name)[0];
    if (ahead > MOST_AHEAD && stamp[0] > trust) return null;
    if (trust === TRUST.host && ahead < -MOST_AHEAD) return this.put(name, value, stamp);
    return this.take(name, value, stamp);
  }
}

/** The value, if the field of that name can have it; throws WireError otherwise. */
export function checked(name, value) {
  if (!FIELDS.includes(name) || !POSSIBLE[name](value)) throw new WireError(`${String(name).slice(0, 20)} cannot be that`);
  return value;
}

/** A field that we only carry; throws WireError if its name or size is odd. */
export function checkedOther(name, value) {
  if (!NAME.test(name) || [...text(value)].length > MAX_OTHER) throw new WireError("a field of the state is odd or too large");
  return value;
}

/** `[revision, author]`; throws WireError otherwise. */
export function checkedStamp(value) {
  const [revision, author] = Array.isArray(value) && value.length === 2 ? value : [];
  const sound = Number.isSafeInteger(revision) && revision >= 0 && (author === "" || NAME.test(author));
  if (!sound || typeof author !== "string") throw new WireError("a stamp is a revision and an author");
  return [revision, author];
}

/** Below, at or above 0, as for sorting. */
export function compareStamps([revision, author], [otherRevision, otherAuthor]) {
  return compare(revision, otherRevision) || compare(author, otherAuthor);
}

const POSSIBLE = {
  tempo: (value) => typeof value === "number" && value >= TEMPO_BPM[0] && value <= TEMPO_BPM[1],
  key: (value) => typeof value === "string" && MUSICAL_KEY.test(value),
  scale: (value) =>
    typeof value === "string" && value === value.trim() && !UNPRINTABLE.test(value) && within([...value].length, 1, MAX_SCALE),
  colorMode: (value) => COLOR_MODES.includes(value),
  isPlaying: (value) => typeof value === "boolean",
};

function within(number, least, most) {
  return number >= least && number <= most;
}

/** A total order: numbers first, then texts. */
function compareValues(one, other) {
  const [number, words] = rank(one);
  const [otherNumber, otherWords] = rank(other);
  return compare(number, otherNumber) || compare(words, otherWords);
}

function rank(value) {
  if (typeof value === "boolean" || Number.isFinite(value)) return [Number(value), ""];
  return [Infinity, typeof value === "string" ? value : text(value)];
}

function compare(one, other) {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}

/** JSON with sorted keys. */
function text(value) {
  const sorted = (_, part) =>
    part !== null && typeof part === "object" && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([one], [other]) => compare(one, other)))
      : part;
  try {
    return JSON.stringify(value, sorted);
  } catch {
    throw new WireError("nested too deep");
  }
}
