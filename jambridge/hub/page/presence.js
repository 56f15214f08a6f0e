/**
 * Who is in the room: Phoenix presence, folded from `presence_state` and `presence_diff`. Pure.
 *
 * A state is a Map from key to its metas, the oldest first. What comes from outside is bounded and checked here.
 */

const MAX_MEMBERS = 64;
const MAX_METAS = 8;
const MAX_TEXT = 64;
const MAX_CAPABILITIES = 16;
const KEY = /^[\x21-\x7e]{1,64}$/;

export function fromState(payload) {
  return new Map(entries(payload).map(([key, metas]) => [key, metas.slice(0, MAX_METAS)]));
}

/** A new state; a meta is known by its `phx_ref`. */
export function withDiff(state, payload) {
  const next = new Map(state);
  const joins = entries(payload?.joins);
  for (const [key, metas] of joins) {
    const added = new Set(metas.map((meta) => meta.phx_ref));
    const kept = (next.get(key) ?? []).filter((meta) => !added.has(meta.phx_ref));
    if (next.has(key) || next.size < MAX_MEMBERS) next.set(key, [...kept, ...metas].slice(0, MAX_METAS));
  }
  for (const [key, metas] of entries(payload?.leaves)) {
    const gone = new Set(metas.map((meta) => meta.phx_ref));
    const kept = (next.get(key) ?? []).filter((meta) => !gone.has(meta.phx_ref));
    if (kept.length) next.set(key, kept);
    else next.delete(key);
  }
  return next;
}

/** The members of a state. Of a key with two sockets the first counts: the second may be anybody's, who saw the key. */
export function participants(state) {
  return [...state].map(([key, metas]) => participant(key, metas[0])).filter(Boolean);
}

function participant(id, meta) {
  if (typeof meta.name !== "string") return null;
  return {
    id,
    name: line(meta.name) || "?",
    isHost: meta.isHost === true,
    joinedAt: moment(meta.joinedAt),
    instrument: line(meta.instrument),
    client: line(meta.client),
    sends: meta.sends !== false,
    capabilities: Array.isArray(meta.capabilities) ? meta.capabilities.slice(0, MAX_CAPABILITIES).map(line) : [],
  };
}

function entries(payload) {
  if (typeof payload !== "object" || payload === null) return [];
  return Object.entries(payload)
    .filter(([key, value]) => KEY.test(key) && Array.isArray(value?.metas))
    .slice(0, MAX_MEMBERS)
    .map(([key, value]) => [key, value.metas.filter((meta) => typeof meta === "object" && meta !== null)])
    .filter(([, metas]) => metas.length);
}

function line(text) {
  return typeof text === "string" ? text.slice(0, MAX_TEXT).replace(/[\p{C}\p{Z}]+/gu, " ").trim() : "";
}

/** Milliseconds since 1970; infinitely late where the text is no ISO 8601 moment, so that it never wins. */
function moment(text) {
  if (typeof text !== "string") return Infinity;
  const zoned = /(?:Z|[+-]\d\d:?\d\d)$/i.test(text) ? text : `${text}Z`;
  const parsed = Date.parse(zoned.slice(0, 40));
  return Number.isNaN(parsed) ? Infinity : parsed;
}
