/**
 * Who hosts the room: the present host stays while present; as the daemon's `room/hosting.py`. Pure; milliseconds.
 *
 * What newcomers say of themselves never moves the host of those who are settled. Who is new or back, or has just
 * elected, is provisional for a while and listens; claims carry their standing, so that two hosts find out who yields.
 */

import { bySeniority } from "./roles.js";

const PLAUSIBLE_MS = 24 * 3600e3;
const SKEW_MS = 3600e3; // clocks of phones and boxes without one of their own differ
const PROVISIONAL_MS = 15_000;
const MOST_MEMBERS = 64;

/** How sure a member is of the host it names: it is new or was away; it took part in an election; it is sure. */
export const [BACK, ELECTED, SETTLED] = [0, 1, 2];

/**
 * The id of the earliest plausible member, then the lower id; null for none. A newcomer first believes who says to be
 * the host. Who claims to have joined more than a day before `wall` (milliseconds since 1970), or in the future, is last.
 */
export function elect(members, wall, { newcomer }) {
  const everyone = [...members].sort(bySeniority);
  const plausible = everyone.filter(({ joinedAt }) => joinedAt > wall - PLAUSIBLE_MS && joinedAt < wall + SKEW_MS);
  const claimants = newcomer ? plausible.filter((member) => member.isHost) : [];
  return [...claimants, ...plausible, ...everyone][0]?.id ?? null;
}

/** What one member believes. `host` is null while a newcomer waits for an answer. */
export class Hosting {
  host = null;
  #me;
  #present = new Map();
  #claims = new Map(); // by sender: {host, standing}
  #standing = BACK;
  #settledAt = 0;
  #remembered = false;

  constructor(me) {
    this.#me = me;
  }

  get others() {
    return [...this.#present.keys()].some((id) => id !== this.#me);
  }

  isPresent(id) {
    return this.#present.has(id);
  }

  standing(now) {
    return now >= this.#settledAt ? SETTLED : this.#standing;
  }

  /** We are in the room, again or for the first time. Who was here before counts as present until `changed`. */
  joined(members, now) {
    this.#present = this.#bounded([...this.#present.values(), ...members]);
    this.#claims.clear();
    this.#remembered = this.host !== null;
    this.#doubt(BACK, now);
    if (this.host !== null || this.others) return;
    this.host = this.#me;
    this.#doubt(ELECTED, now);
  }

  /** Who is present now. A host that is gone stays the host until another is elected: most are back soon. */
  changed(members) {
    this.#present = this.#bounded(members);
    for (const id of this.#claims.keys()) if (!this.#present.has(id)) this.#claims.delete(id);
  }

  elect(wall, now, { newcomer }) {
    this.host = elect(this.#present.values(), wall, { newcomer });
    this.#remembered = false;
    this.#doubt(newcomer ? BACK : ELECTED, now);
  }

  /** Follow who would be elected without us. */
  handOver(wall) {
    const others = [...this.#present.values()].filter(({ id }) => id !== this.#me);
    this.host = elect(others, wall, { newcomer: false });
    return this.host;
  }

  /** `sender` says who is host; true if we believe another one now. */
  hear(sender, host, standing, now) {
    if (sender === this.#me || !this.#present.has(sender) || !this.#present.has(host)) return false;
    this.#claims.set(sender, { host, standing });
    const before = this.host;
    if (sender === before) this.host = host; // nobody but the host hands over
    else if (before === null || (before !== this.#me && this.standing(now) < SETTLED)) this.host = this.#favourite();
    else if (before === this.#me && sender === host) this.#yieldTo(host, standing, now);
    if (this.host === this.#me && before !== this.#me) this.#doubt(ELECTED, now);
    return this.host !== before;
  }

  /** Two provisional hosts: who is surer stays, then the lower id. */
  #yieldTo(rival, standing, now) {
    const mine = this.standing(now);
    if (mine < SETTLED && (standing > mine || (standing === mine && rival < this.#me))) this.host = rival;
  }

  /** Whom most name, then the surest, then the lower id; who names another itself is none. */
  #favourite() {
    const votes = new Map();
    const surest = new Map();
    for (const { host, standing } of this.#claims.values()) {
      votes.set(host, (votes.get(host) ?? 0) + 1);
      surest.set(host, Math.max(standing, surest.get(host) ?? BACK));
    }
    if (this.#remembered && this.host !== null) votes.set(this.host, (votes.get(this.host) ?? 0) + 1);
    const willing = [...votes.keys()].filter((id) => this.#present.has(id) && (this.#claims.get(id)?.host ?? id) === id);
    const better = (one, other) =>
      votes.get(other) - votes.get(one) ||
      (surest.get(other) ?? BACK) - (surest.get(one) ?? BACK) ||
      (one < other ? -1 : 1);
    return willing.sort(better)[0] ?? this.host;
  }

  #doubt(standing, now) {
    this.#standing = standing;
    this.#settledAt = now + PROVISIONAL_MS;
  }

  /** By id; we are always among them. */
  #bounded(members) {
    const present = new Map();
    for (const member of members)
      if (present.size < MOST_MEMBERS || member.id === this.#me) present.set(member.id, member);
    return present;
  }
}
