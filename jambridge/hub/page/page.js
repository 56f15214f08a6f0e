/** The jam page: the form, the room, and what a person does in it. */

import { Alerts } from "./alerts.js";
import { parse } from "./code.js";
import { setLight } from "./light.js";
import { recall, remember } from "./memory.js";
import { MicrophoneError, openMicrophone } from "./microphone.js";
import { Midi } from "./midi.js";
import { destination, visitorIn } from "./moved.js";
import { randomId } from "./random.js";
import { securePage } from "./secure_page.js";
import { Stay } from "./stay.js";
import { TEXTS } from "./texts.js";
import { WakeLock } from "./wake_lock.js";

const CLIENT = "jam-page/1.0.0";
const COPIED_MS = 2000;
const MOVING_MS = 4000; // to read, or hear, why
const MAX_NAME = 32;

const element = (id) => document.getElementById(id);
const alerts = new Alerts(element("alerts"));
const wakeLock = new WakeLock();
const secure = window.isSecureContext;

let stay = null; // what lasts from joining to leaving
let moving = null;

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
  stay = new Stay({ code, self, track, alerts, onRoom: showRoom, onMoved: (page) => move(page, code) });
  element("mute").hidden = track === null;
  showMuted(false);
  showMidi(false);
  show("jam");
  setLight(element("room-light"), "connecting");
  stay.open();
  wakeLock.hold();
  element("jam-title").focus();
  Midi.isAllowed().then((allowed) => allowed && openMidi());
}

async function openMidi() {
  const here = stay;
  try {
    await here?.openMidi();
  } catch (error) {
    if (here === stay) alerts.raise("NO_MIDI", error.message);
    return;
  }
  if (here !== stay) return;
  alerts.clear("NO_MIDI");
  showMidi(true);
}

function showMidi(isOn) {
  element("midi").hidden = !Midi.isPossible;
  element("midi").setAttribute("aria-pressed", String(isOn));
}

/** The hub makes way for another: say so, and follow. Those we hear stay connected until then. */
function move(page, code) {
  const visitor = { name: recall("name") ?? "", instrument: recall("instrument") ?? "" };
  const url = destination(page, { protocol: location.protocol, code, visitor });
  if (url === null || moving !== null) return;
  alerts.raise("MOVED", `Taking you along to ${new URL(url).host}. Your browser may ask about its certificate once.`);
  moving = setTimeout(() => location.assign(url), MOVING_MS);
}

function leave() {
  clearTimeout(moving);
  moving = null;
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

async function showSecurePage() {
  element("secure-link").href = await securePage(location.pathname);
}

function prepareForm() {
  const visitor = visitorIn(location.hash);
  element("name").value = (visitor.name || recall("name") || defaultName()).slice(0, MAX_NAME);
  element("instrument").value = (visitor.instrument || recall("instrument") || "").slice(0, MAX_NAME);
  element("insecure").hidden = secure;
  if (!secure) showSecurePage();
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
element("midi").addEventListener("click", openMidi);
element("mute").addEventListener("click", () => showMuted(stay.toggleMute()));
window.addEventListener("online", () => stay?.hurry());
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && stay?.hurry());
window.addEventListener("pagehide", () => stay?.close());
window.addEventListener("pageshow", ({ persisted }) => persisted && location.reload());
prepareForm();
showForm();
