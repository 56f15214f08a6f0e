/**
 * The `sync` data channels: they answer everyone's pings with our clock and room time, and ping the host to follow his.
 *
 * `{type: "ping", id, t1}` is answered by `{type: "pong", id, t1, t2, t3, room}`, in milliseconds; `room` is the
 * answerer's room time minus its clock, so that room time runs on through a change of host.
 */

import { RoomClock } from "./room_clock.js";

const MAX_MESSAGE = 1024;
const MAX_MS = 1e13; // three centuries: no clock of a machine that runs
const PING_EVERY_MS = 1000;
const ANSWERED_WITHIN_MS = 2000;
const ANSWERS = 20; // a second, on one channel

export const SYNC_CHANNEL = Object.freeze({ label: "sync", options: { ordered: false, maxRetransmits: 0 } });

export class Sync {
  #selfId;
  #clock = new RoomClock();
  #channels = new Map(); // the newest, by peer
  #host = null;
  #asked = null; // {id, t1}
  #ids = 0;
  #timer = null;

  constructor(selfId) {
    this.#selfId = selfId;
  }

  /** Room time minus our own clock. */
  get offset() {
    return this.#clock.offset(performance.now());
  }

  /** Whose clock is the room's, our own included; null for nobody's. */
  follow(host) {
    if (host === this.#host) return;
    this.#host = host;
    this.#asked = null;
    if (host === this.#selfId) this.#clock.lead(performance.now());
    else this.#clock.forget();
    clearInterval(this.#timer);
    if (host === null || host === this.#selfId) return;
    this.#timer = setInterval(() => this.#ping(), PING_EVERY_MS);
    this.#ping();
  }

  /** Serve the channel with `peerId`. */
  attach(peerId, channel) {
    const answers = { left: ANSWERS, at: 0 };
    channel.onmessage = ({ data }) => this.#receive(peerId, channel, data, answers);
    const opened = () => {
      this.#channels.set(peerId, channel);
      if (peerId === this.#host) this.#ping();
    };
    if (channel.readyState === "open") opened();
    else channel.onopen = opened;
    channel.onclose = () => this.#channels.get(peerId) === channel && this.#channels.delete(peerId);
  }

  close() {
    clearInterval(this.#timer);
  }

  #ping() {
    const channel = this.#channels.get(this.#host);
    if (channel?.readyState !== "open") return;
    this.#ids += 1;
    this.#asked = { id: this.#ids, t1: performance.now() };
    send(channel, { type: "ping", ...this.#asked });
  }

  #receive(peerId, channel, data, answers) {
    const now = performance.now();
    const message = decode(data);
    if (message?.type === "ping" && mayAnswer(answers, now)) this.#answer(channel, message, now);
    else if (message?.type === "pong" && peerId === this.#host) this.#observe(message, now);
  }

  #answer(channel, { id, t1 }, t2) {
    const t3 = performance.now();
    send(channel, { type: "pong", id, t1, t2, t3, room: this.#clock.offset(t3) });
  }

  #observe({ id, t2, t3, room = 0 }, t4) {
    if (id !== this.#asked?.id || ![t2, t3, room].every(isTime)) return;
    const { t1 } = this.#asked;
    this.#asked = null;
    const delay = t4 - t1 - (t3 - t2);
    if (t3 < t2 || delay < 0 || delay > ANSWERED_WITHIN_MS) return;
    this.#clock.observe({ offset: (t2 - t1 + (t3 - t4)) / 2 + room, delay }, t4);
  }
}

function send(channel, message) {
  if (channel.readyState === "open") channel.send(JSON.stringify(message));
}

/** A token bucket that holds a second's answers. */
function mayAnswer(answers, now) {
  answers.left = Math.min(ANSWERS, answers.left + ((now - answers.at) * ANSWERS) / 1000);
  answers.at = now;
  if (answers.left < 1) return false;
  answers.left -= 1;
  return true;
}

function isTime(value) {
  return typeof value === "number" && Math.abs(value) <= MAX_MS;
}

function decode(data) {
  if (typeof data !== "string" || data.length > MAX_MESSAGE) return null;
  try {
    const message = JSON.parse(data);
    const isPing = message?.type === "ping" && isTime(message.t1);
    return isPing || message?.type === "pong" ? message : null;
  } catch {
    return null;
  }
}
