"""Who connects with whom, so that both ends choose the same pairs. Pure."""

from collections.abc import Iterable

from jambridge.room.messages import Participant
from jambridge.units import PeerId


def players(participants: Iterable[Participant], max_peers: int) -> frozenset[PeerId]:
    """The members whose sound everyone gets: those who send, the first to join, `max_peers` + 1 of them."""
    senders = sorted((member.joined_at, member.id) for member in participants if member.sends)
    return frozenset(peer for _, peer in senders[: max_peers + 1])


def partners(self_id: PeerId, participants: Iterable[Participant], max_peers: int) -> frozenset[PeerId]:
    """Whom `self_id` connects with: players with each other, those who do not send with every player.

    Nobody, if `self_id` is not among the participants. Symmetric, given the same participants and `max_peers`.
    """
    members = tuple(participants)
    sends = {member.id: member.sends for member in members}
    if self_id not in sends:
        return frozenset()
    chosen = players(members, max_peers)
    if self_id in chosen:
        return frozenset(peer for peer in sends if peer in chosen or not sends[peer]) - {self_id}
    return frozenset() if sends[self_id] else chosen
