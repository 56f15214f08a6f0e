"""Who connects with whom, so that both ends choose the same pairs. Pure."""

from collections.abc import Container, Iterable

from jambridge.audio.opus import FRAME_FRAMES, SHORT_FRAMES
from jambridge.room.messages import Participant
from jambridge.units import PeerId

CLOCK = "clock"
"""The capability of members who set their lights by the room's clock."""

SHORT_PACKETS = "packets-5ms"
"""The capability of members who want packets of 5 ms."""
_MOST_SHORT = 2  # partners: three times 200 packets a second each way are more work than 5 ms are worth


def players(participants: Iterable[Participant], max_peers: int) -> frozenset[PeerId]:
    """The members whose sound everyone gets: those who send, the first to join, `max_peers` + 1 of them."""
    senders = sorted((member.joined_at, member.id) for member in participants if member.sends)
    return frozenset(peer for _, peer in senders[: max_peers + 1])


def timekeepers(participants: Iterable[Participant], max_peers: int) -> frozenset[PeerId]:
    """The members who only listen and keep the room's clock: as many as there are players at most."""
    keeping = sorted(
        (member.joined_at, member.id) for member in participants if not member.sends and CLOCK in member.capabilities
    )
    return frozenset(peer for _, peer in keeping[: max_peers + 1])


def partners(self_id: PeerId, participants: Iterable[Participant], max_peers: int) -> frozenset[PeerId]:
    """Whom `self_id` connects with: players with each other, those who do not send with every player.

    Two who do not send have nothing to hear of each other; bridges connect all the same, for the sake of the clock.

    Nobody, if `self_id` is not among the participants. Symmetric, given the same participants and `max_peers`.
    """
    members = tuple(participants)
    sends = {member.id: member.sends for member in members}
    if self_id not in sends:
        return frozenset()
    chosen = players(members, max_peers)
    if self_id in chosen:
        return frozenset(peer for peer in sends if peer in chosen or not sends[peer]) - {self_id}
    if sends[self_id]:
        return frozenset()
    keeping = timekeepers(members, max_peers)
    return chosen | (keeping - {self_id} if self_id in keeping else frozenset())


def frame_frames(
    self_id: PeerId, participants: Iterable[Participant], max_peers: int, roundabout: Container[PeerId]
) -> int:
    """How long our packets are: short where all partners are bridges, few, and none is reached `roundabout`."""
    members = tuple(participants)
    reached = partners(self_id, members, max_peers)
    able = {member.id for member in members if SHORT_PACKETS in member.capabilities}
    short = 0 < len(reached) <= _MOST_SHORT and all(peer in able and peer not in roundabout for peer in reached)
    return SHORT_FRAMES if short else FRAME_FRAMES
