/** The box's page: what it does at this moment, and what its owner changes. */

import { RefusalError, Sender, tell } from "./api.js";
import { Controls } from "./controls.js";
import { setLight } from "./light.js";
import { Lights } from "./lights.js";
import { Live } from "./live.js";
import { Notices } from "./notices.js";
import { clock, setText, spelled } from "./page_parts.js";
import { People } from "./people.js";
import { Ports } from "./ports.js";
import { Sessions } from "./sessions.js";
import { Sound } from "./sound.js";
import { Strips } from "./strips.js";

const COPIED_MS = 2000;
const FIFTHS_DEG = 30;
const PITCHES = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"];
const NAMES = { api: "What you asked for was not done", away: "The box does not answer" };
const NO_LINK = "There is no link yet: the box is looking for a room server.";
const HOW = "Open this link on a phone or computer in this network, or point its camera here.";
const CERTIFICATE = "The browser asks once about the certificate, which is the box’s own: that is fine.";
const AWAY = { code: "away", text: NAMES.away, cause: "", remedy: "Is it switched on, and in this network? The page tries again by itself." };

const element = (id) => document.getElementById(id);
const failures = new Map(); // of what was asked, by where

const notices = new Notices(element("alerts"));
const announce = (words) => setText(element("announce"), words);
const failed = (where) => (words) => {
  if (words) failures.set(where, words);
  else failures.delete(where);
  showNotices();
};
const state = new Sender("/api/state", failed("state"));
const audio = new Sender("/api/audio", failed("audio"));
const controls = new Controls(element("music"), element("music-note"), {
  change: (field, value) => state.send({ [field]: value }),
  announce,
});
const people = new People(element("members"), element("member"), (name, values) => audio.send({ players: { [name]: values } }));
const strips = new Strips(element("strips"), element("strip"));
const sound = new Sound(element("input"), element("output"), (values) => audio.send(values));
const lights = new Lights({
  effect: element("effect"),
  mode: element("mode"),
  brightness: element("brightness").closest("label"),
  zones: element("zones"),
  zoneTemplate: element("zone"),
  count: element("zone-count"),
  hint: element("zone-hint"),
  add: element("add-zone"),
  problem: element("lights-problem"),
});
const ports = new Ports({
  inputs: element("midi-in"),
  outputs: element("midi-out"),
  sent: element("midi-sent"),
  received: element("midi-received"),
  problem: element("midi-problem"),
});
const sessions = new Sessions({
  list: element("sessions"),
  template: element("session"),
  none: element("no-sessions"),
  dialog: element("confirm"),
  title: element("confirm-title"),
  text: element("confirm-text"),
  failed: failed("sessions"),
});
const live = new Live({ changed, strips: (colours) => strips.draw(colours), connection, refused });

let alerts = [];
let isAway = false;
let knownLink = null;

/** What each section of the status is shown by. */
const VIEWS = [
  [["alerts"], ({ alerts: now }) => { alerts = now; showNotices(); }],
  [["room"], showRoom],
  [["state", "room"], showMusic],
  [["notes", "state"], showNotes],
  [["room", "audio", "notes"], (status) => people.show(status)],
  [["audio"], (status) => sound.show(status.audio)],
  [["light"], (status) => showStrips(status.light)],
  [["light", "room"], (status) => lights.show(status)],
  [["midi"], (status) => ports.show(status.midi)],
  [["store", "room"], (status) => sessions.show(status)],
  [["version", "store"], showFoot],
];

function changed(status, sections) {
  element("login").hidden = true;
  element("box").hidden = false;
  for (const [names, show] of VIEWS) if (names.some((name) => sections.has(name))) show(status);
}

function showNotices() {
  const own = [...new Set(failures.values())].map((cause, place) => ({ code: `api-${place}`, text: NAMES.api, cause, remedy: "" }));
  notices.show([...(isAway ? [AWAY] : []), ...own, ...alerts]);
}

function connection(isThere) {
  isAway = !isThere;
  if (isAway) setLight(element("room-light"), "reconnecting", "No answer from the box");
  showNotices();
}

function showRoom({ room }) {
  element("room").hidden = false;
  setText(element("room-code"), room.code);
  document.title = `Box in ${room.code}`;
  const words = room.state === "local" ? "On its own" : undefined;
  setLight(element("room-light"), room.connection, words);
  element("alone").hidden = room.participants.length > 1;
  showLink(room.link);
}

function showLink(link) {
  if (link === knownLink && knownLink !== null) return;
  knownLink = link;
  for (const id of ["qr", "link", "copy"]) element(id).hidden = link === null;
  element("copy").hidden ||= !navigator.clipboard;
  setText(
    element("how"),
    link === null ? NO_LINK : link.startsWith("https:") ? `${HOW} ${CERTIFICATE}` : HOW,
  );
  if (link === null) return;
  element("qr").src = `/qr.svg?${encodeURIComponent(link)}`;
  element("link").href = link;
  setText(element("link"), link.replace(/^https?:\/\//, ""));
}

function showMusic({ state: values, room }) {
  const who = () => null; // the page is not told who has changed what
  controls.show({ values, value: (field) => values[field] }, who, room.may_change);
}

function showNotes({ notes, state: { colorMode } }) {
  setText(element("chord"), notes.chord ? spelled(notes.chord) : "");
  const names = [...new Set(notes.sources.flatMap((source) => source.notes))].sort((one, other) => midi(one) - midi(other));
  const shown = JSON.stringify([names, colorMode]);
  const list = element("notes");
  if (list.dataset.shown === shown) return;
  list.dataset.shown = shown;
  list.replaceChildren(...(names.length ? names.map((name) => chip(name, colorMode)) : [rest()]));
}

function chip(name, colorMode) {
  const item = document.createElement("li");
  const dot = document.createElement("i");
  const pitch = midi(name) % 12;
  dot.style.setProperty("--hue", String(FIFTHS_DEG * (colorMode === "harmonic" ? (7 * pitch) % 12 : pitch)));
  item.append(dot, spelled(name));
  return item;
}

function rest() {
  const item = document.createElement("li");
  item.className = "rest";
  item.textContent = "Silence";
  return item;
}

function midi(name) {
  const [, pitch, octave] = name.match(/^([A-G]#?)(-?\d+)$/);
  return 12 * (Number(octave) + 1) + PITCHES.indexOf(pitch);
}

function showStrips({ controllers, mode }) {
  strips.show(controllers);
  const none = controllers.every((one) => !one.mac);
  element("dark").hidden = !none;
  setText(
    element("dark"),
    mode === "off" ? "The lights are switched off in the configuration." : "No LED strip was found: is it in this network? Else name it under light.controllers.",
  );
}

function showFoot({ version, store }) {
  const saved = store.saved_at ? `saved ${clock(store.saved_at)}` : "not saved here";
  setText(element("foot"), `jambridge ${version} · ${saved}`);
}

async function copyLink() {
  try {
    await navigator.clipboard.writeText(knownLink);
  } catch {
    return;
  }
  setText(element("copy"), "Copied");
  announce("Copied");
  setTimeout(() => setText(element("copy"), "Copy link"), COPIED_MS);
}

async function panic() {
  try {
    await tell("/api/midi/panic");
    announce("All notes have ended");
  } catch (error) {
    if (!(error instanceof RefusalError)) throw error;
    failed("midi")(error.message);
  }
}

function refused() {
  element("box").hidden = true;
  element("login").hidden = false;
  setLight(element("room-light"), "disconnected", "Closed");
  element("token").focus();
}

async function login(token) {
  setText(element("login-problem"), "");
  try {
    await tell("/api/login", { token });
  } catch (error) {
    if (!(error instanceof RefusalError)) throw error;
    refused();
    setText(element("login-problem"), error.message);
    return;
  }
  element("login").hidden = true;
  live.open();
}

element("login").addEventListener("submit", (event) => {
  event.preventDefault();
  login(element("token").value);
});
element("copy").addEventListener("click", copyLink);
element("panic").addEventListener("click", panic);
const token = location.pathname === "/login" ? location.hash.slice(1) : "";
history.replaceState(null, "", "/"); // a token in the address would stay in the history
if (token) login(token);
else live.open();
