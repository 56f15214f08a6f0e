/** Identifiers. `crypto.randomUUID` is missing on a plain http page; `getRandomValues` is there. */

export function randomId(bytes = 8) {
  return Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
