/**
 * Plays recorded lives of members back to the jam page's Sharing: `node replay.mjs FOLDER`, FOLDER being that of its
 * modules. In: a list of lives [{me, hostOnly, steps: [{call, given, now, jitter}]}], times in seconds. Out: for each step what was
 * said and what is believed, or {error: true}.
 */

import { text } from "node:stream/consumers";
import { pathToFileURL } from "node:url";

const folder = pathToFileURL(`${process.argv[2]}/`);
const { NotHostError, Sharing } = await import(new URL("sharing.js", folder));
const { WireError } = await import(new URL("state.js", folder));

const ms = (seconds) => 1000 * seconds;
const members = (list) => list.map(([id, isHost, joinedAt]) => ({ id, isHost, joinedAt: joinedAt ?? Infinity }));

const CALLS = {
  joined: (sharing, [list, wall], now) => sharing.joined(members(list), wall * 1000, now),
  members_changed: (sharing, [list, wall], now) => sharing.membersChanged(members(list), wall * 1000, now),
  receive: (sharing, [event, payload, sender], now) => sharing.receive(event, payload, sender, now),
  change: (sharing, [field, value], now) => sharing.change(field, value, now),
  restore: (sharing, [values], now) => sharing.restore(values, now),
  lost: (sharing) => sharing.lost() ?? [],
  leaving: (sharing, [wall]) => sharing.leaving(wall * 1000),
  tick: (sharing, _, now) => sharing.tick(now),
};

function replay({ me, hostOnly, steps }) {
  let jitter = [];
  const sharing = new Sharing(me, { hostOnly, jitter: () => jitter.shift() });
  return steps.map((step) => {
    jitter = [...step.jitter];
    try {
      const said = CALLS[step.call](sharing, step.given, ms(step.now));
      return { said: said.map(({ event, payload }) => [event, payload]), ...beliefs(sharing) };
    } catch (error) {
      if (!(error instanceof WireError || error instanceof NotHostError)) throw error;
      return { error: true, ...beliefs(sharing) };
    }
  });
}

function beliefs({ state, host, deadline, dropped }) {
  const due = deadline === Infinity ? null : deadline / 1000;
  return { state: state.everything, stamps: state.stamps, host, due, dropped: Object.fromEntries(dropped) };
}

const lives = JSON.parse(await text(process.stdin));
process.stdout.write(JSON.stringify(lives.map(replay)));
