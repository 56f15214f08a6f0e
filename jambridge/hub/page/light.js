/** A connection light: a colour, and the same in words. */

const WORDS = {
  connected: "Connected",
  connecting: "Connecting...",
  reconnecting: "Reconnecting...",
  disconnected: "Disconnected",
};

export function setLight(light, state, words = WORDS[state] ?? "") {
  if (light.dataset.state !== state) light.dataset.state = state;
  const text = light.querySelector(".light-text");
  if (text.textContent !== words) text.textContent = words;
}
