/** What the browser remembers for next time; nothing, where it does not allow that. */

export function recall(key) {
  try {
    return localStorage.getItem(`jam.${key}`);
  } catch {
    return null;
  }
}

export function remember(key, value) {
  try {
    localStorage.setItem(`jam.${key}`, value);
  } catch {
    // private browsing: asked again next time
  }
}
