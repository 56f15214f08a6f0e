/** Keeps the screen on while jamming, where the browser can; it lets go whenever the page is hidden. */

export class WakeLock {
  #lock = null;
  #wanted = false;

  constructor() {
    document.addEventListener("visibilitychange", () => this.#acquire());
  }

  hold() {
    this.#wanted = true;
    this.#acquire();
  }

  release() {
    this.#wanted = false;
    this.#lock?.release();
    this.#lock = null;
  }

  async #acquire() {
    if (!this.#wanted || document.visibilityState !== "visible" || !navigator.wakeLock) return;
    try {
      this.#lock = await navigator.wakeLock.request("screen");
      if (!this.#wanted) this.release();
    } catch {
      // a low battery refuses: the jam goes on
    }
  }
}
