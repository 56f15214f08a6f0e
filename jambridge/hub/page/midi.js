/** Instruments at this browser: what they play goes to everybody, and what everybody plays to them. */

import { AGAIN_MS, ALIVE_MS, Journal, Reception, SILENT_TIMES, isChannelMessage } from "./midi_journal.js";

export const MIDI_CHANNEL = Object.freeze({ label: "midi", options: { ordered: false, maxRetransmits: 0 } });
const ECHO_MS = 50;
const MOST_SENT = 64;
const MOST_WAITING = 16_384; // bytes: what a channel does not get rid of is not sent

export class Midi {
  #roomTime;
  #access = null;
  #journal = new Journal();
  #peers = new Map(); // by channel: {reception, heardAt}
  #sent = []; // what an instrument may send back, with its time
  #again = [];
  #timer = null;
  #watch = null;

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
    this.#access = access ?? (await navigator.requestMIDIAccess());
    this.#access.onstatechange = () => this.#listen();
    this.#listen();
    this.#watch ??= setInterval(() => this.#look(), ALIVE_MS);
  }

  /** Serve a channel. */
  attach(channel) {
    const peer = { reception: new Reception(), heardAt: 0 };
    this.#peers.set(channel, peer);
    channel.onmessage = ({ data }) => {
      peer.heardAt = performance.now();
      this.#play(peer.reception.take(data, peer.heardAt));
    };
    channel.onclose = () => this.#forget(channel);
  }

  /** End everything that sounds because of us, and let the instruments go. */
  close() {
    for (const end of this.#journal.held.beyond([], [])) this.#journal.add(end, this.#roomTime());
    this.#send();
    for (const channel of [...this.#peers.keys()]) this.#forget(channel);
    clearTimeout(this.#timer);
    clearInterval(this.#watch);
    for (const input of this.#access?.inputs.values() ?? []) input.onmidimessage = null;
    this.#access = null;
  }

  #listen() {
    const isHere = [...this.#access.inputs.values()].some((input) => input.state !== "disconnected");
    if (!isHere) this.#hush();
    for (const input of this.#access.inputs.values()) input.onmidimessage = ({ data }) => this.#heard([...data]);
  }

  #heard(data) {
    if (!isChannelMessage(data) || this.#isEcho(data)) return;
    this.#journal.add(data, this.#roomTime());
    this.#again = [...AGAIN_MS];
    this.#send();
  }

  #isEcho(data) {
    const now = performance.now();
    this.#sent = this.#sent.filter(({ at }) => now - at < ECHO_MS);
    const found = this.#sent.findIndex(({ message }) => message.join() === data.join());
    if (found < 0 || this.#journal.held.isEndedBy(data)) return false;
    this.#sent.splice(found, 1);
    return true;
  }

  /** Send the next packet, and come back for those that repair it. */
  #send() {
    clearTimeout(this.#timer);
    const text = this.#journal.text(this.#roomTime());
    for (const channel of this.#peers.keys())
      if (channel.readyState === "open" && channel.bufferedAmount < MOST_WAITING) channel.send(text);
    const wait = this.#again.shift() ?? (this.#journal.held.isEmpty ? null : ALIVE_MS);
    if (wait !== null) this.#timer = setTimeout(() => this.#send(), wait);
  }

  /** An instrument is gone: what it held is over. */
  #hush() {
    const ends = this.#journal.held.beyond([], []);
    for (const end of ends) this.#journal.add(end, this.#roomTime());
    if (ends.length) this.#send();
  }

  #play(messages) {
    const outputs = [...(this.#access?.outputs.values() ?? [])];
    for (const message of outputs.length ? messages : []) {
      this.#sent = [...this.#sent.slice(1 - MOST_SENT), { message, at: performance.now() }];
      for (const output of outputs) output.send(message);
    }
  }

  /** End what is held by peers that said they would be heard, and are not. */
  #look() {
    const now = performance.now();
    for (const { reception, heardAt } of this.#peers.values())
      if (reception.alive !== null && now - heardAt > SILENT_TIMES * reception.alive) this.#play(reception.release());
  }

  #forget(channel) {
    const peer = this.#peers.get(channel);
    this.#peers.delete(channel);
    if (peer) this.#play(peer.reception.release());
  }
}
