/**
 * Keeps the room's state in step: what is heard, said and said again; as the daemon's `room/sharing.py`. Pure;
 * milliseconds.
 *
 * A change is said at once. The host's digest, soon after a change and every ten seconds, confirms and repairs: who
 * missed something finds it there, who knows better says it again. What was not confirmed is said again as well.
 */

import { ELECTED, Hosting } from "./hosting.js";
import { Answering, Asking, Digests, NEVER, Saying } from "./schedules.js";
import { FIELDS, MOST_AHEAD, RoomState, TRUST, checked, compareStamps } from "./state.js";
import { change, digest, hostChange, parse, request, sync } from "./state_messages.js";

const ANSWER_WITHIN_MS = 150;
const ANSWER_FOR_HOST_MS = 300; // where only the host's word counts, the others leave it the first answer
const REQUESTS_AFTER_MS = [0, 500, 1000, 2000, 4000];
const UNANSWERED_AFTER_MS = 1000;
const HOST_GRACE_MS = 6000; // a host that is gone is awaited: its connection may have died
const QUESTIONS_AFTER_MS = [1000, 3000];
const QUESTION_PAUSE_MS = 2000;
const RETURN_MS = 15_000; // members are back by then after their hub was away; also where only the host changes anything

/** Only the host changes this room's state, and that is another. */
export class NotHostError extends Error {}

/**
 * One member's side. Every method gives what is to be sent, a list of {event, payload}; `deadline` says when `tick` must
 * be called. What cannot be sent is lost, and that is well: what matters is said again.
 */
export class Sharing {
  state;
  dropped = new Map(); // how often, by reason
  #me;
  #jitter;
  #hosting;
  #saying = new Saying();
  #answering = new Answering();
  #digests = new Digests();
  #requests = new Asking();
  #questions = new Asking();
  #wanted = new Map(); // stamps by field that others hold and we lack
  #electAt = NEVER;
  #joinedAt = -NEVER;
  #freshUntil = -NEVER;
  #wallMinusLocal = 0;

  #hostOnly;

  /**
   * @param jitter gives 0..1
   * @param hostOnly whether only the host changes anything, until a host says so or not; a host goes on by what it heard
   */
  constructor(me, { state = new RoomState(), jitter, hostOnly = false }) {
    this.#me = me;
    this.#hostOnly = hostOnly;
    this.#jitter = jitter;
    this.#hosting = new Hosting(me);
    this.state = state;
  }

  get host() {
    return this.#hosting.host;
  }

  /** Whether we may change the state. */
  get allowed() {
    return !this.#hostOnly || this.host === null || this.host === this.#me;
  }

  /** Infinity for never. */
  get deadline() {
    const digests = this.#digesting ? this.#digests.deadline : NEVER;
    const asking = [this.#saying, this.#answering, this.#requests, this.#questions].map(({ deadline }) => deadline);
    return Math.min(...asking, this.#electAt, digests);
  }

  /**
   * After every subscribing and tracking; `members` are those present before us, and we; `wall` is the time since 1970.
   * Who was known before and is not back yet counts as present until `membersChanged`, which follows.
   */
  joined(members, wall, now) {
    this.#wallMinusLocal = wall - now;
    this.#joinedAt = now;
    this.#hosting.joined(members, now);
    this.#electAt = this.host === null ? now + UNANSWERED_AFTER_MS : NEVER;
    this.#awaitHost(now);
    if (this.#hosting.others) {
      this.#requests.at(now, REQUESTS_AFTER_MS);
      this.#freshUntil = now + REQUESTS_AFTER_MS.at(-1) + UNANSWERED_AFTER_MS;
    }
    this.#digests.changed(now);
    return this.tick(now);
  }

  /** `members` are all who count as present. */
  membersChanged(members, wall, now) {
    this.#wallMinusLocal = wall - now;
    const newcomers = members.some(({ id }) => !this.#hosting.isPresent(id));
    this.#hosting.changed(members);
    this.#awaitHost(now);
    if (newcomers) this.#digests.changed(now);
    return this.tick(now);
  }

  /** We are not in the room until we have `joined` again; meanwhile we know too little to elect anybody. */
  lost() {
    this.#electAt = NEVER;
  }

  /** We go for good: a host names who follows it, so that nobody waits for it to come back. */
  leaving(wall) {
    const successor = this.#digesting ? this.#hosting.handOver(wall) : null;
    return successor === null ? [] : [hostChange(successor, ELECTED)];
  }

  /** One of EVENTS; throws WireError for nonsense, of which nothing is taken. */
  receive(event, payload, sender, now) {
    const said = this.#receive(parse(event, payload, sender), sender, now);
    return [...said, ...this.tick(now)];
  }

  /** Our own change; throws WireError for a value that the field cannot have, NotHostError where we are not `allowed`. */
  change(name, value, now) {
    checked(name, value);
    this.#checkAllowed();
    this.#set(name, value, now);
    return this.tick(now);
  }

  /**
   * A stored session's fields, an object, as changes that nobody made: whatever anybody changes, or has changed, is
   * higher. Errors as in `change`, and then none is applied.
   */
  restore(values, now) {
    const wanted = FIELDS.filter((name) => Object.hasOwn(values, name)).map((name) => [name, checked(name, values[name])]);
    this.#checkAllowed();
    for (const [name, value] of wanted) this.#set(name, value, now, "");
    return this.tick(now);
  }

  /** What is due. */
  tick(now) {
    const said = this.#saying.take(now).map((name) => change(this.state, name, this.#me));
    if (this.#requests.take(now)) said.push(request({ fields: [...this.#wanted.keys()].sort() }));
    if (now >= this.#electAt) said.push(...this.#elect(now));
    const standing = this.#hosting.standing(now);
    if (this.#questions.take(now) && this.host !== null && this.host !== this.#me)
      said.push(request({ target: this.host }));
    said.push(...this.#answering.take(now).map((id) => sync(this.state, this.host, standing, this.#hostOnly, id)));
    if (this.#digesting && this.#digests.take(now))
      said.push(digest(this.state, this.host, standing, this.#hostOnly));
    return said;
  }

  get #digesting() {
    return this.host === this.#me && this.#hosting.others;
  }

  #receive(message, sender, now) {
    const { kind } = message;
    if (kind === "change") this.#hearChange(message, sender, now);
    else if (kind === "request") this.#asked(sender, message.target, now);
    else if (kind === "host") return this.#hear(sender, message.host, message.standing, now);
    else return this.#hearSnapshot(message, sender, now);
    return [];
  }

  // Our own changes

  #checkAllowed() {
    if (!this.allowed) throw new NotHostError("only the host changes the tempo, key and mode of this room");
  }

  #set(name, value, now, author = this.#me) {
    this.state = this.state.changed(name, value, author);
    this.#sayChange(name, now);
  }

  #sayChange(name, now) {
    this.#saying.change(name, now, { confirm: this.#hosting.others && this.host !== this.#me });
    this.#digests.changed(now);
  }

  // What others say of the state

  /** An older browser's change bears no stamp: the host gives it one, and says it to all. */
  #hearChange({ name, value, stamp }, sender, now) {
    if (stamp !== null) this.#offer(name, value, stamp, sender, now);
    else if (this.host !== this.#me) this.#drop("unstamped");
    else if (this.#hostOnly) this.#undo(name, now); // it has already changed it for itself
    else this.#set(name, value, now);
  }

  #undo(name, now) {
    this.#drop("not the host's");
    this.#sayChange(name, now);
  }

  #hearSnapshot(snapshot, sender, now) {
    const said = this.#hear(sender, snapshot.host, snapshot.standing, now);
    if (sender === this.host) this.#hostOnly = snapshot.hostOnly;
    this.#compare(snapshot, sender, now);
    if (snapshot.kind === "sync") this.#overhear(snapshot);
    return said;
  }

  /** A field as somebody holds it. */
  #offer(name, value, stamp, sender, now) {
    const mine = this.state.stamp(name);
    const ofHost = sender === this.host;
    if (this.#hostOnly && !ofHost && !this.#returns(mine, now)) return this.#refuse(name, stamp, now);
    const stranger = this.#isFresh(name, now) ? TRUST.answer : TRUST.member;
    const state = this.state.offered(name, value, stamp, ofHost ? TRUST.host : stranger);
    if (state === null) return this.#drop("too far ahead");
    this.#take(state, name, now);
    if (compareStamps(stamp, mine) >= 0) this.#saying.saidByAnother(name);
    return undefined;
  }

  /** A newcomer that waits for the first answer knows nothing of this field. */
  #isFresh(name, now) {
    return now < this.#freshUntil && this.state.stamp(name)[0] === 0;
  }

  /** A host that has just come, into a room that may have been in step before, and never set this field itself. */
  #returns([, author], now) {
    return this.host === this.#me && !author && now < this.#joinedAt + RETURN_MS;
  }

  /** Where only the host changes anything: the host says its own value, higher than what was tried. */
  #refuse(name, stamp, now) {
    const mine = this.state.stamp(name);
    if (compareStamps(stamp, mine) <= 0) return;
    this.#drop("not the host's");
    if (this.host !== this.#me || !FIELDS.includes(name) || stamp[0] > mine[0] + MOST_AHEAD) return;
    this.state = this.state.put(name, this.state.value(name), [stamp[0] + 1, this.#me]);
    this.#sayChange(name, now);
  }

  #take(state, name, now) {
    if (state === this.state) return;
    this.state = state;
    this.#heal(name);
    this.#saying.confirmed(name); // it is not ours any more
    this.#saying.saidByAnother(name);
    this.#digests.changed(now);
  }

  /** A request that has what it wanted is over. */
  #heal(name) {
    if (!this.#wanted.has(name) || compareStamps(this.#wanted.get(name), this.state.stamp(name)) > 0) return;
    this.#wanted.delete(name);
    if (!this.#wanted.size) this.#requests.answered();
  }

  #compare(snapshot, sender, now) {
    const { values, stamps } = snapshot;
    for (const [name, value] of values)
      if (stamps.has(name)) this.#offer(name, value, stamps.get(name), sender, now);
      else if (snapshot.kind === "sync") this.#offerUnstamped(name, value, snapshot.target, sender, now);
    for (const name of FIELDS) if (stamps.has(name)) this.#compareField(name, snapshot, sender, now);
  }

  #compareField(name, { kind, values, stamps }, sender, now) {
    const [mine, theirs] = [this.state.stamp(name), stamps.get(name)];
    const order = compareStamps(theirs, mine);
    const differs = values.has(name) && values.get(name) !== this.state.value(name);
    if (sender === this.host && order >= 0) this.#saying.confirmed(name);
    if (kind !== "digest") return;
    if (order < 0 || (order === 0 && differs)) this.#saying.repair(name, now + this.#jitter() * ANSWER_WITHIN_MS);
    else if (order > 0 && !values.has(name) && theirs[0] <= mine[0] + MOST_AHEAD) {
      this.#wanted.set(name, theirs);
      this.#requests.at(now, REQUESTS_AFTER_MS, { pause: 1000 });
    }
  }

  /** An older browser's answer: better than nothing, and less than any change. */
  #offerUnstamped(name, value, target, sender, now) {
    const known = FIELDS.includes(name) && (target !== this.#me || !this.#isFresh(name, now));
    if (!known) this.#offer(name, value, [0, sender], sender, now);
  }

  /** An answer, to us or to another; ours is not needed any more if it says all that we know. */
  #overhear({ target, host, stamps }) {
    this.#freshUntil = -NEVER;
    if (!this.#wanted.size) this.#requests.answered();
    const covers = FIELDS.every((name) => compareStamps(stamps.get(name) ?? [0, ""], this.state.stamp(name)) >= 0);
    if (target !== null && covers && host === this.host) this.#answering.answeredByAnother(target);
  }

  #asked(sender, target, now) {
    if ((target !== null && target !== this.#me) || this.host === null || sender === this.#me) return;
    const leaving = this.#hostOnly && this.host !== this.#me ? ANSWER_FOR_HOST_MS : 0;
    const delay = target === null ? this.#jitter() * ANSWER_WITHIN_MS + leaving : 0;
    if (!this.#answering.add(sender, now + delay)) this.#drop("asked too often");
  }

  // Who is host

  /** Another is elected only if the host is away for longer than it takes to come back. */
  #awaitHost(now) {
    if (this.host === null) return;
    if (this.#hosting.isPresent(this.host)) this.#electAt = NEVER;
    else if (this.#electAt === NEVER) this.#electAt = now + HOST_GRACE_MS;
  }

  /** `sender` names a host. */
  #hear(sender, host, standing, now) {
    if (host === null) return [];
    const before = this.host;
    if (this.#hosting.hear(sender, host, standing, now)) {
      this.#electAt = NEVER;
      this.#questions.answered();
      if (this.#hostOnly && sender !== host) this.#questions.at(now, [0]); // only its own word counts
      return this.#afterMoving(before, now);
    }
    if (sender === host && host === this.host) this.#questions.answered();
    else if (host !== this.host && this.#hosting.isPresent(host)) this.#doubt(now);
    else if (this.host === null && this.#hosting.isPresent(sender))
      this.#electAt = this.#joinedAt + HOST_GRACE_MS; // gone just before we came, and awaited
    return [];
  }

  /** Somebody names another host than ours. */
  #doubt(now) {
    this.#drop("another host");
    if (this.host === this.#me) this.#digests.object(now);
    else this.#questions.at(now, [0], { pause: QUESTION_PAUSE_MS });
  }

  #afterMoving(before, now) {
    this.#digests.changed(now);
    if ((before !== this.#me && this.host !== this.#me) || this.host === null) return [];
    return [hostChange(this.host, this.#hosting.standing(now))];
  }

  /** Nobody has answered us in time, or the host is not back. */
  #elect(now) {
    this.#electAt = NEVER;
    this.#hosting.elect(now + this.#wallMinusLocal, now, { newcomer: this.host === null });
    return this.#afterElection(now);
  }

  /** The elected says so. Who does not hear it asks, since clocks differ and so may what was elected. */
  #afterElection(now) {
    if (this.host !== this.#me) this.#questions.at(now, QUESTIONS_AFTER_MS);
    return this.#afterMoving(null, now);
  }

  #drop(reason) {
    this.dropped.set(reason, (this.dropped.get(reason) ?? 0) + 1);
  }
}
