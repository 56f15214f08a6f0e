"""Two boxes whose instruments hang on one JACK server: from port to port through real connections."""

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from aiortc import RTCSctpTransport
from aiortc.rtcsctptransport import DataChunk

from jambridge.edges import Latest
from jambridge.midi import message as midi
from jambridge.midi import wire
from jambridge.midi.control import Played, Settings, Tick
from jambridge.midi.merge import silence
from jambridge.midi.message import MAX_SYSEX_JACK
from jambridge.midi.service import Around, Bridge, MidiService, open_midi
from jambridge.peers.channels import MIDI, SYSEX, Channels
from jambridge.sync.beat import Beat
from jambridge.sync.clock import Course
from jambridge.units import LocalSeconds, PeerId, RoomSeconds
from tests.fakes.instrument import PERIOD_FRAMES, Instrument, instrument
from tests.fakes.jack import Jack, jack
from tests.fakes.switch import Member, Switch, member
from tests.fakes.waiting import until

CHORD = [bytes((0x90, note, 80)) for note in range(30, 94)]
SILENT_WITHIN_S = 2.0
RATE = 2000  # texts a second, of one who means harm
WHOLE, TEXT = 7, 51  # an unordered chunk's flags, and its protocol


@pytest.fixture(scope="module")
def server() -> Iterator[Jack]:
    with jack(period_frames=PERIOD_FRAMES) as running:
        yield running


@pytest.fixture
def found(server: Jack, monkeypatch: pytest.MonkeyPatch) -> Jack:
    """For the processes that are started from here."""
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return server


@dataclass
class Box:
    member: Member
    bridge: Bridge
    service: MidiService
    running: asyncio.Task[None]
    changed: list[tuple[str, object]]
    joined: list[Member]
    """Without its member, nothing is sent."""


@asynccontextmanager
async def box(
    switch: Switch, name: str, mark: Path, settings: Settings, tone_hz: float | None = None
) -> AsyncIterator[Box]:
    """A member of the room with the instrument of its name."""
    joined: list[Member] = []
    changed: list[tuple[str, object]] = []
    clock = Latest(Tick(Course(LocalSeconds(0), RoomSeconds(0)), Beat(RoomSeconds(0))))

    def send(label: str) -> object:
        return lambda text: [one.mesh.send_all(label, text) for one in joined]

    def here() -> set[PeerId]:
        """Of `keys` and `synth` nobody tells that they are gone."""
        return {PeerId("keys"), PeerId("synth")}.union(*(one.mesh.connected_over(MIDI) for one in joined))

    around = Around(
        send(MIDI),  # type: ignore[arg-type]
        send(SYSEX),  # type: ignore[arg-type]
        here,
        lambda _: None,
        lambda field, value: changed.append((field, value)),
        clock,
        lambda: None,
    )
    bridge = Bridge(around, forward=True, receive=True, sysex=settings.sysex)
    readers = {MIDI: bridge.receive, SYSEX: bridge.receive_sysex}
    async with member(switch, name, tone_hz, readers) as one:
        joined.append(one)
        async with open_midi(bridge, replace(settings, inputs=(name,), outputs=(name,)), clock, mark) as service:
            running = asyncio.create_task(service.run())
            keeping = asyncio.create_task(bridge.keep())
            try:
                yield Box(one, bridge, service, running, changed, joined)
            finally:
                running.cancel()
                keeping.cancel()


@asynccontextmanager
async def jam(
    server: Jack, folder: Path, settings: Settings | None = None, switch: Switch | None = None
) -> AsyncIterator[tuple[Instrument, Instrument, Box, Box]]:
    """`keys` plays, at the first box; `synth` at the second."""
    switch, wanted = switch or Switch(), settings or Settings()
    with instrument(server, "keys") as keys, instrument(server, "synth") as synth:
        async with (
            box(switch, "keys", folder / "1", wanted, 440) as first,
            box(switch, "synth", folder / "2", wanted) as second,
        ):
            await until(lambda: first.member.mesh.send_all(MIDI, "{}") == 1)
            await until(lambda: second.bridge.report.value.outputs and first.bridge.report.value.inputs)
            yield keys, synth, first, second


def test_what_is_played_at_one_sounds_at_the_other_whole_and_in_order(found: Jack, tmp_path: Path) -> None:
    more = [midi.control(3, 64, 90), b"\xe2\x01\x40", b"\xc1\x05"]
    phrase = [*CHORD, *more, *(midi.note_off(0, one[1]) for one in CHORD)]

    async def scenario() -> None:
        async with jam(found, tmp_path) as (keys, synth, first, second):
            keys.play(*phrase)
            await until(lambda: len(synth.heard) >= len(phrase))
            assert synth.messages() == phrase
            assert keys.heard == []
            player = second.bridge.receiving.players[PeerId("keys")]
            assert (player.count, player.reception.lost) == (len(phrase), 0)
            assert first.bridge.sending.count == len(phrase)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "way", ["stopped", "killed", "its input is pulled out", "its process is killed", "the link fails", "panic"]
)
def test_whatever_happens_to_who_holds_notes_they_end(found: Jack, tmp_path: Path, way: str) -> None:
    async def scenario() -> None:
        async with jam(found, tmp_path) as (keys, synth, first, second):
            keys.play(*CHORD, midi.control(0, 64, 127))
            await until(lambda: len(synth.holds.notes) == len(CHORD) and bool(synth.holds.pedals))
            began = asyncio.get_running_loop().time()
            match way:
                case "stopped":
                    first.running.cancel()
                    first.bridge.close()
                case "killed":
                    first.member.task.cancel()
                case "its input is pulled out":
                    keys.close()
                case "its process is killed":
                    os.kill(first.service.pid, signal.SIGKILL)
                    await asyncio.wait([first.running])
                    first.bridge.close()
                case "the link fails":
                    first.joined.clear()
                case _:
                    second.bridge.panic()
            await until(lambda: not synth.holds)
            assert asyncio.get_running_loop().time() - began < 10
            if way == "panic":
                await until(lambda: len(synth.heard) > len(CHORD) + len(silence()))

    asyncio.run(scenario())


def test_a_flood_is_bounded_and_leaves_nothing_sounding(found: Jack, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with jam(found, tmp_path) as (keys, synth, first, second):
            for _ in range(60):
                for note in range(50):
                    keys.play((0x90, note, 1), (0x80, note, 1))
                await asyncio.sleep(0.01)
            await until(lambda: first.bridge.sending.dropped > 1000)
            await until(lambda: not first.bridge.sending.held and first.bridge.sending.due is None)
            await until(lambda: not synth.holds)
            assert len(synth.heard) < 3000
            assert second.bridge.overflows == 0

    asyncio.run(scenario())


def test_a_system_exclusive_passes_where_both_want_it_and_a_megabyte_does_not(
    found: Jack, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sysex = b"\xf0\x7d" + bytes(3000) + b"\xf7"
    too_long = b"\xf0" + bytes(MAX_SYSEX_JACK) + b"\xf7"

    async def scenario() -> None:
        async with jam(found, tmp_path, Settings(sysex=True)) as (keys, synth, first, second):
            await until(lambda: first.member.mesh.send_all(SYSEX, "{}") == 1)
            keys.play(sysex)
            await until(lambda: sysex in synth.messages())
            first.bridge.play(Played(1, LocalSeconds(time.monotonic()), too_long))
            await until(lambda: second.bridge.report.value.too_long == 1)
            assert "midi drops system exclusives" in caplog.text
            for _ in range(20):
                first.bridge.play(Played(1, LocalSeconds(time.monotonic()), b"\xf0" + bytes(50_000) + b"\xf7"))
            assert first.bridge.unsent > 15
            keys.play(CHORD[0])
            await until(lambda: CHORD[0] in synth.messages())

    asyncio.run(scenario())


def channels(of: Member, peer: str) -> Channels:
    partner = of.mesh._partners[PeerId(peer)].peer
    assert partner is not None
    (connection,) = partner._connections.values()
    return connection.channels


async def flood(transport: RTCSctpTransport, stream: int, seconds: float) -> None:
    """Texts that begin a note each, past whatever aiortc would wait for."""
    began, first = time.monotonic(), transport._local_tsn
    for number in range(round(seconds * RATE)):
        if number % 20 == 0:
            await asyncio.sleep(max(0.0, began + number / RATE - time.monotonic()))
        chunk = DataChunk(WHOLE)
        chunk.tsn, chunk.stream_id, chunk.protocol = (first + number) % (1 << 32), stream, TEXT
        chunk.user_data = json.dumps({"seq": number, "time": 0, "data": list(CHORD[number % 64])}).encode()
        await transport._send_chunk(chunk)


@pytest.mark.slow
def test_a_member_that_floods_is_cut_off_with_its_notes_and_all_that_sounds_goes_on(
    found: Jack, tmp_path: Path
) -> None:
    exclusive = b"\xf0" + bytes(3000) + b"\xf7"

    async def scenario() -> None:
        switch = Switch()
        async with (
            jam(found, tmp_path, Settings(sysex=True), switch) as (_, synth, _, second),
            member(switch, "z", 660) as hostile,
        ):
            ours = second.member
            await until(lambda: ours.hears("keys", 440) and ours.hears("z", 660))
            theirs, taken = channels(hostile, "synth"), channels(ours, "z")
            await until(lambda: theirs.is_open(MIDI) and theirs.is_open(SYSEX))
            stream = theirs._open[MIDI].id
            assert theirs._association and taken._association and stream is not None
            ears = [ours.ears[PeerId(peer)][0] for peer in ("keys", "z")]
            began, frames = time.monotonic(), [ear.frames for ear in ears]

            transport = theirs._association._sctp
            channel = theirs._open[SYSEX]
            for number in range(1_000_000 // len(exclusive)):
                (chunk,) = wire.chunks(number, exclusive)
                channel.send(wire.encode_chunk(chunk))
            await until(lambda: not (channel.bufferedAmount or transport._outbound_queue or transport._sent_queue))
            assert ours.mesh.drops.data + second.bridge.receiving.dropped > 200
            assert synth.messages().count(exclusive) < 50

            before = ours.mesh.drops.data
            flooding = asyncio.create_task(flood(transport, stream, 8))
            await until(lambda: ours.mesh.drops.data > before + 1000 and bool(synth.holds))
            assert not flooding.done()
            await flooding
            assert taken._association.is_over
            await until(lambda: not synth.holds)

            heard_s = [(ear.frames - count) / 48_000 for ear, count in zip(ears, frames, strict=True)]
            assert min(heard_s) > 0.8 * (time.monotonic() - began)
            await until(lambda: ours.hears("keys", 440) and ours.hears("z", 660))
            assert channels(ours, "z") is taken, "on the same connection"

    asyncio.run(scenario())
