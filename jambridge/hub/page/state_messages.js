/**
 * What members say about the room's state and its host, in and out; as the daemon's `room/state_messages.py`. Pure.
 *
 * Source: the project's wire contract, "Room". Additive: `author` of a field that is said again, `state` and `standing`
 * in a digest, `fields` and `targetPeerId` in a request, `hostOnly` where only the host changes anything.
 */

import { BACK, ELECTED, SETTLED } from "./hosting.js";
import { FIELDS, MOST_OTHERS, WireError, checked, checkedOther, checkedStamp } from "./state.js";

const EVENT_OF = Object.freeze({
  tempo: "tempo-change",
  key: "key-change",
  scale: "scale-change",
  colorMode: "color-mode-change",
  isPlaying: "playback-control",
});
const FIELD_OF = new Map(Object.entries(EVENT_OF).map(([name, event]) => [event, name]));
const [REQUEST, SYNC, DIGEST, HOST_CHANGE] = ["state-request", "state-sync", "state-digest", "host-change"];
const MAX_ID = 64;

export const EVENTS = new Set([...FIELD_OF.keys(), REQUEST, SYNC, DIGEST, HOST_CHANGE]);

/**
 * Any of EVENTS, as an object of one of these kinds; throws WireError for nonsense.
 *
 * change {name, value, stamp}: `stamp` is null from an older browser · sync and digest {target, host, standing, hostOnly,
 * values, stamps}: the last two are Maps by field · request {target}: the only one asked, or null · host {host, standing}
 */
export function parse(event, payload, sender) {
  if (FIELD_OF.has(event)) return parseChange(FIELD_OF.get(event), payload, sender);
  if (event === SYNC || event === DIGEST) return parseSnapshot(event === SYNC ? "sync" : "digest", payload);
  if (event === REQUEST) return { kind: "request", target: peer(payload.targetPeerId) };
  const host = event === HOST_CHANGE ? peer(payload.hostId) : null;
  if (host === null) throw new WireError("no statement about the state");
  return { kind: "host", host, standing: standingOf(payload) };
}

/** One field as it is. */
export function change(state, name, sender) {
  const [revision, author] = state.stamp(name);
  const payload = { [name]: state.value(name), revision };
  return { event: EVENT_OF[name], payload: author === sender ? payload : { ...payload, author } };
}

export function sync(state, hostId, standing, hostOnly, targetPeerId) {
  return { event: SYNC, payload: { targetPeerId, ...body(state, hostId, standing, hostOnly) } };
}

export function digest(state, hostId, standing, hostOnly) {
  return { event: DIGEST, payload: body(state, hostId, standing, hostOnly) };
}

/** For the state, which lacks `fields`; `target` is asked alone. */
export function request({ fields = [], target = null } = {}) {
  const payload = fields.length ? { fields } : {};
  return { event: REQUEST, payload: target === null ? payload : { ...payload, targetPeerId: target } };
}

export function hostChange(hostId, standing) {
  return { event: HOST_CHANGE, payload: { hostId, standing } };
}

function body(state, hostId, standing, hostOnly) {
  return { hostId, standing, state: state.everything, stamps: state.stamps, ...(hostOnly ? { hostOnly } : {}) };
}

function parseChange(name, payload, sender) {
  const value = checked(name, own(payload, name));
  const { revision = null, author = sender } = payload;
  return { kind: "change", name, value, stamp: revision === null ? null : checkedStamp([revision, author]) };
}

function parseSnapshot(kind, payload) {
  const { state = {}, stamps = {} } = payload;
  if (!isObject(state) || !isObject(stamps)) throw new WireError("a state and its stamps are objects");
  const unknown = Object.keys(state).filter((name) => !FIELDS.includes(name));
  const names = [...FIELDS.filter((name) => Object.hasOwn(state, name)), ...unknown.sort().slice(0, MOST_OTHERS)];
  const check = (name) => (FIELDS.includes(name) ? checked : checkedOther)(name, state[name]);
  const values = new Map(names.map((name) => [name, check(name)]));
  const stamped = [...new Set([...FIELDS, ...names])].filter((name) => Object.hasOwn(stamps, name));
  return {
    kind,
    target: peer(payload.targetPeerId),
    host: peer(payload.hostId),
    standing: standingOf(payload),
    hostOnly: payload.hostOnly === true,
    values,
    stamps: new Map(stamped.map((name) => [name, checkedStamp(stamps[name])])),
  };
}

/** Who does not say is taken for elected. */
function standingOf({ standing }) {
  return [BACK, ELECTED, SETTLED].includes(standing) ? standing : ELECTED;
}

function peer(value) {
  if (value === undefined || value === null) return null;
  if (typeof value !== "string" || !value || [...value].length > MAX_ID) throw new WireError("an id is a short text");
  return value;
}

function own(payload, name) {
  return Object.hasOwn(payload, name) ? payload[name] : undefined;
}

function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
