/** When a member says something about the room's state: now, later, again, or not at all. Pure; milliseconds. */

const CHANGE_EVERY_MS = 100;
const UNCONFIRMED_AFTER_MS = [750, 2000, 5000];
const REPAIR_EVERY_MS = 1000;
const ANSWER_EVERY_MS = 400; // to the same member
const MOST_ANSWERS = 16;
const DIGEST_EVERY_MS = 10_000;
const DIGESTS_AFTER_MS = [500, 1500, 4500]; // after a change
const OBJECT_EVERY_MS = 1000;

export const NEVER = Infinity;

const after = (now, delays) => delays.map((delay) => now + delay);

/** Which fields are due to be said. */
export class Saying {
  #due = new Map();
  #again = new Map();
  #saidAt = new Map();

  get deadline() {
    return Math.min(NEVER, ...this.#due.values(), ...[...this.#again.values()].map(([first]) => first));
  }

  /** At once, then at most every 100 ms; again until the host has confirmed it, if somebody must. */
  change(name, now, { confirm }) {
    this.#due.set(name, Math.max(now, this.#said(name) + CHANGE_EVERY_MS));
    if (confirm) this.#again.set(name, after(now, UNCONFIRMED_AFTER_MS));
  }

  /** Somebody lacks our value; at most once a second, since anybody can say so. */
  repair(name, due) {
    const possible = Math.max(due, this.#said(name) + REPAIR_EVERY_MS);
    this.#due.set(name, Math.min(possible, this.#due.get(name) ?? NEVER));
  }

  /** Ours, or better than ours. */
  saidByAnother(name) {
    this.#due.delete(name);
  }

  confirmed(name) {
    this.#again.delete(name);
  }

  take(now) {
    const names = [...new Set([...this.#due.keys(), ...this.#again.keys()])].filter((name) => this.#isDue(name, now));
    for (const name of names) {
      this.#saidAt.set(name, now);
      this.#due.delete(name);
      const later = (this.#again.get(name) ?? []).filter((time) => time > now);
      this.#again.delete(name);
      if (later.length) this.#again.set(name, later);
    }
    return names;
  }

  #isDue(name, now) {
    return Math.min(this.#due.get(name) ?? NEVER, ...(this.#again.get(name) ?? [])) <= now;
  }

  #said(name) {
    return this.#saidAt.get(name) ?? -Infinity;
  }
}

/** Who is due an answer to its state-request. */
export class Answering {
  #due = new Map();
  #answeredAt = new Map();

  get deadline() {
    return Math.min(NEVER, ...this.#due.values());
  }

  /** False if too many ask, or this one asks too often. */
  add(target, due) {
    const tooSoon = due < (this.#answeredAt.get(target) ?? -Infinity) + ANSWER_EVERY_MS;
    if (this.#due.size >= MOST_ANSWERS || tooSoon) return false;
    this.#due.set(target, Math.min(due, this.#due.get(target) ?? NEVER));
    return true;
  }

  answeredByAnother(target) {
    this.#due.delete(target);
  }

  take(now) {
    const targets = [...this.#due].filter(([, due]) => due <= now).map(([target]) => target);
    for (const target of targets) {
      this.#due.delete(target);
      this.#answeredAt.set(target, now);
    }
    const byAge = [...this.#answeredAt].sort(([, one], [, other]) => one - other);
    for (const [target] of byAge.slice(0, -MOST_ANSWERS)) this.#answeredAt.delete(target);
    return targets;
  }
}

/** When the host says its digest: soon after a change, and at least every ten seconds. */
export class Digests {
  #extra = [];
  #saidAt = -Infinity;

  get deadline() {
    return Math.min(this.#saidAt + DIGEST_EVERY_MS, ...this.#extra.slice(0, 1));
  }

  changed(now) {
    this.#extra = after(now, [...DIGESTS_AFTER_MS, DIGEST_EVERY_MS]);
    if (this.#saidAt === -Infinity) this.#saidAt = now;
  }

  /** Somebody names another host: at once, but not for every such lie. */
  object(now) {
    const times = [Math.max(now, this.#saidAt + OBJECT_EVERY_MS), ...this.#extra];
    this.#extra = times.slice(0, DIGESTS_AFTER_MS.length + 1).sort((one, other) => one - other);
  }

  take(now) {
    if (this.deadline > now) return false;
    this.#saidAt = now;
    this.#extra = this.#extra.filter((time) => time > now);
    return true;
  }
}

/** When a question is due, and again. */
export class Asking {
  #times = [];
  #askedAt = -Infinity;

  get deadline() {
    return Math.min(NEVER, ...this.#times);
  }

  get waiting() {
    return this.#times.length > 0;
  }

  /** Instead of what was due. With a pause only if nothing is, and that long after the last time. */
  at(now, delays, { pause = 0 } = {}) {
    if (!pause) this.#times = after(now, delays);
    else if (!this.waiting) this.#times = after(Math.max(now, this.#askedAt + pause), delays);
  }

  answered() {
    this.#times = [];
  }

  take(now) {
    if (this.deadline > now) return false;
    this.#askedAt = now;
    this.#times = this.#times.filter((time) => time > now);
    return true;
  }
}
