/** One stay in one room: presence, state, host, roles and links together. No DOM. */

import { Mesh } from "./mesh.js";
import { Midi } from "./midi.js";
import { participants } from "./presence.js";
import { Realtime } from "./realtime.js";
import { CLOCK, MIDI, bySeniority, partners } from "./roles.js";
import { Roster } from "./roster.js";
import { Saver } from "./saving.js";
import { Sharing } from "./sharing.js";
import { WireError } from "./state.js";
import { EVENTS } from "./state_messages.js";
import { remembered } from "./stored.js";
import { Sync } from "./sync.js";

const SIGNAL = "webrtc-signal";
const MOVED = "hub-moved";
const MAX_ID = 64;
const LONGEST_TIMER_MS = 60_000;
const NAMED = /^(jambridge|jam-page\/|socket\.io)/; // clients that say who they are with each signal, or send none

export class Session {
  #self;
  #realtime;
  #mesh;
  #sharing;
  #saver;
  #sync;
  #midi;
  #noticed = { state: null, host: null, allowed: true };
  #goesOn = null; // whether we are the first host, and may go on where a session was; null until there is a host
  #roster = new Roster();
  #present = [];
  #members = [];
  #arriving = false; // in the room, but what is there is not seen yet
  #tracked = false;
  #grace = null;
  #due = null;
  #changed;
  #shared;
  #moved;

  /**
   * @param self {id, name, instrument, client, sends}
   * @param track what we send; null to listen
   * @param onRoom called with the room's state and a reason, as in Realtime
   * @param onMembers called whenever `members` may have changed
   * @param onShared called whenever `shared`, the tempo and so on, or `allowed` has changed
   * @param onMoved called with the page of the hub that takes this one's place
   */
  constructor({ url, code, self, track, onRoom, onMembers, onShared, onMoved }) {
    this.#self = { ...self, isHost: false, joinedAt: Date.now(), capabilities: [] };
    this.#changed = onMembers;
    this.#shared = onShared;
    this.#moved = onMoved;
    this.#sharing = new Sharing(self.id, { jitter: Math.random });
    this.#saver = new Saver(code, {
      look: () => ({ state: this.shared, participants: Math.max(1, this.#members.length) }),
      found: (row) => this.#goOn(row),
    });
    this.#sync = new Sync(self.id);
    this.#midi = new Midi(() => performance.now() + this.#sync.offset);
    this.#mesh = new Mesh({
      selfId: self.id,
      track,
      say: (payload) => this.#realtime.broadcast(SIGNAL, payload),
      changed: onMembers,
      sync: (peerId, channel) => this.#sync.attach(peerId, channel),
      midi: (peerId, channel) => this.#midi.attach(peerId, channel),
    });
    this.#realtime = new Realtime({
      url,
      topic: `realtime:room:${code}`,
      key: self.id,
      onState: (state, reason) => {
        this.#arriving = state === "joined";
        if (!this.#arriving) this.#away();
        onRoom(state, reason);
      },
      onPresence: (state) => this.#seen(participants(state)),
      onBroadcast: (event, payload) => this.#heard(event, payload),
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
      isHost: member.id === this.#sharing.host,
      link: this.#mesh.state(member.id),
      stream: this.#mesh.stream(member.id),
    }));
  }

  /** The RoomState in force. */
  get shared() {
    return this.#sharing.state;
  }

  /** Whether we may change it. */
  get allowed() {
    return this.#sharing.allowed;
  }

  /** Change the room's state for everyone, if we are `allowed` to; throws WireError for what the field cannot be. */
  change(field, value) {
    this.#tell(this.#sharing.change(field, value, performance.now()));
  }

  setTrack(track) {
    this.#mesh.setTrack(track);
  }

  /** Let instruments at this browser play along; throws what the browser does where it may not. */
  async openMidi() {
    await this.#midi.open();
  }

  leave() {
    this.#midi.close();
    this.#say(this.#sharing.leaving(Date.now()));
    clearTimeout(this.#grace);
    clearTimeout(this.#due);
    this.#saver.close();
    this.#sync.close();
    this.#mesh.close();
    this.#realtime.leave();
  }

  #away() {
    this.#saver.hosting(false);
    this.#sharing.lost();
  }

  #seen(present) {
    this.#present = present.filter((member) => member.id !== this.#self.id);
    if (this.#arriving) this.#takePlace();
    if (this.#tracked) this.#update();
  }

  /** After each joining, once we see who is there: who finds nobody the first time is the host. */
  #takePlace() {
    this.#arriving = false;
    const now = performance.now();
    const isFirst = !this.#tracked && !this.#present.length;
    this.#self.isHost = isFirst || this.#sharing.host === this.#self.id;
    // Who only listens connects with us for the sake of these.
    this.#self.capabilities = [...(this.#self.isHost ? [CLOCK] : []), ...(Midi.isPossible ? [MIDI] : [])];
    const { id: _, joinedAt, ...shown } = this.#self;
    this.#realtime.track({ ...shown, joinedAt: new Date(joinedAt).toISOString() });
    this.#roster.rejoined(now);
    if (this.#tracked) this.#mesh.returned();
    this.#tracked = true;
    this.#tell(this.#sharing.joined([...this.#present, this.#self], Date.now(), now));
  }

  #update() {
    const now = performance.now();
    const others = this.#roster.update(this.#present, now);
    this.#members = [this.#self, ...others.sort(bySeniority)];
    this.#mesh.connectWith(partners(this.#self, this.#members));
    clearTimeout(this.#grace);
    if (this.#roster.awaitedUntil !== null)
      this.#grace = setTimeout(() => this.#update(), this.#roster.awaitedUntil - now);
    this.#tell(this.#sharing.membersChanged(this.#members, Date.now(), now));
    this.#changed();
  }

  #heard(event, payload) {
    const { fromPeerId } = payload;
    if (fromPeerId === this.#self.id) return;
    if (event === SIGNAL) this.#mesh.receive({ ...payload, fromPeerId: fromPeerId ?? this.#onlyOlder() });
    else if (event === MOVED && fromPeerId === undefined) this.#moved(payload.page);
    else if (EVENTS.has(event) && this.#tracked) this.#hearOfState(event, payload, fromPeerId);
  }

  /** An older app does not say who it is: no doubt where one alone of those whom we connect with may be such an app. */
  #onlyOlder() {
    const [one, another] = this.#members.filter(
      ({ id, client }) => this.#mesh.state(id) !== "none" && !NAMED.test(client),
    );
    return another ? undefined : one?.id;
  }

  #hearOfState(event, payload, fromPeerId) {
    const sender = typeof fromPeerId === "string" ? fromPeerId.slice(0, MAX_ID) : ""; // an older app does not say
    try {
      this.#tell(this.#sharing.receive(event, payload, sender, performance.now()));
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
    }
  }

  /** What is stored of this room: the first host goes on there, as long as nobody has changed anything. */
  #goOn(row) {
    if (this.#goesOn && this.#sharing.host === this.#self.id && !this.shared.revision)
      this.#tell(this.#sharing.restore(remembered(row, Date.now()), performance.now()));
    this.#goesOn = false;
  }

  /** Send what the state protocol wants said, show what it made of what came, and keep its next appointment. */
  #tell(said) {
    this.#say(said);
    if (this.#sharing.host !== null) this.#goesOn ??= this.#sharing.host === this.#self.id;
    this.#saver.hosting(this.#realtime.state === "joined" && this.#sharing.host === this.#self.id);
    this.#appoint();
    this.#notice();
  }

  #say(said) {
    for (const { event, payload } of said) this.#realtime.broadcast(event, { ...payload, fromPeerId: this.#self.id });
  }

  #appoint() {
    clearTimeout(this.#due);
    const { deadline } = this.#sharing;
    if (deadline === Infinity) return;
    const wait = Math.min(Math.max(0, deadline - performance.now()), LONGEST_TIMER_MS);
    this.#due = setTimeout(() => this.#tell(this.#sharing.tick(performance.now())), wait);
  }

  #notice() {
    const { state, host, allowed } = this.#sharing;
    const before = this.#noticed;
    this.#noticed = { state, host, allowed };
    if (state !== before.state || allowed !== before.allowed) this.#shared();
    if (host === before.host) return;
    this.#sync.follow(host);
    this.#changed();
  }
}
