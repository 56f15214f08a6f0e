/**
 * One channel of Supabase Realtime, wire version 1.0.0 (Phoenix channels as JSON objects).
 *
 * It reconnects forever, joins again each time, and drops what is sent while away: a signal from before an outage would
 * only mislead.
 */

import { fromState, withDiff } from "./presence.js";

const HEARTBEAT_MS = 25_000;
const REPLY_MS = 10_000;
const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 3000; // a hub on the LAN starts in seconds, and musicians wait for it
const SETTLED_MS = 60_000;
const MAX_MESSAGE = 256 * 1024;
const KEY_IN_USE = "key in use";

export class Realtime {
  #options;
  #socket = null;
  #refs = 0;
  #joinRef = null;
  #awaited = null; // the heartbeat or join without a reply: {ref, timer}
  #heartbeat = null;
  #reconnect = null;
  #delayMs = FIRST_DELAY_MS;
  #joinedAt = 0;
  #presence = null; // until the first of a connection
  #state = "connecting";

  /**
   * @param options.url websocket address with apikey and vsn
   * @param options.topic as on the wire, `realtime:room:ABC123`
   * @param options.key our presence key, the peer id
   * @param options.onState called with connecting | joined | reconnecting | refused | left, and a reason where there is one
   * @param options.onPresence called with the whole presence state after each change
   * @param options.onBroadcast called with (event, payload)
   */
  constructor(options) {
    this.#options = options;
  }

  get state() {
    return this.#state;
  }

  open() {
    clearTimeout(this.#reconnect);
    const socket = new WebSocket(this.#options.url);
    this.#socket = socket;
    socket.onopen = () => this.#join();
    socket.onmessage = ({ data }) => this.#socket === socket && this.#receive(data);
    socket.onclose = () => this.#socket === socket && this.#lost();
    this.#await(null);
  }

  /** Say who we are, after each joining. */
  track(payload) {
    if (this.#state === "joined") this.#push("presence", { type: "presence", event: "track", payload });
  }

  broadcast(event, payload) {
    if (this.#state === "joined") this.#push("broadcast", { type: "broadcast", event, payload });
  }

  /** Try at once instead of waiting: the network is back, or a person is looking. */
  hurry() {
    if (this.#socket || !["connecting", "reconnecting"].includes(this.#state)) return;
    this.#delayMs = FIRST_DELAY_MS;
    this.open();
  }

  leave() {
    if (this.#state === "joined") this.#push("phx_leave", {});
    this.#end("left");
  }

  #join() {
    this.#refs += 1;
    this.#joinRef = String(this.#refs);
    const config = {
      broadcast: { ack: false, self: false },
      presence: { key: this.#options.key, enabled: true },
      postgres_changes: [],
      private: false,
    };
    this.#write(this.#options.topic, "phx_join", { config }, this.#joinRef);
    this.#await(this.#joinRef);
  }

  #push(event, payload) {
    this.#refs += 1;
    this.#write(this.#options.topic, event, payload, String(this.#refs));
  }

  #write(topic, event, payload, ref) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    this.#socket.send(JSON.stringify({ topic, event, payload, ref, join_ref: this.#joinRef }));
  }

  /** Without the reply to `ref` in time the socket is taken for dead, half-open ones included. */
  #await(ref) {
    this.#answered();
    this.#awaited = { ref, timer: setTimeout(() => this.#lost(), REPLY_MS) };
  }

  #answered() {
    clearTimeout(this.#awaited?.timer);
    this.#awaited = null;
  }

  #beat() {
    this.#refs += 1;
    const ref = String(this.#refs);
    this.#write("phoenix", "heartbeat", {}, ref);
    this.#await(ref);
  }

  #receive(text) {
    const message = decode(text);
    if (!message) return;
    const { topic, event, payload, ref } = message;
    if (event === "phx_reply" && this.#awaited && ref === this.#awaited.ref) {
      this.#answered();
      if (ref === this.#joinRef && this.#state !== "joined") this.#joinReply(payload);
      return;
    }
    if (topic === this.#options.topic) this.#receiveOnTopic(event, payload, ref);
  }

  #receiveOnTopic(event, payload, ref) {
    if (event === "presence_state") this.#show(fromState(payload));
    else if (event === "presence_diff") this.#presence && this.#show(withDiff(this.#presence, payload));
    else if (event === "broadcast") this.#receiveBroadcast(payload);
    else if (event === "phx_error") this.#lost();
    else if (event === "phx_close" && ref === this.#joinRef) this.#lost();
  }

  #receiveBroadcast({ event, payload = {} }) {
    const sound = typeof event === "string" && typeof payload === "object" && payload !== null;
    if (sound) this.#options.onBroadcast(event, payload);
  }

  #joinReply({ status, response }) {
    if (status !== "ok") {
      const reason = typeof response?.reason === "string" ? response.reason.slice(0, 200) : "";
      if (reason === KEY_IN_USE) return this.#lost(); // by our own connection from before, not yet taken for dead
      this.#end("refused", reason);
      return;
    }
    this.#joinedAt = performance.now();
    this.#presence = null;
    this.#heartbeat = setInterval(() => this.#beat(), HEARTBEAT_MS);
    this.#state = "joined";
    this.#options.onState("joined", "");
  }

  #show(presence) {
    this.#presence = presence;
    this.#options.onPresence(presence);
  }

  #lost() {
    this.#drop();
    if (this.#state === "joined" && performance.now() - this.#joinedAt > SETTLED_MS) this.#delayMs = FIRST_DELAY_MS;
    const wait = this.#delayMs * (0.5 + Math.random()); // a room must not come back as one
    this.#delayMs = Math.min(2 * this.#delayMs, LONGEST_DELAY_MS);
    this.#reconnect = setTimeout(() => this.open(), wait);
    this.#become(this.#state === "connecting" ? "connecting" : "reconnecting", "unreachable");
  }

  #end(state, reason = "") {
    clearTimeout(this.#reconnect);
    this.#drop();
    this.#become(state, reason);
  }

  #drop() {
    this.#answered();
    clearInterval(this.#heartbeat);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  #become(state, reason = "") {
    this.#state = state;
    this.#options.onState(state, reason);
  }
}

function decode(text) {
  if (typeof text !== "string" || text.length > MAX_MESSAGE) return null;
  try {
    const message = JSON.parse(text);
    const sound = typeof message?.event === "string" && typeof message.payload === "object" && message.payload !== null;
    return sound ? message : null;
  } catch {
    return null;
  }
}
