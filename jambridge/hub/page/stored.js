/**
 * What a host writes into its session's row, and what it leaves alone, as the daemon's `store/merging.py`. Pure.
 *
 * Ours are the music and the counts. Everything else, another's hardware and studio above all, is carried over.
 */

import { FIELDS, WireError, checked } from "./state.js";

const ABSENCE_MS = 24 * 3600e3;
const GOING_ON = FIELDS.filter((name) => name !== "isPlaying");
const MASTER_VOLUME = 0.8;
const STUDIO = Object.freeze({ loadedModules: [], activeModuleId: null });
const MIDI = Object.freeze({ inputDevice: null, outputDevice: null, connected: false });
const WLED = Object.freeze({ devices: [], activeDeviceId: null });

/** `metadata.revision`, or null where an older app wrote the row. */
export function revision(stored) {
  const number = block(stored, "metadata").revision;
  return Number.isSafeInteger(number) ? number : null;
}

/** Whole minutes that the session had lasted when it was stored. */
export function duration(stored) {
  return count(block(stored, "metadata"), "durationMinutes");
}

/**
 * What a room goes on with after an absence, by the daemon's `store/resuming.py`: its fields that can be used, but it
 * does not play by itself. Empty where the row, {created_at, state}, was last written more than a day before `wall`.
 */
export function remembered({ created_at: created, state }, wall) {
  const written = Date.parse(block(state, "metadata").updatedAt) || Date.parse(created);
  if (!(wall - written <= ABSENCE_MS)) return {};
  const music = "music" in Object(state) ? block(state, "music") : Object(state); // flat: an older app's
  return Object.fromEntries(GOING_ON.filter((name) => usable(name, music[name])).map((name) => [name, music[name]]));
}

/**
 * What to store after `previous` (null for a new session), or null when nothing of it would be new.
 *
 * @param moment.state the RoomState; untouched by anybody it says nothing
 * @param moment.participants how many are in the room
 * @param moment.minutes how long the session has lasted
 * @param moment.wall a Date
 */
export function snapshot(previous, { state, participants, minutes, wall }) {
  const old = previous ?? {};
  const hardware = block(old, "hardware");
  const defaults = { ...state.values, masterVolume: MASTER_VOLUME };
  const next = {
    ...old,
    music: { ...defaults, ...block(old, "music"), ...(state.revision ? state.values : {}) },
    studio: { ...STUDIO, ...block(old, "studio") },
    hardware: {
      ...hardware,
      midi: { ...MIDI, ...block(hardware, "midi") },
      wled: { ...WLED, ...block(hardware, "wled") },
    },
  };
  const metadata = block(old, "metadata");
  const changed = ["music", "studio", "hardware"].some((name) => !same(next[name], old[name]));
  const counts = {
    participantCount: participants,
    totalStateChanges: count(metadata, "totalStateChanges") + Number(changed && revision(old) !== null),
    durationMinutes: Math.max(minutes, count(metadata, "durationMinutes")),
  };
  const counted = Object.entries(counts).every(([name, value]) => metadata[name] === value);
  if (!changed && previous !== null && counted) return null;
  const stamps = { updatedAt: wall.toISOString(), revision: (revision(old) ?? 0) + 1 };
  return { ...next, metadata: { ...metadata, ...counts, ...stamps } };
}

function usable(name, value) {
  try {
    return checked(name, value) === value;
  } catch (error) {
    if (error instanceof WireError) return false;
    throw error;
  }
}

function block(stored, name) {
  const value = stored?.[name];
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};
}

function count(metadata, name) {
  const value = metadata[name];
  return Number.isSafeInteger(value) && value >= 0 ? value : 0;
}

/** Whether two JSON values are equal, whatever the order of their keys. */
function same(one, other) {
  if (typeof one !== "object" || one === null || typeof other !== "object" || other === null) return one === other;
  const [names, others] = [Object.keys(one), Object.keys(other)];
  return (
    Array.isArray(one) === Array.isArray(other) &&
    names.length === others.length &&
    names.every((name) => Object.hasOwn(other, name) && same(one[name], other[name]))
  );
}
