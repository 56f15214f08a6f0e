/** Who connects with whom. Every member computes the same from the same presence. Pure. */

export const MAX_PLAYERS = 4;

/** Those whose sound the room carries: the first four who send, by (joinedAt, id). */
export function players(members) {
  return members
    .filter((member) => member.sends)
    .sort(bySeniority)
    .slice(0, MAX_PLAYERS);
}

/** The ids that `self` holds a connection with: players with each other, a listener with every player. */
export function partners(self, members) {
  const playing = new Set(players(members).map((member) => member.id));
  if (self.sends && !playing.has(self.id)) return new Set();
  const others = self.sends ? members.filter((member) => playing.has(member.id) || !member.sends) : players(members);
  return new Set(others.map((member) => member.id).filter((id) => id !== self.id));
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
