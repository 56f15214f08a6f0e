/** Instruments at this browser: what they play goes to everybody, and what everybody plays to them. */

import { Thinning, isChannelMessage } from "./midi_held.js";
import { AGAIN_MS, ALIVE_MS, Journal, MOST_NEW, Reception, SILENT_TIMES } from "./midi_journal.js";
import { Merge } from "./midi_merge.js";

export const MIDI_CHANNEL = Object.freeze({ label: "midi", options: { ordered: false, maxRetransmits: 0 } });
const ECHO_MS = 50;
const MOST_SENT = 64;
const MOST_WAITING = 16_384; // bytes: what a channel does not get rid of is not sent
const APART_MS = 2; // two packets, where many are played
const AT_ONCE = 16; // packets after a pause: the timers of a page that is not looked at come once a second

export class Midi {
  #roomTime;
  #access = null;
  #inputs = new Set();
  #playing = new Merge(); // our inputs, into the room
  #sounding = new Merge(); // the others, by their ids, into our outputs
  #thinning = new Thinning();
  #journal = new Journal();
  #peers = new Map(); // by id: {reception, heardAt, channels}
  #sent = []; // what an instrument may send back, with its time
  #again = [];
  #newsAt = 0;
  #spentUntil = 0; // each packet spends APART_MS, of AT_ONCE times as much
  #timer = null;
  #watch = null;
  #closed = false;

  /** @param roomTime gives the room's time in milliseconds */
  constructor(roomTime) {
    this.#roomTime = roomTime;
  }

  static get isPossible() {
    return window.isSecureContext && navigator.requestMIDIAccess !== undefined;
  }

  /** Whether the browser would not ask. */
  static async isAllowed() {
    try {
      return Midi.isPossible && (await navigator.permissions.query({ name: "midi" })).state === "granted";
    } catch {
      return false;
    }
  }

  /** Use the instruments; throws what the browser does where it may not. */
  async open(access = null) {
    const given = access ?? (await navigator.requestMIDIAccess());
    if (this.#closed) return; // while the browser asked
    if (this.#access) this.#access.onstatechange = null; // it was asked twice, and gave other ports
    this.#access = given;
    this.#access.onstatechange = () => this.#listen();
    this.#listen();
    this.#watch ??= setInterval(() => this.#look(), ALIVE_MS);
  }

  /** Serve a channel with `peerId`: while a connection is replaced there are two, and one peer. */
  attach(peerId, channel) {
    const peer = this.#peers.get(peerId) ?? { reception: new Reception(), heardAt: 0, channels: [] };
    peer.channels = [...peer.channels.filter(({ readyState }) => readyState !== "closed"), channel];
    this.#peers.set(peerId, peer);
    channel.onmessage = ({ data }) => {
      peer.heardAt = performance.now();
      this.#play(peerId, peer.reception.take(data, peer.heardAt));
    };
    channel.onclose = () => this.#look();
  }

  /** End everything that sounds because of us, and let the instruments go. */
  close() {
    this.#closed = true;
    this.#add(this.#playing.hushAll());
    this.#send();
    for (const peerId of [...this.#peers.keys()]) this.#forget(peerId);
    clearTimeout(this.#timer);
    clearInterval(this.#watch);
    for (const input of this.#inputs) input.onmidimessage = null;
    if (this.#access) this.#access.onstatechange = null;
    this.#access = null;
  }

  /** To the inputs that there are; what one held that is gone is over. */
  #listen() {
    const before = this.#inputs;
    this.#inputs = new Set(present(this.#access.inputs));
    for (const input of before) if (!this.#inputs.has(input)) this.#lose(input);
    for (const input of this.#inputs) input.onmidimessage = ({ data }) => this.#heard(input, [...data]);
  }

  #lose(input) {
    input.onmidimessage = null;
    this.#tell(this.#playing.hush(input));
  }

  #heard(input, data) {
    if (isChannelMessage(data) && !this.#isEcho(input, data)) this.#tell(this.#playing.play(input, data));
  }

  /** Never what ends a note that this input holds. */
  #isEcho(input, data) {
    const now = performance.now();
    this.#sent = this.#sent.filter(({ at }) => now - at < ECHO_MS);
    const found = this.#sent.findIndex(({ message }) => message.join() === data.join());
    if (found < 0 || this.#playing.isEndedBy(input, data)) return false;
    this.#sent.splice(found, 1);
    return true;
  }

  /** Everybody: at once, or, where many packets have just gone, some milliseconds later and more in one. */
  #tell(messages) {
    this.#add(messages);
    if (!this.#journal.waiting) return;
    const now = performance.now();
    const due = this.#journal.waiting >= MOST_NEW ? now : this.#spentUntil - (AT_ONCE - 1) * APART_MS;
    if (due <= now) this.#send();
    else this.#sendAt(due, now);
  }

  #add(messages) {
    const now = performance.now();
    for (const data of messages) if (this.#thinning.admits(data, now)) this.#journal.add(data, this.#roomTime());
  }

  /** Send the next packet, and come back for those that repair it. */
  #send() {
    const now = performance.now();
    if (this.#journal.waiting) [this.#newsAt, this.#again] = [now, [...AGAIN_MS]];
    this.#spentUntil = Math.min(Math.max(now, this.#spentUntil) + APART_MS, now + AT_ONCE * APART_MS);
    const { held } = this.#thinning;
    const text = this.#journal.text(held, this.#roomTime());
    for (const { channels } of this.#peers.values())
      for (const channel of channels)
        if (channel.readyState === "open" && channel.bufferedAmount < MOST_WAITING) channel.send(text);
    const again = this.#again.shift();
    if (again !== undefined) this.#sendAt(this.#newsAt + again, now);
    else if (!held.isEmpty) this.#sendAt(now + ALIVE_MS, now);
    else clearTimeout(this.#timer);
  }

  #sendAt(due, now) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#send(), Math.max(0, due - now));
  }

  #play(peerId, messages) {
    this.#give(messages.flatMap((message) => this.#sounding.play(peerId, message)));
  }

  /** To every output. */
  #give(messages) {
    const outputs = present(this.#access?.outputs);
    for (const message of outputs.length ? messages : []) {
      this.#sent = [...this.#sent.slice(1 - MOST_SENT), { message, at: performance.now() }];
      for (const output of outputs) output.send(message);
    }
  }

  /** End what is held by peers that are gone, and by those that said they would be heard, and are not. */
  #look() {
    const now = performance.now();
    for (const [peerId, { reception, heardAt, channels }] of this.#peers) {
      if (channels.every(({ readyState }) => readyState === "closed")) this.#forget(peerId);
      else if (!reception.held.isEmpty && reception.alive !== null && now - heardAt > SILENT_TIMES * reception.alive) {
        reception.forget();
        this.#give(this.#sounding.hush(peerId));
      }
    }
  }

  #forget(peerId) {
    this.#peers.delete(peerId);
    this.#give(this.#sounding.hush(peerId));
  }
}

/** The ports of a kind that are plugged in. */
function present(ports) {
  return [...(ports?.values() ?? [])].filter(({ state }) => state !== "disconnected");
}
