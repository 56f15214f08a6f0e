/** One attempt to connect with one peer: an RTCPeerConnection with its own id, candidates and sound. */

import { MIDI_CHANNEL } from "./midi.js";
import { forMusic } from "./sdp.js";
import { SYNC_CHANNEL } from "./sync.js";

const BATCH_MS = 100;
const MAX_CANDIDATES = 64;

export class Connection {
  #pc;
  #callbacks;
  #sender = null;
  #track;
  #queued = []; // candidates that came before the remote description
  #batch = null;
  #closed = false;

  /**
   * @param id names the attempt in every signal; null towards an app that does not name its own
   * @param offering whether we made the offer
   * @param track what we send; null to listen
   * @param callbacks.changed called after each change of state
   * @param callbacks.candidates called with a list of RTCIceCandidateInit
   * @param callbacks.sync called with the `sync` data channel, before it is open
   * @param callbacks.midi the same for the `midi` channel
   */
  constructor(id, offering, track, callbacks) {
    this.id = id;
    this.offering = offering;
    this.candidates = []; // all of ours so far: sent again with a repeated offer or answer
    this.description = null; // ours, as sent
    this.stream = null;
    this.#track = track;
    this.#callbacks = callbacks;
    this.#pc = new RTCPeerConnection({ iceServers: [], bundlePolicy: "max-bundle" });
    this.#pc.onconnectionstatechange = () => this.#closed || callbacks.changed();
    this.#pc.onicecandidate = ({ candidate }) => candidate?.candidate && this.#gathered(candidate.toJSON());
    this.#pc.ondatachannel = ({ channel }) => {
      if (channel.label === SYNC_CHANNEL.label) callbacks.sync(channel);
      if (channel.label === MIDI_CHANNEL.label) callbacks.midi?.(channel);
    };
    this.#pc.ontrack = ({ track: heard, receiver }) => {
      if ("jitterBufferTarget" in receiver) receiver.jitterBufferTarget = 0; // as little as the browser dares
      this.stream = new MediaStream([heard]);
      callbacks.changed();
    };
  }

  /** connecting | connected | disconnected | failed */
  get state() {
    const state = this.#closed ? "closed" : this.#pc.connectionState;
    return { new: "connecting", closed: "failed" }[state] ?? state;
  }

  async offer() {
    this.#sender = this.#pc.addTransceiver(this.#track ?? "audio", {
      direction: this.#track ? "sendrecv" : "recvonly",
    }).sender;
    this.#callbacks.sync(this.#pc.createDataChannel(SYNC_CHANNEL.label, SYNC_CHANNEL.options));
    this.#callbacks.midi?.(this.#pc.createDataChannel(MIDI_CHANNEL.label, MIDI_CHANNEL.options));
    return this.#describe(await this.#pc.createOffer());
  }

  /** Throws where the offer is malformed. */
  async answer(offer) {
    if (offer?.type !== "offer") throw new TypeError("not an offer");
    if (this.#track) this.#sender = this.#pc.addTrack(this.#track);
    await this.#describeRemote(offer);
    return this.#describe(await this.#pc.createAnswer());
  }

  /** Throws where the answer is malformed or not awaited. */
  async accept(answer) {
    if (answer?.type !== "answer") throw new TypeError("not an answer");
    await this.#describeRemote(answer);
  }

  add(candidates) {
    for (const candidate of candidates.slice(0, MAX_CANDIDATES)) {
      if (this.#pc.remoteDescription) this.#add(candidate);
      else if (this.#queued.length < MAX_CANDIDATES) this.#queued.push(candidate);
    }
  }

  /** Send `track` from now on; a connection that was opened to listen keeps listening. */
  setTrack(track) {
    this.#sender?.replaceTrack(track).catch(() => this.#callbacks.changed());
  }

  /** Whether sound has arrived, silence included. */
  async carries() {
    const report = this.#closed ? [] : await this.#pc.getStats();
    return [...report.values()].some((entry) => entry.type === "inbound-rtp" && entry.packetsReceived > 0);
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#batch);
    this.#pc.close();
  }

  async #describe(description) {
    this.description = { type: description.type, sdp: forMusic(description.sdp) };
    await this.#pc.setLocalDescription(this.description);
    return this.description;
  }

  async #describeRemote({ type, sdp }) {
    await this.#pc.setRemoteDescription({ type, sdp });
    for (const candidate of this.#queued.splice(0)) this.#add(candidate);
  }

  #add(candidate) {
    this.#pc.addIceCandidate(candidate).catch(() => {}); // an unusable one is one path less, no more
  }

  #gathered(candidate) {
    if (this.candidates.length >= MAX_CANDIDATES) return;
    const from = this.candidates.push(candidate) - 1;
    this.#batch ??= setTimeout(() => {
      this.#batch = null;
      this.#callbacks.candidates(this.candidates.slice(from));
    }, BATCH_MS);
  }
}
