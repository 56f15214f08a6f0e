/** Room codes as people type them, by the same rule as the daemon's `room/code.py`. Pure. */

const ACCEPTED = /^(?:[A-Z0-9]{6}|(?=.{4,10}$)[A-Z]{2,8}-[0-9]{1,2})$/;

/** The code that a person meant, whatever its case and spaces; null where it cannot be one. */
export function parse(text) {
  const code = text.replace(/\s+/g, "").toUpperCase();
  return ACCEPTED.test(code) ? code : null;
}
