/**
 * Unmodified supabase-js clients, driven from standard input: `node driver.mjs 1.0.0|2.0.0`.
 *
 * A line in is `{id, guest, does, with}`: call that one of `acts` for that guest. A line out is `{id, result}` or
 * `{id, error}`. What a guest is told meanwhile is kept until `look` asks for it.
 */

import { createRequire } from "node:module";
import readline from "node:readline";

const require = createRequire(new URL("../../npm/package.json", import.meta.url));
const { createClient } = require("@supabase/supabase-js");
const ws = require("ws");

const vsn = process.argv[2];
const guests = new Map();

class Guest {
  states = [];
  heard = [];
  presence = [];
  told = []; // every frame received, as the client's logger shows it

  constructor({ url, key, room, ack = false, echo = false, config = {} }) {
    const logger = (kind, message, payload) => kind === "receive" && this.#note(message, payload);
    const auth = { persistSession: false, autoRefreshToken: false };
    this.client = createClient(url, "any.key.works", { auth, realtime: { vsn, transport: ws, logger } });
    this.room = room;
    this.config = { broadcast: { ack, self: echo }, presence: { key }, ...config };
    this.client.realtime.onHeartbeat((status) => this.states.push(`heartbeat ${status}`));
    this.enter();
  }

  /** A channel object of the room; the one before is closed. */
  enter() {
    this.channel = this.client.channel(this.room, { config: this.config });
    for (const event of ["sync", "join", "leave"])
      this.channel.on("presence", { event }, ({ key }) => this.presence.push(key ? `${event} ${key}` : event));
    this.channel.on("broadcast", { event: "*" }, ({ event, payload, meta }) =>
      this.heard.push({ event, payload: shown(payload), ...(meta && { meta }) }),
    );
  }

  subscribe() {
    return new Promise((resolve) =>
      this.channel.subscribe((state, error) => {
        this.states.push(error ? `${state} ${error.message}` : state);
        resolve(state);
      }),
    );
  }

  #note(message, payload) {
    const words = message.split(" "); // "[status] topic event [(ref)]"
    const ref = words.at(-1).startsWith("(") ? words.pop().slice(1, -1) : null;
    const [topic, event] = words.slice(-2);
    this.told.push({ topic, event, ref, payload: shown(payload) });
  }
}

function shown(payload) {
  if (payload instanceof ArrayBuffer) return { base64: Buffer.from(payload).toString("base64") };
  return payload?.payload instanceof ArrayBuffer ? { ...payload, payload: shown(payload.payload) } : payload;
}

function bytes(base64) {
  return Uint8Array.from(Buffer.from(base64, "base64")).buffer;
}

const acts = {
  subscribe: (guest) => guest.subscribe(),
  rejoin(guest) {
    guest.enter();
    return guest.subscribe();
  },
  track: (guest, { payload }) => guest.channel.track(payload),
  untrack: (guest) => guest.channel.untrack(),
  send: (guest, { event, payload }) => guest.channel.send({ type: "broadcast", event, payload }),
  sendBytes: (guest, { event, base64 }) => guest.channel.send({ type: "broadcast", event, payload: bytes(base64) }),
  httpSend: (guest, { event, payload }) => guest.channel.httpSend(event, payload),
  httpSendBytes: (guest, { event, base64 }) => guest.channel.httpSend(event, bytes(base64)),
  leave: (guest) => guest.channel.unsubscribe(),
  setAuth: (guest, { token }) => guest.client.realtime.setAuth(token),
  heartbeat: (guest) => guest.client.realtime.sendHeartbeat(),
  /** A frame that no method of the client sends. */
  push(guest, { topic, event, payload }) {
    const ref = guest.client.realtime._makeRef();
    guest.client.realtime.push({ topic, event, payload, ref, join_ref: guest.channel.joinPush.ref });
    return ref;
  },
  joinPayload: (guest) => guest.channel.joinPush.payload(),
  look: ({ channel, states, heard, presence, told }) => ({
    states,
    heard,
    presence,
    told,
    members: channel.presenceState(),
  }),
  /** PostgREST: `calls` are the methods of one query, as [name, ...arguments]. */
  async rest({ client }, { table, calls }) {
    const query = calls.reduce((builder, [name, ...args]) => builder[name](...args), client.from(table));
    const { data, error, count, status } = await query;
    return { data, error, count, status };
  },
  /** Its end is not waited for: the client looks for it only every 150 ms. */
  close(guest) {
    guests.delete(guest.name);
    guest.client.realtime.disconnect();
  },
};

async function act({ id, guest: name, does, with: options }) {
  try {
    if (does === "open") {
      guests.set(name, Object.assign(new Guest(options), { name }));
      return { id, result: null };
    }
    return { id, result: (await acts[does](guests.get(name), options)) ?? null };
  } catch (error) {
    return { id, error: String(error?.message ?? error) };
  }
}

console.log = console.warn = console.error; // standard output is ours
for await (const line of readline.createInterface({ input: process.stdin }))
  act(JSON.parse(line)).then((answer) => process.stdout.write(`${JSON.stringify(answer)}\n`));
process.exit(0);
