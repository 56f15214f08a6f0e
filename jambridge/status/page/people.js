/** Who is in the room: a card each, with what is heard of them, and how loud they are here. */

import { setLight } from "./light.js";
import { clock, fill, hue, setAttribute, setLevel, setPressed, setText, slide, spelled } from "./page_parts.js";

const PATHS = { host: "direct", srflx: "through the router", relay: "by relay" };

export class People {
  #list;
  #template;
  #cards = new Map();
  #mix;

  /** @param mix called with a player's name and {gain} or {muted} */
  constructor(list, template, mix) {
    this.#list = list;
    this.#template = template;
    this.#mix = mix;
  }

  /** @param status the whole */
  show({ room, audio, notes }) {
    const peers = new Map(audio.peers.map((peer) => [peer.id, peer]));
    const sources = new Map(notes.sources.map((source) => [source.id, source]));
    fill(this.#list, room.participants, this.#cards, {
      key: ({ id }) => id,
      make: (member) => new Card(this.#template.content.firstElementChild.cloneNode(true), member, this.#mix),
      show: (card, member) => card.show(member, peers.get(member.id), sources.get(member.id), audio.input),
    });
  }
}

class Card {
  #setGain;

  constructor(element, member, mix) {
    this.element = element;
    element.style.setProperty("--hue", hue(member.id));
    this.#part(".name").textContent = member.name;
    this.#part(".avatar").textContent = [...member.name][0].toUpperCase();
    this.#part(".instrument").textContent = member.instrument === "unknown" ? "" : member.instrument;
    this.#part(".self").hidden = !member.self;
    this.#part(".meter").setAttribute("aria-label", `Level of ${member.name}`);
    this.#part(".mute").setAttribute("aria-label", `Mute ${member.name} here`);
    this.#part(".mixing .visually-hidden").textContent = `Volume of ${member.name} here`;
    this.#since(member.joined_at);
    this.#setGain = slide(this.#part(".slider"), (gain) => mix(member.name, { gain }));
    this.#part(".mute").addEventListener("click", ({ currentTarget }) =>
      mix(member.name, { muted: currentTarget.getAttribute("aria-pressed") !== "true" }),
    );
  }

  show(member, peer, source, input) {
    this.element.dataset.sends = String(member.sends);
    this.#part(".host").hidden = !member.is_host;
    const heard = member.self ? input.card !== null : peer !== undefined && member.sends;
    this.#part(".meter").dataset.shown = String(heard);
    setLevel(this.element, heard ? (member.self ? input.peak_dbfs : peer.level_dbfs) : -120);
    setText(this.#part(".playing"), source ? spelled(source.notes.join("  ")) : "");
    setLight(this.#part(".light"), ...lightOf(member, peer, input));
    setText(this.#part(".figures"), peer && !member.self ? figures(peer) : "");
    setAttribute(this.#part(".figures"), "title", peer && !member.self ? parts(peer) : "");
    this.#part(".mixing").hidden = member.self || !peer || !member.sends;
    if (!peer) return;
    this.#setGain(peer.gain);
    setPressed(this.#part(".mute"), peer.muted);
  }

  #since(moment) {
    this.#part(".since").hidden = moment === null;
    if (moment === null) return;
    this.#part("time").dateTime = moment;
    this.#part("time").textContent = clock(moment);
  }

  #part(selector) {
    return this.element.querySelector(selector);
  }
}

function lightOf(member, peer, input) {
  if (member.self) return ["none", member.sends ? ownWords(input) : "Sends no sound"];
  if (member.session !== "connected") return ["reconnecting", "Connection lost"];
  if (!peer) return ["none", member.sends ? "Not heard here: four play at a time" : "Listens"];
  return [peer.state];
}

function ownWords({ card, muted, waiting }) {
  if (waiting) return "Nobody hears it: others play already";
  if (card === null) return "Sends silence: its card is missing";
  return muted ? "Muted" : "Sends its line-in";
}

/** What is known of the way: delay and loss. */
function figures({ latency_ms: latency, loss, state }) {
  if (state !== "connected") return "";
  const known = [latency.network, latency.playout].filter((part) => part !== null);
  const delay = known.length ? `${Math.round(known.reduce((sum, part) => sum + part, 0))} ms` : "";
  return [delay, `${(100 * loss).toFixed(loss < 0.1 ? 1 : 0)} % lost`].filter(Boolean).join(" · ");
}

function parts({ latency_ms: latency, path }) {
  const named = Object.entries(latency).filter(([, value]) => value !== null);
  return [PATHS[path] ?? "", ...named.map(([name, value]) => `${name} ${value} ms`)].filter(Boolean).join(", ");
}
