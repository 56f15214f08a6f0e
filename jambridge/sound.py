"""This box's own sound: its edges, its services, and what they owe each other.

line-in → capture process → packets → `sending` → every peer          every peer → `desk` → playback process → line-out
"""

import asyncio
import logging
import socket
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from jambridge.audio.card import probe
from jambridge.audio.card.cards import NO_DEVICE, Direction
from jambridge.audio.card.control import CaptureReport, CaptureSettings, ChannelReport, PlaybackReport, PlaybackSettings
from jambridge.audio.card.desk import Desk, Fader
from jambridge.audio.card.service import RETRY_S, CardService, open_capture, open_playback
from jambridge.audio.feed import Feeds
from jambridge.audio.ring import Feed
from jambridge.config import AudioConfig
from jambridge.edges import Latest, values
from jambridge.errors import DeviceError, WireError
from jambridge.peers import roles
from jambridge.peers.mesh import Mesh
from jambridge.peers.outgoing import Outgoing
from jambridge.peers.sending import open_sending
from jambridge.peers.status import PeerState, PeerStatus
from jambridge.room.edges import RoomEdges
from jambridge.room.messages import Participant
from jambridge.services import Running, Services
from jambridge.strict_json import JsonObject
from jambridge.units import PeerId

log = logging.getLogger(__name__)

BIT_RATES = {"low_latency": 128_000, "high_quality": 256_000}
LOOK_S = 1.0
_MOST_GAIN = 2.0
_MOST_NAME = 64


@dataclass(frozen=True, slots=True)
class Sound:
    """The edges between the sound's services; they outlive each of them."""

    sends: bool
    outgoing: Outgoing
    near: socket.socket
    far: socket.socket
    """Of encoded packets: the card's process writes into `far`."""
    capture: Latest[CaptureSettings]
    captured: Latest[CaptureReport]
    tones: Latest[bytes]
    """What the line-in's strongest tone is, as the output's process is told it."""
    desk: Desk
    played: Latest[PlaybackReport]
    waiting: Latest[bool]
    """Whether others hold every place of a musician, so that nobody hears us."""

    def close(self) -> None:
        self.near.close()
        self.far.close()
        self.desk.close()


async def sends(section: AudioConfig) -> bool:
    """Whether this box is a musician: it has an input, or is told to wait for one by name."""
    if not section.send or section.input == NO_DEVICE:
        return False
    if section.input is not None:
        return True
    try:
        return any(card.channels(Direction.INPUT) for card in await probe.cards())
    except DeviceError:
        return False


def edges(section: AudioConfig, master_volume: float, *, is_musician: bool) -> Sound:
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    near.setblocking(False)
    return Sound(
        is_musician,
        Outgoing(),
        near,
        far,
        Latest(CaptureSettings(sends=is_musician)),
        Latest(CaptureReport()),
        Latest(b""),
        Desk(master_volume, section.playout),
        Latest(PlaybackReport()),
        Latest(False),
    )


def start(
    services: Services, sound: Sound, section: AudioConfig, feeds: Feeds, open_feed: Callable[[], Feed | None]
) -> Running[CardService[PlaybackSettings, PlaybackReport]] | None:
    """The input, the output, and the sending between; None where nothing is played."""
    if sound.sends:
        services.start("sending", partial(open_sending, sound.outgoing, sound.near))
    if section.input != NO_DEVICE:
        hear = partial(open_capture, section.input, section.block_frames, BIT_RATES[section.quality], feeds, open_feed)
        services.start("line-in", partial(hear, sound.far, sound.capture, sound.captured, sound.tones), RETRY_S)
    if section.output == NO_DEVICE or not section.play:
        return None
    play = partial(open_playback, section.output, section.block_frames)
    return services.start("line-out", partial(play, sound.desk.far, sound.desk.settings, sound.played), RETRY_S)


async def keep(
    sound: Sound,
    room: RoomEdges,
    mesh: Running[Mesh],
    line_out: Running[CardService[PlaybackSettings, PlaybackReport]] | None,
    max_peers: int,
) -> None:
    """Tell the howl guard what the line-in hears, choose how long packets are, and see who hears us; for ever."""
    async with asyncio.TaskGroup() as group:
        group.create_task(_follow_members(sound, room, mesh, max_peers))
        if line_out is not None:
            group.create_task(_tell_tones(sound, line_out))


async def _tell_tones(sound: Sound, line_out: Running[CardService[PlaybackSettings, PlaybackReport]]) -> None:
    async for tone in values(sound.tones):
        if tone and line_out.present is not None:
            line_out.present.hint(tone)


async def _follow_members(sound: Sound, room: RoomEdges, mesh: Running[Mesh], max_peers: int) -> None:
    while True:
        peers = mesh.present.peers() if mesh.present else []
        roundabout = {peer.id for peer in peers if peer.path not in (None, "host")}
        frames = roles.frame_frames(room.me, room.members.value, max_peers, roundabout)
        sound.capture.set(replace(sound.capture.value, frame_frames=frames))
        note_place(sound, room.me, room.members.value, max_peers)
        await asyncio.sleep(LOOK_S)


def note_place(sound: Sound, me: PeerId, members: Sequence[Participant], max_peers: int) -> None:
    """Whether we are one musician too many; said when that begins, and when it ends."""
    if all(member.id != me for member in members):
        return  # we are away: who plays is not known
    waits = sound.sends and me not in roles.players(members, max_peers)
    if waits == sound.waiting.value:
        return
    sound.waiting.set(waits)
    if waits:
        log.warning("nobody hears this box: others play already players=%d", max_peers + 1)
    else:
        log.info("this box has a place among those who play")


def peers(sound: Sound, mesh: Mesh) -> list[PeerStatus]:
    """Everyone that a connection is wanted with, and how each is played."""
    return [_played(peer, sound.desk.playing(peer.id, sound.played.value)) for peer in mesh.peers()]


def _played(peer: PeerStatus, playing: ChannelReport | None) -> PeerStatus:
    if playing is None:
        return peer
    level = playing.level_dbfs if peer.state is PeerState.CONNECTED else peer.level_dbfs
    return replace(peer, level_dbfs=level, jitter_ms=playing.jitter_ms, playout_ms=playing.depth_ms)


def describe(sound: Sound, present: Container[str]) -> JsonObject:
    """What may be changed: volumes and mutes; `absent` are players named whose place among those `present` is empty."""
    settings = sound.desk.settings.value
    players = {name: {"gain": one.gain, "muted": one.is_muted} for name, one in sound.desk.faders.items()}
    return {
        "masterVolume": settings.master_volume,
        "muted": settings.is_muted,
        "inputMuted": sound.capture.value.is_muted,
        "players": players,
        "absent": [name for name in players if name not in present],
    }


def change(sound: Sound, wanted: Mapping[str, object]) -> None:
    """Any of what `describe` gives, a player by name, also one who is not there yet; `absent` is passed over.

    Raises:
        WireError: a key or value that makes no sense; then nothing is changed.
    """
    unknown = wanted.keys() - {"masterVolume", "muted", "inputMuted", "players", "absent"}
    if unknown or not wanted:
        raise WireError("give masterVolume, muted, inputMuted or players: {name: {gain, muted}}")
    volume = _number(wanted, "masterVolume", 1.0)
    muted, input_muted = _truth(wanted, "muted"), _truth(wanted, "inputMuted")
    faders = _faders(wanted.get("players", {}), sound.desk.faders)
    sound.desk.set_master(volume, is_muted=muted)
    if input_muted is not None:
        sound.capture.set(replace(sound.capture.value, is_muted=input_muted))
    for name, fader in faders.items():
        sound.desk.set_fader(name, fader)


def _faders(wanted: object, before: Mapping[str, Fader]) -> dict[str, Fader]:
    if not isinstance(wanted, dict):
        raise WireError("players is an object: {name: {gain, muted}}")
    return {name: _fader(name, one, before.get(name, Fader())) for name, one in wanted.items()}


def _fader(name: str, wanted: object, before: Fader) -> Fader:
    if not isinstance(wanted, dict) or not wanted or wanted.keys() - {"gain", "muted"} or len(name) > _MOST_NAME:
        raise WireError(f"{name[:_MOST_NAME]}: give gain, muted or both")
    gain, muted = _number(wanted, "gain", _MOST_GAIN), _truth(wanted, "muted")
    return Fader(before.gain if gain is None else gain, before.is_muted if muted is None else muted)


def _number(wanted: Mapping[str, object], key: str, most: float) -> float | None:
    value = wanted.get(key)
    if key in wanted and (isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most):
        raise WireError(f"{key} is a number from 0 to {most:g}")
    return None if value is None else float(value)  # type: ignore[arg-type]


def _truth(wanted: Mapping[str, object], key: str) -> bool | None:
    value = wanted.get(key)
    if key in wanted and not isinstance(value, bool):
        raise WireError(f"{key} is true or false")
    return value  # type: ignore[return-value]
