/** The musician's sound as it is: nothing cancelled, suppressed or levelled. */

import { TEXTS } from "./texts.js";

const WANTED = {
  echoCancellation: false,
  noiseSuppression: false,
  autoGainControl: false,
  sampleRate: { ideal: 48_000 },
  channelCount: { ideal: 2 },
};

const ADVICE = {
  NotAllowedError: ["MICROPHONE", "Allow the microphone beside the address of this page, then join again."],
  NotFoundError: ["NO_INPUT", "No microphone was found. Plug one in, then join again."],
  NotReadableError: ["MICROPHONE", "Another program holds the microphone. Close it, then join again."],
};

export class MicrophoneError extends Error {
  /** @param code of the alert; `message` is what to do about it */
  constructor(code, advice) {
    super(advice);
    this.code = code;
    this.text = TEXTS[code];
  }
}

/** An audio track. Throws MicrophoneError. */
export async function openMicrophone() {
  if (!navigator.mediaDevices) throw new MicrophoneError("MICROPHONE", "This page is not secure; open it with https.");
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: WANTED });
    const [track] = stream.getAudioTracks();
    if ("contentHint" in track) track.contentHint = "music";
    return track;
  } catch (error) {
    const [code, advice] = ADVICE[error.name] ?? ["MICROPHONE", `The browser says: ${error.message || error.name}.`];
    throw new MicrophoneError(code, advice);
  }
}
