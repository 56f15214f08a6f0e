/** From joining to leaving: the session, the sound, and what the page shows of them. */

import { Controls } from "./controls.js";
import { MemberList } from "./members.js";
import { Meter, SilenceDetector } from "./meter.js";
import { openMicrophone } from "./microphone.js";
import { Session } from "./session.js";

const METER_MS = 60;

const element = (id) => document.getElementById(id);

export class Stay {
  #context = new AudioContext({ latencyHint: "interactive" });
  #members;
  #controls;
  #session;
  #silence = new SilenceDetector();
  #track = null;
  #meter = null;
  #ticking = null;
  #closed = false;
  #alerts;
  #known = null; // names by id, once the room has been seen
  #room = "connecting";

  /**
   * @param self as in Session
   * @param track the microphone; null to listen
   * @param onRoom as in Session
   * @param onMoved as in Session
   */
  constructor({ code, self, track, alerts, onRoom, onMoved }) {
    this.#alerts = alerts;
    this.#members = new MemberList(element("members"), element("member"), this.#context, () => this.#playOnTouch());
    this.#controls = new Controls(element("music"), element("music-note"), {
      change: (field, value) => this.#session.allowed && this.#session.change(field, value),
      announce,
    });
    this.#session = new Session({
      url: websocketUrl(),
      code,
      self,
      track,
      onRoom: (state, reason) => {
        this.#room = state;
        onRoom(state, reason);
        this.show();
      },
      onMembers: () => this.show(),
      onShared: () => this.#showShared(),
      onMoved,
    });
    this.#showShared();
    if (track) this.#use(track);
  }

  open() {
    this.#session.open();
    this.#ticking = setInterval(() => this.#tick(), METER_MS);
  }

  hurry() {
    this.#session.hurry();
  }

  /** Let instruments at this browser play along; throws what the browser does where it may not. */
  async openMidi() {
    await this.#session.openMidi();
  }

  toggleMute() {
    this.#track.enabled = !this.#track.enabled;
    this.show();
    return !this.#track.enabled;
  }

  show() {
    if (this.#closed) return;
    const muted = this.#track !== null && !this.#track.enabled;
    const members = this.#session.members.map((member) => ({ ...member, muted: member.self && muted }));
    this.#members.show(members);
    this.#announce(members);
    element("alone").hidden = members.length !== 1 || this.#room !== "joined";
    this.#alerts.set("RECONNECTING", this.#room === "reconnecting" ? comfort(members) : null);
    const retrying = members.filter((member) => member.link === "reconnecting").map((member) => member.name);
    this.#alerts.set("AUDIO_RETRYING", retrying.length ? `With ${retrying.join(", ")}.` : null);
  }

  close() {
    this.#closed = true;
    clearInterval(this.#ticking);
    this.#session.leave();
    this.#controls.close();
    this.#members.clear();
    this.#track?.stop();
    this.#context.close();
  }

  #showShared() {
    const { shared, members, allowed } = this.#session;
    const author = (field) => {
      const [, id] = shared.stamp(field);
      return members.find((member) => member.id === id && !member.self)?.name ?? null;
    };
    this.#controls.show(shared, author, allowed);
  }

  #use(track) {
    this.#track = track;
    this.#meter?.close();
    this.#meter = new Meter(this.#context, new MediaStream([track]));
    track.onended = () => this.#microphoneGone();
  }

  /** It was unplugged, or its permission withdrawn: take the next one that comes. */
  #microphoneGone() {
    this.#alerts.raise("MICROPHONE", "The microphone is gone. Plug it in again.");
    navigator.mediaDevices.addEventListener("devicechange", () => this.#reopen(), { once: true });
  }

  async #reopen() {
    try {
      const track = await openMicrophone();
      if (this.#closed) return track.stop();
      track.enabled = this.#track.enabled;
      this.#use(track);
      this.#session.setTrack(track);
      return this.#alerts.clear("MICROPHONE");
    } catch {
      return this.#closed || this.#microphoneGone();
    }
  }

  #tick() {
    const peak = this.#members.measure(this.#meter);
    const on = peak !== null && this.#track.enabled && this.#track.readyState === "live";
    const measured = this.#context.state === "running"; // a browser may hold it back until it is touched
    const looking = on && measured && document.visibilityState === "visible";
    if (!looking) this.#silence.reset();
    const silent = looking && this.#silence.isSilent(peak, performance.now());
    this.#alerts.set("NO_INPUT", silent ? "Is it plugged in, switched on, and the one the browser uses?" : null);
  }

  #playOnTouch() {
    const play = () => {
      if (this.#closed) return;
      this.#context.resume();
      this.#members.play();
    };
    document.addEventListener("pointerdown", play, { once: true });
  }

  /** Tell screen readers who came and who went. */
  #announce(members) {
    const names = new Map(members.filter((member) => !member.self).map((member) => [member.id, member.name]));
    const known = this.#known ?? names;
    const came = [...names].filter(([id]) => !known.has(id)).map(([, name]) => `${name} joined.`);
    const went = [...known].filter(([id]) => !names.has(id)).map(([, name]) => `${name} left.`);
    if (came.length || went.length) announce([...came, ...went].join(" "));
    this.#known = names;
  }
}

/** What is well while the room is away. */
function comfort(members) {
  const heard = members.some((member) => !member.self && member.link === "connected");
  return heard ? "Those you hear stay connected meanwhile." : "This page keeps trying by itself.";
}

function announce(words) {
  element("announce").textContent = words;
}

function websocketUrl() {
  return `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}/realtime/v1/websocket?apikey=lan&vsn=1.0.0`;
}
