/**
 * Room time, the host's monotonic clock, as in the daemon's `sync/clock.py` but without its second order. Pure;
 * milliseconds.
 *
 * The best of the last sixteen exchanges says where we should be. In the first second the clock may jump forward or
 * stand still; from then on it is at most 1 ms a second faster or slower than ours. It runs on through a change of host.
 */

const SAMPLES = 16;
const ACQUIRING_MS = 1000;
const MAX_SLEW = 1e-3;
const DRIFT = 1e-4; // how much worse a sample becomes with age
const UNEXPLAINED_MS = 100; // beyond what the delay of an exchange can explain
const UNEXPLAINED = 8; // such exchanges in a row: the host's clock is another one

export class RoomClock {
  #course = { at: 0, from: 0, to: 0, slope: MAX_SLEW };
  #samples = []; // {at, offset, delay}
  #acquiredAt = null;
  #unexplained = 0;

  /** Room time minus our own, at our time `now`. */
  offset(now) {
    const { at, from, to, slope } = this.#course;
    const most = slope * Math.max(0, now - at);
    return from + Math.min(Math.max(to - from, -most), most);
  }

  /** We are the host: go on from here at our own pace. */
  lead(now) {
    this.forget();
    this.#set(this.offset(now), this.offset(now), now);
    this.#acquiredAt ??= now;
  }

  /** Another host is followed from now on: what was learnt is of the former. */
  forget() {
    this.#samples = [];
    this.#unexplained = 0;
  }

  /** One exchange with the host: its room time is ours plus `offset`, give or take half of `delay`. */
  observe({ offset, delay }, now) {
    const error = Math.abs(offset - this.offset(now));
    this.#unexplained = error > delay / 2 + UNEXPLAINED_MS ? this.#unexplained + 1 : 0;
    if (this.#acquiredAt === null || this.#unexplained >= UNEXPLAINED) this.#begin(offset, now);
    if (this.#unexplained) return;
    this.#samples = [...this.#samples, { at: now, offset, delay }].slice(-SAMPLES);
    const badness = ({ at, delay: taken }) => taken + DRIFT * (now - at);
    const best = this.#samples.reduce((one, other) => (badness(other) <= badness(one) ? other : one));
    this.#steer(best.offset, now);
  }

  #begin(offset, now) {
    this.forget();
    this.#acquiredAt = now;
    this.#set(offset, offset, now);
  }

  #steer(target, now) {
    const here = this.offset(now);
    if (now - this.#acquiredAt >= ACQUIRING_MS) this.#set(here, target, now);
    else if (target > here) this.#set(target, target, now);
    else this.#set(here, target, now, 1);
  }

  #set(from, to, at, slope = MAX_SLEW) {
    this.#course = { at, from, to, slope };
  }
}
