/**
 * What connects us with one peer over time: the connection in use, and the one that is to replace it.
 *
 * The rules are the wire contract's: the lower id offers; an offer from the higher one is answered if none of ours is
 * under way; an offer that names no connection is always answered; make before break. Signals may be lost, so what is
 * unanswered is said again, and stale names are ignored.
 */

import { randomId } from "./random.js";
import { offers } from "./roles.js";

export const DELAYS = Object.freeze({
  resendMs: [2000, 4000, 8000], // after an offer
  unansweredMs: 12_000,
  renegotiationMs: 1000, // at least, between two offers that are answered
  connectMs: 15_000, // from the answer to a connection
  awaitOfferMs: 4000, // the higher id waits this long for the other's offer, then makes its own
  disconnectedMs: 5000,
  carryMs: 3000, // a connected replacement is used then, even if the peer sends nothing
  pollMs: 150,
  retryMs: [500, 1000, 2000, 4000, 8000, 15_000],
});
const MAX_STALE = 32;

export class Link {
  #selfId;
  #peerId;
  #open;
  #send;
  #changed;
  #delays;
  #current = null;
  #next = null;
  #answering = null; // an offer being read: its candidates may arrive meanwhile
  #stale = [];
  #timers = new Map();
  #failures = 0;
  #unanswered = false; // our offer
  #answeredAt = -Infinity;
  #parted = false;
  #closed = false;

  /**
   * @param open makes a Connection: (id, offering, callbacks) => Connection
   * @param send says a signal: (type, connectionId, data)
   * @param changed called after each change of `state` or `stream`
   */
  constructor({ selfId, peerId, open, send, changed, delays = DELAYS }) {
    this.#selfId = selfId;
    this.#peerId = peerId;
    this.#open = open;
    this.#send = send;
    this.#changed = changed;
    this.#delays = delays;
  }

  /** connecting | connected | reconnecting | disconnected */
  get state() {
    if (this.#current?.state === "connected") return "connected";
    if (this.#parted && !this.#next) return "disconnected";
    return this.#current || this.#failures ? "reconnecting" : "connecting";
  }

  get stream() {
    return this.#current?.stream ?? null;
  }

  get connectionId() {
    return this.#current?.id ?? null;
  }

  start() {
    this.#connectSoon(0);
  }

  /** The room is back after an outage, in which signals were lost. */
  returned() {
    if (this.#next?.offering && this.#unanswered) this.#repeat(this.#next);
    else if (!this.#next && this.#current?.state !== "connected") this.#connectSoon(0);
  }

  setTrack(track) {
    this.#current?.setTrack(track);
    this.#next?.setTrack(track);
  }

  /** Say goodbye to the peer and close. */
  close() {
    this.#closed = true;
    for (const connection of [this.#current, this.#next]) this.#bye(connection);
    for (const connection of [this.#current, this.#next, this.#answering]) connection?.close();
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  receive(type, connectionId, data) {
    if (type === "offer") this.#receiveOffer(connectionId, data);
    else if (type === "answer") this.#receiveAnswer(connectionId, data);
    else if (type === "ice-candidate") this.#find(connectionId)?.add(Array.isArray(data) ? data : [data]);
    else if (type === "bye") this.#receiveBye(connectionId);
  }

  /** Offer, or give the peer whose turn it is the time to do so. */
  #connectSoon(delayMs) {
    const patienceMs = offers(this.#selfId, this.#peerId) ? 0 : this.#delays.awaitOfferMs;
    this.#after("attempt", delayMs + patienceMs, () => this.#attempt());
  }

  async #attempt() {
    if (this.#next || this.#answering) return;
    const connection = this.#opened(randomId(), true);
    this.#next = connection;
    try {
      const offer = await connection.offer();
      if (this.#next !== connection || this.#closed) return;
      this.#send("offer", connection.id, offer);
      this.#awaitAnswer(connection);
    } catch (error) {
      this.#failed(connection, error);
    }
    this.#changed();
  }

  #awaitAnswer(connection) {
    const { resendMs, unansweredMs } = this.#delays;
    for (const [count, delayMs] of resendMs.entries())
      this.#after(`resend ${count}`, delayMs, () => this.#repeat(connection));
    this.#after("deadline", unansweredMs, () => this.#failed(connection));
    this.#unanswered = true;
  }

  /** Nothing is awaited from the peer any more. */
  #settle() {
    this.#unanswered = false;
    this.#clear("deadline", ...this.#delays.resendMs.map((_, count) => `resend ${count}`));
  }

  #repeat(connection) {
    this.#send(connection.offering ? "offer" : "answer", connection.id, connection.description);
    if (connection.candidates.length) this.#send("ice-candidate", connection.id, connection.candidates);
  }

  async #receiveOffer(id, offer) {
    const known = id === null ? null : this.#find(id);
    if (known) {
      if (!known.offering && known.description) this.#repeat(known); // our answer was lost
      return;
    }
    const oursStands = id !== null && this.#next?.offering && offers(this.#selfId, this.#peerId);
    const tooSoon = performance.now() - this.#answeredAt < this.#delays.renegotiationMs;
    if (oursStands || tooSoon || this.#stale.includes(id)) return;
    this.#answeredAt = performance.now();
    const connection = this.#opened(id, false);
    this.#retire(this.#answering);
    this.#answering = connection;
    try {
      const answer = await connection.answer(offer);
      if (this.#answering === connection && !this.#closed) this.#answered(connection, answer);
    } catch {
      this.#retire(connection); // malformed: what works stays as it is
    } finally {
      if (this.#answering === connection) this.#answering = null;
    }
  }

  #answered(connection, answer) {
    this.#retire(this.#next);
    this.#next = connection;
    this.#settle();
    this.#clear("attempt");
    this.#send("answer", connection.id, answer);
    this.#after("deadline", this.#delays.connectMs, () => this.#failed(connection));
    this.#followNext();
  }

  async #receiveAnswer(id, answer) {
    const connection = this.#next;
    const awaited = connection?.offering && this.#unanswered && (id === null || id === connection.id);
    if (!awaited) return;
    try {
      await connection.accept(answer);
    } catch {
      return; // malformed: a good one may still come
    }
    if (this.#next !== connection) return;
    this.#settle();
    this.#after("deadline", this.#delays.connectMs, () => this.#failed(connection));
    this.#followNext();
  }

  #receiveBye(id) {
    const connection = this.#find(id);
    if (!connection) return;
    if (connection === this.#next) return this.#failed(connection);
    this.#retire(connection);
    if (connection === this.#answering) this.#answering = null;
    if (connection !== this.#current) return;
    this.#current = null;
    if (this.#next) this.#followNext();
    else {
      this.#parted = true;
      this.#connectSoon(this.#delays.disconnectedMs); // unless it leaves the room, which it probably does now
    }
    this.#changed();
  }

  #find(id) {
    return [this.#answering, this.#next, this.#current].find((connection) => connection && connection.id === id);
  }

  #opened(id, offering) {
    const connection = this.#open(id, offering, {
      changed: () => this.#follow(connection),
      candidates: (list) => this.#send("ice-candidate", id, list),
    });
    return connection;
  }

  #follow(connection) {
    if (this.#closed) return;
    if (connection === this.#next) this.#followNext();
    else if (connection === this.#current) this.#followCurrent();
    this.#changed();
  }

  #followCurrent() {
    const { state } = this.#current;
    if (state === "connected") this.#clear("suspect");
    else if (state === "failed") this.#replace();
    else if (!this.#timers.has("suspect")) this.#after("suspect", this.#delays.disconnectedMs, () => this.#replace());
  }

  #replace() {
    this.#clear("suspect");
    this.#failures = Math.max(this.#failures, 1);
    if (this.#next?.state === "connected") this.#promote(this.#next);
    else if (!this.#next) this.#connectSoon(0);
    this.#changed();
  }

  #followNext() {
    const connection = this.#next;
    if (connection.state === "failed") this.#failed(connection);
    else if (connection.state !== "connected") return;
    else if (this.#current?.state !== "connected") this.#promote(connection);
    else if (!this.#timers.has("carry")) this.#promoteWhenCarrying(connection, performance.now() + this.#delays.carryMs);
  }

  #promoteWhenCarrying(connection, until) {
    this.#after("carry", this.#delays.pollMs, async () => {
      const carries = performance.now() > until || (await connection.carries());
      if (connection !== this.#next || this.#closed) return;
      if (carries) this.#promote(connection);
      else this.#promoteWhenCarrying(connection, until);
    });
  }

  #promote(connection) {
    const old = this.#current;
    this.#current = connection;
    this.#next = null;
    this.#failures = 0;
    this.#parted = false;
    this.#settle();
    this.#clear("carry", "suspect", "attempt");
    this.#bye(old);
    this.#retire(old);
    this.#changed();
  }

  /** The replacement came to nothing; another follows, unless what it was to replace has recovered. */
  #failed(connection) {
    this.#retire(connection);
    if (connection !== this.#next || this.#closed) return;
    this.#next = null;
    this.#settle();
    this.#clear("carry");
    const { retryMs } = this.#delays;
    const delayMs = retryMs[Math.min(this.#failures, retryMs.length - 1)];
    this.#failures += 1;
    if (this.#current?.state !== "connected") this.#connectSoon(delayMs);
    this.#changed();
  }

  /** A bye names its connection; one without a name would not be understood. */
  #bye(connection) {
    if (connection && connection.id !== null) this.#send("bye", connection.id, {});
  }

  #retire(connection) {
    if (!connection) return;
    connection.close();
    if (connection.id !== null) this.#stale = [...this.#stale, connection.id].slice(-MAX_STALE);
  }

  #after(name, delayMs, action) {
    this.#clear(name);
    const timer = setTimeout(() => {
      this.#timers.delete(name);
      action();
    }, delayMs);
    this.#timers.set(name, timer);
  }

  #clear(...names) {
    for (const name of names) {
      clearTimeout(this.#timers.get(name));
      this.#timers.delete(name);
    }
  }
}
