/**
 * Members over time, by the same rule as the daemon's `room/presence.py`. Pure; times are milliseconds.
 *
 * A leave counts at once. Who was lost together with our own connection is kept for a while: after a hub's restart its
 * members come back one by one, and their sound never stopped.
 */

export const REJOIN_GRACE_MS = 15_000;

export class Roster {
  #members = new Map();
  #missing = new Map(); // id -> the moment until which it is awaited

  /** A new connection starts with an empty presence: everybody known is awaited. */
  rejoined(now) {
    this.#missing = new Map([...this.#members.keys()].map((id) => [id, now + REJOIN_GRACE_MS]));
  }

  /** The members in force: those present, and those still awaited. */
  update(participants, now) {
    const present = new Map(participants.map((member) => [member.id, member]));
    for (const [id, until] of this.#missing) if (present.has(id) || now >= until) this.#missing.delete(id);
    const awaited = [...this.#missing.keys()].map((id) => [id, this.#members.get(id)]);
    this.#members = new Map([...awaited, ...present]);
    return [...this.#members.values()];
  }

  /** The first moment at which `update` must be asked again although nothing arrived; null for none. */
  get awaitedUntil() {
    return this.#missing.size ? Math.min(...this.#missing.values()) : null;
  }
}
