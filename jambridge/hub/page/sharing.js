/**
 * Keeps the room's state in step: what is heard, said and said again; as the daemon's `room/sharing.py`. Pure;
 * milliseconds.
 *
 * A change is said at once. The host's digest, soon after a change and every ten seconds, confirms and repairs: who
 * missed something finds it there, who knows better says it again. What was not confirmed is said again as well.
 */

import { Hosting } from "./hosting.js";
import { Answering, Asking, Digests, NEVER, Saying } from "./schedules.js";
import { FIELDS, MOST_AHEAD, RoomState, TRUST, checked, compareStamps } from "./state.js";
import { change, digest, hostChange, parse, request, sync } from "./state_messages.js";

const ANSWER_WITHIN_MS = 150;
const REQUESTS_AFTER_MS = [0, 500, 1000, 2000, 4000];
const UNANSWERED_AFTER_MS = 1000;
const QUESTIONS_AFTER_MS = [1000, 3000];
const QUESTION_PAUSE_MS = 2000;

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
  #freshUntil = -NEVER;
  #wallMinusLocal = 0;

  /** @param jitter gives 0..1 */
  constructor(me, { state = new RoomState(), jitter }) {
    this.#me = me;
    this.#jitter = jitter;
    this.#hosting = new Hosting(me);
    this.state = state;
  }

  get host() {
    return this.#hosting.host;
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
    this.#hosting.joined(members, now);
    this.#electAt = this.host === null ? now + UNANSWERED_AFTER_MS : NEVER;
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
    const said = this.#hosting.changed(members, wall, now) ? this.#afterElection(now) : [];
    if (newcomers) this.#digests.changed(now);
    return [...said, ...this.tick(now)];
  }

  /** One of EVENTS; throws WireError for nonsense, of which nothing is taken. */
  receive(event, payload, sender, now) {
    const said = this.#receive(parse(event, payload, sender), sender, now);
    return [...said, ...this.tick(now)];
  }

  /** Our own change; throws WireError for a value that the field cannot have. */
  change(name, value, now) {
    this.#set(name, checked(name, value), now);
    return this.tick(now);
  }

  /** What is due. */
  tick(now) {
    const standing = this.#hosting.standing(now);
    const said = this.#saying.take(now).map((name) => change(this.state, name, this.#me));
    if (this.#requests.take(now)) said.push(request({ fields: [...this.#wanted.keys()].sort() }));
    if (now >= this.#electAt) said.push(...this.#elect(now));
    if (this.#questions.take(now) && this.host !== null && this.host !== this.#me)
      said.push(request({ target: this.host }));
    said.push(...this.#answering.take(now).map((id) => sync(this.state, this.host, standing, id)));
    if (this.#digesting && this.#digests.take(now)) said.push(digest(this.state, this.host, standing));
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

  #set(name, value, now) {
    this.state = this.state.changed(name, value, this.#me);
    this.#saying.change(name, now, { confirm: this.#hosting.others && this.host !== this.#me });
    this.#digests.changed(now);
  }

  // What others say of the state

  /** An older browser's change bears no stamp: the host gives it one, and says it to all. */
  #hearChange({ name, value, stamp }, sender, now) {
    if (stamp !== null) this.#offer(name, value, stamp, sender, now);
    else if (this.host === this.#me) this.#set(name, value, now);
    else this.#drop("unstamped");
  }

  #hearSnapshot(snapshot, sender, now) {
    const said = this.#hear(sender, snapshot.host, snapshot.standing, now);
    this.#compare(snapshot, sender, now);
    if (snapshot.kind === "sync") this.#overhear(snapshot);
    return said;
  }

  /** A field as somebody holds it. */
  #offer(name, value, stamp, sender, now) {
    const mine = this.state.stamp(name);
    const stranger = this.#isFresh(name, now) ? TRUST.answer : TRUST.member;
    const state = this.state.offered(name, value, stamp, sender === this.host ? TRUST.host : stranger);
    if (state === null) return this.#drop("too far ahead");
    this.#take(state, name, now);
    if (compareStamps(stamp, mine) >= 0) this.#saying.saidByAnother(name);
  }

  /** A newcomer that waits for the first answer knows nothing of this field. */
  #isFresh(name, now) {
    return now < this.#freshUntil && this.state.stamp(name)[0] === 0;
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
    const delay = target === null ? this.#jitter() * ANSWER_WITHIN_MS : 0;
    if (!this.#answering.add(sender, now + delay)) this.#drop("asked too often");
  }

  // Who is host

  /** `sender` names a host. */
  #hear(sender, host, standing, now) {
    if (host === null) return [];
    const before = this.host;
    if (this.#hosting.hear(sender, host, standing, now)) {
      this.#electAt = NEVER;
      this.#questions.answered();
      return this.#afterMoving(before, now);
    }
    if (sender === host && host === this.host) this.#questions.answered();
    else if (host !== this.host && this.#hosting.isPresent(host)) this.#doubt(now);
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

  /** Nobody has answered us in time. */
  #elect(now) {
    this.#electAt = NEVER;
    if (this.host !== null) return [];
    this.#hosting.elect(now + this.#wallMinusLocal, now, { newcomer: true });
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
