/** Our links with everybody we connect with, and the signals that make them. */

import { Connection } from "./connection.js";
import { Link } from "./link.js";

const MAX_ID = 64;

export class Mesh {
  #selfId;
  #track;
  #say;
  #changed;
  #sync;
  #midi;
  #links = new Map();

  /**
   * @param track what we send; null to listen
   * @param say broadcasts a `webrtc-signal` payload
   * @param changed called after each change of a link's state or stream
   * @param sync called with a peer's id and its `sync` data channel
   * @param midi the same with its `midi` data channel
   */
  constructor({ selfId, track, say, changed, sync, midi }) {
    this.#selfId = selfId;
    this.#track = track;
    this.#say = say;
    this.#changed = changed;
    this.#sync = sync;
    this.#midi = midi;
  }

  /** Hold links with exactly these peers. */
  connectWith(peerIds) {
    for (const [id, link] of this.#links) {
      if (peerIds.has(id)) continue;
      this.#links.delete(id);
      link.close();
    }
    for (const id of peerIds) if (!this.#links.has(id)) this.#connect(id);
  }

  /** Take a `webrtc-signal` payload, its `fromPeerId` being the id of whoever sent it. */
  receive(payload) {
    const { type, targetPeerId, fromPeerId, connectionId = null, data } = payload;
    if (targetPeerId !== this.#selfId) return;
    if (connectionId !== null && (typeof connectionId !== "string" || connectionId.length > MAX_ID)) return;
    const link = this.#links.get(fromPeerId);
    if (typeof data === "object" && data !== null) link?.receive(type, connectionId, data);
  }

  returned() {
    for (const link of this.#links.values()) link.returned();
  }

  setTrack(track) {
    this.#track = track;
    for (const link of this.#links.values()) link.setTrack(track);
  }

  close() {
    this.connectWith(new Set());
  }

  state(peerId) {
    return this.#links.get(peerId)?.state ?? "none";
  }

  stream(peerId) {
    return this.#links.get(peerId)?.stream ?? null;
  }

  #connect(peerId) {
    const link = new Link({
      selfId: this.#selfId,
      peerId,
      open: (id, offering, callbacks) =>
        new Connection(id, offering, this.#track, {
          ...callbacks,
          sync: (channel) => this.#sync(peerId, channel),
          midi: (channel) => this.#midi(peerId, channel),
        }),
      send: (type, connectionId, data) => this.#signal(peerId, type, connectionId, data),
      changed: this.#changed,
    });
    this.#links.set(peerId, link);
    link.start();
  }

  #signal(peerId, type, connectionId, data) {
    const named = connectionId === null ? {} : { connectionId };
    this.#say({ type, targetPeerId: peerId, fromPeerId: this.#selfId, ...named, data });
  }
}
