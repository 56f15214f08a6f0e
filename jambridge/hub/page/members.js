/** The participants on the page: a card each, with light, meter, volume and the sound itself. */

import { setLight } from "./light.js";
import { Meter, share } from "./meter.js";
import { players } from "./roles.js";

const HUES = 12; // as the lights have them: 30 degrees apart

export class MemberList {
  #list;
  #template;
  #context;
  #cards = new Map();
  #blocked;

  /**
   * @param context an AudioContext, for the meters
   * @param blocked called when the browser refuses to play sound without a touch
   */
  constructor(list, template, context, blocked) {
    this.#list = list;
    this.#template = template;
    this.#context = context;
    this.#blocked = blocked;
  }

  /** @param members as in Session, in the order of the page */
  show(members) {
    const ids = new Set(members.map((member) => member.id));
    for (const id of this.#cards.keys()) if (!ids.has(id)) this.#remove(id);
    const playing = new Set(players(members).map((member) => member.id));
    for (const [place, member] of members.entries()) {
      const card = this.#cards.get(member.id) ?? this.#add(member);
      card.show({ ...member, playing: playing.has(member.id) });
      if (this.#list.children[place] !== card.element) this.#list.insertBefore(card.element, this.#list.children[place]);
    }
  }

  /** Redraw the meters; returns our own peak, or null where we send nothing. */
  measure(ownMeter) {
    let own = null;
    for (const card of this.#cards.values()) {
      const meter = card.self ? ownMeter : card.meter;
      const peak = meter ? meter.peak() : 0;
      card.setLevel(share(peak));
      if (card.self && meter) own = peak;
    }
    return own;
  }

  /** Try again to play what the browser refused. */
  play() {
    for (const card of this.#cards.values()) card.play();
  }

  clear() {
    for (const id of [...this.#cards.keys()]) this.#remove(id);
  }

  #add(member) {
    const element = this.#template.content.firstElementChild.cloneNode(true);
    const card = new Card(element, member, this.#context, this.#blocked);
    this.#cards.set(member.id, card);
    return card;
  }

  #remove(id) {
    this.#cards.get(id).close();
    this.#cards.delete(id);
  }
}

class Card {
  #context;
  #blocked;
  #audio;
  #level = null;

  constructor(element, member, context, blocked) {
    this.element = element;
    this.self = member.self;
    this.meter = null;
    this.#context = context;
    this.#blocked = blocked;
    this.#audio = element.querySelector("audio");
    element.dataset.id = member.id;
    element.dataset.self = String(member.self);
    element.dataset.sends = String(member.sends);
    element.style.setProperty("--hue", hue(member.id));
    this.#describe(member);
    const slider = element.querySelector(".volume input");
    slider.addEventListener("input", () => this.#setVolume(Number(slider.value) / 100));
  }

  show(member) {
    this.element.querySelector(".host").hidden = !member.isHost;
    setLight(this.element.querySelector(".light"), lightOf(member), wordsOf(member));
    this.element.querySelector(".volume").hidden = member.self || !member.sends || member.link === "none";
    this.element.querySelector(".meter").dataset.shown = String(member.sends && (member.self || member.link !== "none"));
    if (member.sends && member.stream && member.stream !== this.#audio.srcObject) this.#hear(member.stream);
  }

  setLevel(level) {
    const shown = level.toFixed(2);
    if (shown === this.#level) return;
    this.#level = shown;
    this.element.dataset.level = shown;
    this.element.style.setProperty("--level", shown);
  }

  play() {
    if (this.#audio.srcObject) this.#audio.play().catch((error) => error.name === "NotAllowedError" && this.#blocked());
  }

  close() {
    this.meter?.close();
    this.#audio.srcObject = null;
    this.element.remove();
  }

  /** The element plays directly: a detour through the AudioContext would add its buffers to the latency. */
  #hear(stream) {
    this.meter?.close();
    this.meter = new Meter(this.#context, stream);
    this.#audio.srcObject = stream;
    this.play();
  }

  /** Where the volume belongs to the device alone (iOS), silence still works. */
  #setVolume(volume) {
    this.#audio.volume = volume;
    this.#audio.muted = volume === 0;
  }

  #describe({ name, self, instrument, joinedAt, client, sends }) {
    const text = (selector, value) => {
      this.element.querySelector(selector).textContent = value;
    };
    text(".name", name);
    text(".avatar", [...name][0].toUpperCase());
    text(".instrument", sends ? instrument.replace(/^unknown$/, "") : "listening");
    text(".volume .visually-hidden", `Volume of ${name}`);
    this.element.querySelector(".meter").setAttribute("aria-label", `Level of ${name}`);
    this.element.querySelector(".you").hidden = !self;
    this.element.querySelector(".bridge").hidden = !client.startsWith("jambridge/");
    this.element.querySelector(".since").hidden = !Number.isFinite(joinedAt);
    if (!Number.isFinite(joinedAt)) return;
    const since = new Date(joinedAt);
    this.element.querySelector("time").dateTime = since.toISOString();
    text("time", since.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
  }
}

function lightOf(member) {
  return member.self ? "none" : member.link;
}

function wordsOf(member) {
  if (member.self && member.sends && !member.playing) return "Nobody hears you: four play already";
  if (member.self && member.sends) return member.muted ? "Muted" : "Microphone on";
  if (lightOf(member) === "none") return member.sends ? "Not heard here: four play at a time" : "";
  return undefined;
}

/** A colour for an id, the same on every screen. */
function hue(id) {
  const sum = [...id].reduce((total, character) => (total * 31 + character.codePointAt(0)) % 65_521, 7);
  return (sum % HUES) * (360 / HUES);
}
