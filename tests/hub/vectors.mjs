/**
 * Gives the shared vectors of the room's state to the jam page's modules: `node vectors.mjs FOLDER`, FOLDER being theirs.
 * In: {values, merging, electing, sharing}, each a list of cases. Out: the same names, with what came of each case.
 */

import { text } from "node:stream/consumers";
import { pathToFileURL } from "node:url";

const folder = pathToFileURL(`${process.argv[2]}/`);
const { NotHostError, Sharing } = await import(new URL("sharing.js", folder));
const { RoomState, WireError, checked } = await import(new URL("state.js", folder));
const { elect } = await import(new URL("hosting.js", folder));

const WALL_MS = 1_700_000_000_000;
const members = (list) => list.map(([id, joinedAt, isHost]) => ({ id, isHost, joinedAt: joinedAt * 1000 }));
const plain = ({ event, payload }) => [event, payload];

function refusing(act) {
  try {
    return act();
  } catch (error) {
    if (error instanceof WireError || error instanceof NotHostError) return "refused";
    throw error;
  }
}

function merge({ taken, held }) {
  const state = taken.reduce((before, [name, value, stamp]) => before.take(name, value, stamp), new RoomState());
  return held.map(([name]) => [name, state.value(name), state.stamp(name)]);
}

function run(sharing, until) {
  const said = [];
  while (sharing.deadline <= until) {
    const due = Math.max(0, sharing.deadline);
    said.push(...sharing.tick(due).map(({ event, payload }) => [Math.round(due * 1e3) / 1e6, event, payload]));
  }
  return said;
}

function act(sharing, step) {
  const now = Math.round(step.at * 1e6) / 1e3;
  const wall = WALL_MS + now;
  if (step.do === "run") return run(sharing, now);
  if (step.do === "joined") return sharing.joined(members(step.members), wall, now).map(plain);
  if (step.do === "members") return sharing.membersChanged(members(step.members), wall, now).map(plain);
  if (step.do === "receive") return sharing.receive(step.event, step.payload, step.sender, now).map(plain);
  if (step.do === "change") return sharing.change(step.field, step.value, now).map(plain);
  if (step.do === "restore") return sharing.restore(step.values, now).map(plain);
  if (step.do === "lost") return sharing.lost() ?? [];
  if (step.do === "leaving") return sharing.leaving(wall).map(plain);
  throw new Error(`the page cannot ${step.do}`);
}

function live({ me, host_only: hostOnly, steps }) {
  const sharing = new Sharing(me, { hostOnly, jitter: () => 0.5 });
  return steps.map((step) => ({
    said: refusing(() => act(sharing, step)),
    host: sharing.host,
    state: sharing.state.values,
  }));
}

const given = JSON.parse(await text(process.stdin));
const outcomes = {
  values: given.values.map(({ field, value }) => refusing(() => checked(field, value)) !== "refused"),
  merging: given.merging.map(merge),
  electing: given.electing.map((one) => elect(members(one.members), one.wall_s * 1000, { newcomer: one.newcomer })),
  sharing: given.sharing.map(live),
};
process.stdout.write(JSON.stringify(outcomes));
