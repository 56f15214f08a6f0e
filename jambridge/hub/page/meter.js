/** How loud a stream is, and whether anything comes in at all. */

const FLOOR_DBFS = -60;
const DIGITAL_SILENCE = 1 / 65_536; // half a step of 16 bits
const FRAMES = 2048; // 43 ms at 48 kHz

export class Meter {
  #source;
  #analyser;
  #samples = new Float32Array(FRAMES);

  constructor(context, stream) {
    this.stream = stream;
    this.#source = context.createMediaStreamSource(stream);
    this.#analyser = new AnalyserNode(context, { fftSize: FRAMES });
    this.#source.connect(this.#analyser);
  }

  /** The peak of the last 43 ms, 0..1 of full scale. */
  peak() {
    this.#analyser.getFloatTimeDomainData(this.#samples);
    return this.#samples.reduce((peak, sample) => Math.max(peak, Math.abs(sample)), 0);
  }

  close() {
    this.#source.disconnect();
  }
}

/** A peak as the share of a meter that lights up, 0..1 over 60 dB. */
export function share(peak) {
  const dbfs = 20 * Math.log10(Math.max(peak, 1e-9));
  return Math.min(1, Math.max(0, 1 - dbfs / FLOOR_DBFS));
}

/** Tells when an input has been digitally silent for `afterMs`: a dead cable, a switch, a muted device. */
export class SilenceDetector {
  #afterMs;
  #heardAt = null;

  constructor(afterMs = 5000) {
    this.#afterMs = afterMs;
  }

  /** The input is off on purpose, or we were not looking. */
  reset() {
    this.#heardAt = null;
  }

  isSilent(peak, now) {
    if (peak > DIGITAL_SILENCE || this.#heardAt === null) this.#heardAt = now;
    return now - this.#heardAt >= this.#afterMs;
  }
}
