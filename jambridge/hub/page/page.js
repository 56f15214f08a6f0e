/** The jam page: the form, the room, and what a person does in it. */

import { Alerts } from "./alerts.js";
import { parse } from "./code.js";
import { setLight } from "./light.js";
import { MemberList } from "./members.js";
import { recall, remember } from "./memory.js";
import { Meter, SilenceDetector } from "./meter.js";
import { MicrophoneError, openMicrophone } from "./microphone.js";
import { randomId } from "./random.js";
import { Session } from "./session.js";
import { TEXTS } from "./texts.js";
import { WakeLock } from "./wake_lock.js";

const CLIENT = "jam-page/1.0.0";
const METER_MS = 60;
const COPIED_MS = 2000;

const element = (id) => document.getElementById(id);
const alerts = new Alerts(element("alerts"));
const wakeLock = new WakeLock();
const secure = window.isSecureContext;

let stay = null; // what lasts from joining to leaving

class Stay {
  #context = new AudioContext({ latencyHint: "interactive" });
  #members;
  #session;
  #silence = new SilenceDetector();
  #track = null;
  #meter = null;
  #ticking = null;
  #known = null; // names by id, once the room has been seen

  constructor(code, self, track) {
    this.#members = new MemberList(element("members"), element("member"), this.#context, () => this.#playOnTouch());
    this.#session = new Session({
      url: websocketUrl(),
      code,
      self,
      track,
      onRoom: (state, reason) => showRoom(state, reason),
      onMembers: () => this.show(),
    });
    if (track) this.#use(track);
  }

  open() {
    this.#session.open();
    this.#ticking = setInterval(() => this.#tick(), METER_MS);
  }

  hurry() {
    this.#session.hurry();
  }

  toggleMute() {
    this.#track.enabled = !this.#track.enabled;
    this.show();
    return !this.#track.enabled;
  }

  show() {
    const muted = this.#track !== null && !this.#track.enabled;
    const members = this.#session.members.map((member) => ({ ...member, muted: member.self && muted }));
    this.#members.show(members);
    this.#announce(members);
    element("alone").hidden = members.length !== 1;
    const retrying = members.filter((member) => member.link === "reconnecting").map((member) => member.name);
    alerts.set("AUDIO_RETRYING", retrying.length ? `With ${retrying.join(", ")}.` : null);
  }

  close() {
    clearInterval(this.#ticking);
    this.#session.leave();
    this.#members.clear();
    this.#track?.stop();
    this.#context.close();
  }

  #use(track) {
    this.#track = track;
    this.#meter?.close();
    this.#meter = new Meter(this.#context, new MediaStream([track]));
    track.onended = () => this.#microphoneGone();
  }

  /** It was unplugged, or its permission withdrawn: take the next one that comes. */
  #microphoneGone() {
    alerts.raise("MICROPHONE", "The microphone is gone. Plug it in again.");
    navigator.mediaDevices.addEventListener("devicechange", () => this.#reopen(), { once: true });
  }

  async #reopen() {
    try {
      const track = await openMicrophone();
      if (stay !== this) return track.stop();
      track.enabled = this.#track.enabled;
      this.#use(track);
      this.#session.setTrack(track);
      return alerts.clear("MICROPHONE");
    } catch {
      return stay === this && this.#microphoneGone();
    }
  }

  #tick() {
    const peak = this.#members.measure(this.#meter);
    const looking = peak !== null && this.#track.enabled && document.visibilityState === "visible";
    if (!looking) this.#silence.reset();
    const silent = looking && this.#silence.isSilent(peak, performance.now());
    alerts.set("NO_INPUT", silent ? "Is it plugged in, switched on, and the one the browser uses?" : null);
  }

  #playOnTouch() {
    document.addEventListener("pointerdown", () => this.#members.play(), { once: true });
  }

  /** Tell screen readers who came and who went. */
  #announce(members) {
    const names = new Map(members.filter((member) => !member.self).map((member) => [member.id, member.name]));
    const known = this.#known ?? names;
    const came = [...names].filter(([id]) => !known.has(id)).map(([, name]) => `${name} joined.`);
    const went = [...known].filter(([id]) => !names.has(id)).map(([, name]) => `${name} left.`);
    if (came.length || went.length) element("announce").textContent = [...came, ...went].join(" ");
    this.#known = names;
  }
}

function websocketUrl() {
  return `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}/realtime/v1/websocket?apikey=lan&vsn=1.0.0`;
}

function codeInAddress() {
  const [, text] = location.pathname.match(/^\/jam\/([^/]+)/) ?? [];
  try {
    return text === undefined ? "" : decodeURIComponent(text);
  } catch {
    return text;
  }
}

function showRoom(state, reason) {
  setLight(element("room-light"), { joined: "connected", refused: "disconnected", left: "disconnected" }[state] ?? state);
  const away = reason === "unreachable";
  alerts.set("NO_CONNECTION", state === "connecting" && away ? "The hub does not answer; trying again." : null);
  alerts.set("RECONNECTING", state === "reconnecting" ? "The room; whom you hear, you keep hearing." : null);
  if (state === "refused") refused(reason);
}

function refused(reason) {
  const code = ["FULL", "INVALID_CODE"].find((key) => reason.startsWith(TEXTS[key])) ?? "NO_CONNECTION";
  leave();
  showForm();
  alerts.raise(code, code === "NO_CONNECTION" ? reason : adviceOn(code));
}

function adviceOn(code) {
  return code === "FULL" ? "Ask somebody to leave, or open another room." : "Six letters or digits, or WORD-42.";
}

function showForm() {
  show("join");
  const text = codeInAddress();
  const invalid = text !== "" && parse(text) === null;
  element("code-field").hidden = text !== "" && !invalid;
  element("code").value = text;
  if (invalid) alerts.raise("INVALID_CODE", adviceOn("INVALID_CODE"));
}

/** One of the form, the jam and the farewell. */
function show(part) {
  for (const id of ["join", "jam", "left"]) element(id).hidden = id !== part;
  for (const id of ["bar", "room-light"]) element(id).hidden = part !== "jam";
}

async function join(event) {
  event.preventDefault();
  alerts.clearAll();
  const code = parse(element("code").value);
  if (code === null) {
    alerts.raise("INVALID_CODE", adviceOn("INVALID_CODE"));
    return;
  }
  setBusy(true);
  try {
    enter(code, secure && event.submitter?.value !== "listen" ? await openMicrophone() : null);
  } catch (error) {
    if (!(error instanceof MicrophoneError)) throw error;
    alerts.raise(error.code, `${error.message} You can also just listen.`);
  } finally {
    setBusy(false);
  }
}

function enter(code, track) {
  const name = element("name").value.trim() || defaultName();
  const instrument = element("instrument").value.trim();
  remember("name", name);
  remember("instrument", instrument);
  history.replaceState(null, "", `/jam/${code}`);
  showCode(code);
  const self = { id: randomId(), name, instrument: instrument || "unknown", client: CLIENT, sends: track !== null };
  stay = new Stay(code, self, track);
  element("mute").hidden = track === null;
  showMuted(false);
  show("jam");
  setLight(element("room-light"), "connecting");
  stay.open();
  wakeLock.hold();
  element("jam-title").focus();
}

function leave() {
  stay?.close();
  stay = null;
  alerts.clearAll();
  wakeLock.release();
  show("left");
  element("left-title").focus();
}

function setBusy(busy) {
  for (const button of element("join").querySelectorAll("button")) button.disabled = busy;
}

function showMuted(muted) {
  element("mute").setAttribute("aria-pressed", String(muted));
}

function showCode(code) {
  element("room-code").textContent = code;
  element("room").hidden = false;
  document.title = `Jam ${code}`;
}

function defaultName() {
  return `User${1 + (Number.parseInt(randomId(2), 16) % 9999)}`;
}

async function copyLink() {
  try {
    await navigator.clipboard.writeText(location.href);
  } catch {
    return;
  }
  element("copy").textContent = "Copied";
  setTimeout(() => {
    element("copy").textContent = "Copy link";
  }, COPIED_MS);
}

function prepareForm() {
  element("name").value = recall("name") ?? defaultName();
  element("instrument").value = recall("instrument") ?? "";
  element("insecure").hidden = secure;
  element("play").hidden = !secure;
  element("headphones").hidden = !secure;
  element("listen").classList.toggle("primary", !secure);
  element("copy").hidden = !navigator.clipboard;
  const code = parse(codeInAddress());
  if (code) showCode(code);
}

element("join").addEventListener("submit", join);
element("leave").addEventListener("click", leave);
element("again").addEventListener("click", showForm);
element("copy").addEventListener("click", copyLink);
element("mute").addEventListener("click", () => showMuted(stay.toggleMute()));
window.addEventListener("online", () => stay?.hurry());
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && stay?.hurry());
window.addEventListener("pagehide", () => stay?.close());
window.addEventListener("pageshow", ({ persisted }) => persisted && location.reload());
prepareForm();
showForm();
