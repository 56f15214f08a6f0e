/** One stay in one room: presence, roles and links together. No DOM. */

import { Mesh } from "./mesh.js";
import { participants } from "./presence.js";
import { Realtime } from "./realtime.js";
import { host, partners } from "./roles.js";
import { Roster } from "./roster.js";

const SIGNAL = "webrtc-signal";

export class Session {
  #self;
  #realtime;
  #mesh;
  #roster = new Roster();
  #present = [];
  #members = [];
  #host = null;
  #tracked = false;
  #grace = null;
  #changed;

  /**
   * @param self {id, name, instrument, client, sends}
   * @param track what we send; null to listen
   * @param onRoom called with the room's state and a reason, as in Realtime
   * @param onMembers called whenever `members` may have changed
   */
  constructor({ url, code, self, track, onRoom, onMembers }) {
    this.#self = { ...self, isHost: false, joinedAt: Date.now() };
    this.#changed = onMembers;
    this.#mesh = new Mesh({
      selfId: self.id,
      track,
      say: (payload) => this.#realtime.broadcast(SIGNAL, payload),
      changed: onMembers,
    });
    this.#realtime = new Realtime({
      url,
      topic: `realtime:room:${code}`,
      key: self.id,
      onState: (state, reason) => {
        if (state === "joined") this.#joined();
        onRoom(state, reason);
      },
      onPresence: (state) => this.#seen(participants(state)),
      onBroadcast: (event, payload) => event === SIGNAL && this.#mesh.receive(payload),
    });
  }

  open() {
    this.#realtime.open();
  }

  hurry() {
    this.#realtime.hurry();
  }

  /** Ourselves first, then by time of joining: participants with `self`, `isHost`, `link` and `stream`. */
  get members() {
    return this.#members.map((member) => ({
      ...member,
      self: member.id === this.#self.id,
      isHost: member.id === this.#host,
      link: this.#mesh.state(member.id),
      stream: this.#mesh.stream(member.id),
    }));
  }

  setTrack(track) {
    this.#mesh.setTrack(track);
  }

  leave() {
    clearTimeout(this.#grace);
    this.#mesh.close();
    this.#realtime.leave();
  }

  #joined() {
    if (!this.#tracked) return;
    this.#roster.rejoined(performance.now());
    this.#mesh.returned();
  }

  #seen(present) {
    this.#present = present.filter((member) => member.id !== this.#self.id);
    if (!this.#tracked) this.#track();
    this.#update();
  }

  /** Once, after the first look around: who finds nobody is the host. */
  #track() {
    this.#tracked = true;
    this.#self.isHost = this.#present.length === 0;
    const { name, isHost, joinedAt, instrument, client, sends } = this.#self;
    const since = new Date(joinedAt).toISOString();
    this.#realtime.track({ name, isHost, joinedAt: since, instrument, client, sends, capabilities: [] });
  }

  #update() {
    const now = performance.now();
    const others = this.#roster.update(this.#present, now);
    this.#members = [this.#self, ...others.sort((one, other) => one.joinedAt - other.joinedAt)];
    this.#host = host(this.#members);
    this.#mesh.connectWith(partners(this.#self, this.#members));
    clearTimeout(this.#grace);
    if (this.#roster.awaitedUntil !== null)
      this.#grace = setTimeout(() => this.#update(), this.#roster.awaitedUntil - now);
    this.#changed();
  }
}
