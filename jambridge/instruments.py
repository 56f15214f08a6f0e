"""The box's MIDI, wired: its bridge, and what of the room and the mesh that needs."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from jambridge.config import MidiConfig
from jambridge.edges import Latest, values
from jambridge.light.control import MidiPlayer
from jambridge.midi.control import PortsReport, Settings, Tick
from jambridge.midi.receiving import channels
from jambridge.midi.service import RETRY_S, Around, Bridge, MidiService, open_midi
from jambridge.peers.channels import MIDI, SYSEX
from jambridge.peers.mesh import Mesh
from jambridge.peers.peer import Reader
from jambridge.room.edges import RoomEdges
from jambridge.room.messages import Participant
from jambridge.services import Running, Services
from jambridge.strict_json import JsonObject
from jambridge.sync.service import Sync
from jambridge.units import LocalSeconds, PeerId


@dataclass(frozen=True, slots=True)
class Instruments:
    """`process` is None where there are to be no ports."""

    bridge: Bridge
    tick: Latest[Tick]
    process: Running[MidiService] | None

    @property
    def ports(self) -> PortsReport | None:
        """Those in use."""
        return self.bridge.report.value if self.process is not None else None


def start(
    services: Services,
    section: MidiConfig,
    room: RoomEdges,
    me: Participant,
    sync: Sync,
    mesh: Callable[[], Mesh | None],
    lit: Latest[tuple[MidiPlayer, ...]],
    mark: Path,
) -> Instruments:
    """The process of the ports, if there are to be any; what everybody plays goes to `lit`."""
    tick = Latest(Tick(sync.report.value.course, sync.beat.value))
    find_channel = channels(section.channels)

    def send(text: str) -> None:
        if present := mesh():
            present.send_all(MIDI, text)

    def send_sysex(text: str) -> bool:
        present = mesh()
        return present is None or present.send_all(SYSEX, text) >= len(present.connected_over(SYSEX))

    def here() -> set[PeerId]:
        present = mesh()
        return present.connected_over(MIDI) if present else set()

    def member(peer: PeerId) -> Participant | None:
        return next((member for member in room.members.value if member.id == peer), None)

    def channel_of(peer: PeerId) -> int | None:
        who = member(peer)
        return find_channel(who.name, who.instrument) if who else None

    def show() -> None:
        now = LocalSeconds(time.monotonic())
        playing = {peer: player.keys for peer, player in bridge.receiving.players.items()}
        known = [(who, keys) for peer, keys in playing.items() if (who := member(peer))]
        if bridge.sending.count:
            known.append((me, bridge.sending.keys))
        lit.set(
            tuple(MidiPlayer(who.id, who.name, who.instrument, who is me, keys.strokes(now)) for who, keys in known)
        )

    around = Around(send, send_sysex, here, channel_of, room.change, tick, show)
    bridge = Bridge(
        around,
        forward=section.forward,
        receive=section.receive,
        sysex=section.sysex,
        delay_s=section.delay_ms / 1000,
    )
    settings = Settings(
        section.wanted_inputs,
        section.wanted_outputs,
        sends_clock=section.clock == "send",
        follows_clock=section.clock == "follow",
        sysex=section.sysex,
    )
    opening = partial(open_midi, bridge, settings, tick, mark)
    return Instruments(bridge, tick, services.start("midi", opening, RETRY_S) if section.is_used else None)


def readers(instruments: Instruments) -> dict[str, Reader]:
    """Of the data channels: what comes there lights up, also where there are no ports."""
    return {MIDI: instruments.bridge.receive, SYSEX: instruments.bridge.receive_sysex}


async def keep(instruments: Instruments, room: RoomEdges, sync: Sync) -> None:
    """The room's state makes the beat, beat and clock go to the process, and who is gone holds nothing; for ever."""

    def tell() -> None:
        instruments.tick.set(Tick(sync.report.value.course, sync.beat.value))

    async def follow_state() -> None:
        async for state in values(room.state):
            sync.keep_beat(state.tempo, is_playing=state.is_playing)
            tell()

    async def follow_beat() -> None:
        async for _ in values(sync.beat):
            tell()

    async def follow_course() -> None:
        async for _ in values(sync.report):
            tell()

    async with asyncio.TaskGroup() as group:
        group.create_task(instruments.bridge.keep())
        for follow in (follow_state, follow_beat, follow_course):
            group.create_task(follow())


def section(instruments: Instruments, names: Callable[[PeerId], str]) -> JsonObject:
    """Of the status."""
    bridge = instruments.bridge
    report, receiving = bridge.report.value, bridge.receiving
    players = receiving.players.items()
    tick, now = instruments.tick.value, LocalSeconds(time.monotonic())
    return {
        "inputs": list(report.inputs),
        "outputs": list(report.outputs),
        "problem": report.problem,
        "sent": bridge.sent,
        "received": receiving.count,
        "sent_per_s": round(bridge.sent_rate.per_s, 1),
        "received_per_s": round(bridge.received_rate.per_s, 1),
        "played": report.sent,
        "dropped": report.dropped + bridge.sending.dropped + bridge.unsent + receiving.dropped,
        "echoes": report.echoes,
        "overflows": bridge.overflows,
        "sounding": report.sounding,
        "clock": {
            "beat": round(tick.beat.at_room(tick.course.room_s(now)), 3),
            "ticks": report.ticks,
            "late_ms": report.late_ms,
        },
        "cpu_s": report.cpu_s,
        "peers": [
            {
                "id": peer,
                "name": names(peer),
                "received": player.count,
                "received_per_s": round(player.rate.per_s, 1),
                "lost": player.reception.lost,
                "repaired": player.reception.repaired,
                "dropped": player.dropped,
                "held": len(player.reception.held.notes),
                "latency_ms": None if player.latency_ms is None else round(player.latency_ms, 1),
            }
            for peer, player in players
        ],
    }
