"""Who connects with whom, so that both ends choose the same pairs. Pure."""

from collections.abc import Container, Iterable

from jambridge.audio.opus import FRAME_FRAMES, SHORT_FRAMES
from jambridge.room.messages import Participant
from jambridge.units import PeerId

CLOCK = "clock"
"""The capability of members who set their lights by the room's clock."""

MIDI = "midi"
"""The capability of members who may play over MIDI, or take what others do."""

SHORT_PACKETS = "packets-5ms"
"""The capability of members who want packets of 5 ms."""
_MOST_SHORT = 2  # partners: three times 200 packets a second each way are more work than 5 ms are worth


def players(participants: Iterable[Participant], max_peers: int) -> frozenset[PeerId]:
    """The members whose sound everyone gets: those who send, the first to join, `max_peers` + 1 of them."""
    senders = sorted((member.joined_at, member.id) for member in participants if member.sends)
    return frozenset(peer for _, peer in senders[: max_peers + 1])


def gathered(participants: Iterable[Participant], capability: str, max_peers: int) -> frozenset[PeerId]:
    """The members who only listen and have that capability: as many as there are players at most."""
    having = sorted(
        (member.joined_at, member.id)
        for member in participants
        if not member.sends and capability in member.capabilities
    )
    return frozenset(peer for _, peer in having[: max_peers + 1])


def partners(self_id: PeerId, participants: Iterable[Participant], max_peers: int) -> frozenset[PeerId]:
    """Whom `self_id` connects with: players with each other, those who do not send with every player.

    Two who do not send have nothing to hear of each other; for the sake of the clock or of MIDI they connect all the
    same: four for each, by themselves, so that a member that knows the one alone chooses as the others do.

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
    groups = (gathered(members, capability, max_peers) for capability in (CLOCK, MIDI))
    return chosen.union(*(group for group in groups if self_id in group)) - {self_id}


def frame_frames(
    self_id: PeerId, participants: Iterable[Participant], max_peers: int, roundabout: Container[PeerId]
) -> int:
    """How long our packets are: short where all partners are bridges, few, and none is reached `roundabout`."""
    members = tuple(participants)
    reached = partners(self_id, members, max_peers)
    able = {member.id for member in members if SHORT_PACKETS in member.capabilities}
    short = 0 < len(reached) <= _MOST_SHORT and all(peer in able and peer not in roundabout for peer in reached)
    return SHORT_FRAMES if short else FRAME_FRAMES
