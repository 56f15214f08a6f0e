/** Who connects with whom. Every member computes the same from the same presence. Pure. */

export const MAX_PLAYERS = 4;
const PLAUSIBLE_MS = 24 * 3600e3;
const SKEW_MS = 3600e3;

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

/**
 * The id of the host: the most senior of those who came first (two may have, at once), else of all. Who claims to have
 * joined more than a day ago, or in the future, is last.
 */
export function host(members, now = Date.now()) {
  const sorted = [...members].sort(bySeniority);
  const plausible = sorted.filter(({ joinedAt }) => joinedAt > now - PLAUSIBLE_MS && joinedAt < now + SKEW_MS);
  return (plausible.find((member) => member.isHost) ?? plausible[0] ?? sorted[0])?.id ?? null;
}

/** The lower id offers, by the order of its UTF-16 units; ids are ASCII. */
export function offers(selfId, peerId) {
  return selfId < peerId;
}

function bySeniority(one, other) {
  if (one.joinedAt !== other.joinedAt) return one.joinedAt < other.joinedAt ? -1 : 1;
  return one.id < other.id ? -1 : Number(one.id > other.id);
}
