/** The sentences of the contract, word for word, and the last two our own; the key is the alert's code. */

export const TEXTS = Object.freeze({
  NO_CONNECTION: "Could not connect to session",
  RECONNECTING: "Connection lost, reconnecting...",
  FULL: "Session is full",
  INVALID_CODE: "Invalid room code",
  AUDIO_RETRYING: "Direct audio connection failed, retrying...",
  MICROPHONE: "Microphone access required for jamming",
  NO_INPUT: "No audio input detected, check microphone",
  MOVED: "The room has moved",
  NO_MIDI: "This browser gives no MIDI",
});
