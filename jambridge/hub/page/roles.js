/** Who connects with whom. Every member computes the same from the same presence. Pure. */

export const MAX_PLAYERS = 4;

/** The capability of members who set their lights by the room's clock, or whose clock is the room's. */
export const CLOCK = "clock";

/** The capability of members who may play over MIDI, or take what others do. */
export const MIDI = "midi";

/** Those whose sound the room carries: the first four who send, by (joinedAt, id). */
export function players(members) {
  return members
    .filter((member) => member.sends)
    .sort(bySeniority)
    .slice(0, MAX_PLAYERS);
}

/** Those who only listen and have that capability: no more than there may be players. */
function gathered(members, capability) {
  return members
    .filter((member) => !member.sends && member.capabilities.includes(capability))
    .sort(bySeniority)
    .slice(0, MAX_PLAYERS);
}

/**
 * The ids that `self` holds a connection with: players with each other, a listener with every player, and listeners
 * with each other for the sake of the clock or of MIDI.
 */
export function partners(self, members) {
  return new Set(partnersOf(self, members).map(({ id }) => id).filter((id) => id !== self.id));
}

function partnersOf(self, members) {
  const playing = players(members);
  const isAmong = (some) => some.some(({ id }) => id === self.id);
  if (isAmong(playing)) return [...playing, ...members.filter((member) => !member.sends)];
  if (self.sends) return [];
  return [...playing, ...[CLOCK, MIDI].map((capability) => gathered(members, capability)).filter(isAmong).flat()];
}

/** The lower id offers, by the order of its UTF-16 units; ids are ASCII. */
export function offers(selfId, peerId) {
  return selfId < peerId;
}

/** Sorts members by time of joining, then by id. */
export function bySeniority(one, other) {
  if (one.joinedAt !== other.joinedAt) return one.joinedAt < other.joinedAt ? -1 : 1;
  return one.id < other.id ? -1 : Number(one.id > other.id);
}
