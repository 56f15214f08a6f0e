"""Two bridges that hear the same, each as its network brings it, in simulated time: what each shows at every tick."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from jambridge.audio.ring import Rings, Wake
from jambridge.audio.source import Source
from jambridge.light import presenting
from jambridge.light.ensemble import Ensemble
from jambridge.light.hearing import Hearing
from jambridge.light.presenting import TICK_S, Need, Timing
from jambridge.units import Frames, LocalSeconds, PeerId
from tests.light.test_hearing import BLOCK, RATE, LevelNotes, LoudOnsets

PACKET = 480
SECONDS = 20
SETTLED_S = 8.0
NOTES = np.random.default_rng(5).permuted(np.arange(40, 80)).tolist()
"""One every half second, at moments that are no ticks."""
SOURCE = Source(0, 1, PeerId("ada"), "Ada")


@dataclass(frozen=True)
class Network:
    """How long sound takes, and what the bridge believes of it."""

    way_s: float
    jitter_s: float = 0.0
    believed_s: float | None = None
    joins_at: int = 0  # packet


def music() -> NDArray[np.float32]:
    at = np.arange(SECONDS * RATE) / RATE
    numbers = ((at + 0.123) // 0.507).astype(int)
    sound: NDArray[np.float32] = np.array(NOTES, np.float32)[numbers % len(NOTES)] / np.float32(100)
    return sound


class Bridge:
    """Its clock is `ahead_s` ahead of the room's."""

    def __init__(self, network: Network, ahead_s: float, seed: int) -> None:
        self.network, self.ahead_s = network, ahead_s
        self.rings = Rings.create(1, RATE)
        self.ensemble = Ensemble(self.rings, lambda source: Hearing(source, LoudOnsets(), BLOCK, LevelNotes()))
        self.ensemble.set_sources([SOURCE])
        self.ensemble.set_phase(-ahead_s % TICK_S)
        self.shown: dict[int, int] = {}
        random = np.random.default_rng(seed)
        ends = (np.arange(SECONDS * RATE // PACKET) + 1) * PACKET / RATE
        late = network.way_s + random.uniform(0, network.jitter_s, len(ends))
        self.arrivals = np.maximum.accumulate(ends + late)
        self.packet = network.joins_at

    def set_delay(self, delay_s: float | None) -> None:
        way_s = self.network.way_s if self.network.believed_s is None else self.network.believed_s
        timing = Timing() if delay_s is None else presenting.timing(delay_s, None, {SOURCE.id: way_s})
        self.ensemble.set_timing(timing)

    def hear_until(self, room_s: float, sound: NDArray[np.float32]) -> None:
        """As the engine does; what is found is measured at the moment of arrival."""
        while self.packet < len(self.arrivals) and self.arrivals[self.packet] <= room_s:
            at = LocalSeconds(float(self.arrivals[self.packet]) + self.ahead_s)
            start = self.packet * PACKET
            first = self.network.joins_at * PACKET
            self.rings.write(0, Frames(start - first), sound[start : start + PACKET])
            self.packet += 1
            wake = Wake(0, 1, Frames(self.packet * PACKET - first), at)
            list(self.ensemble.receive([wake], at))
            for hearing in self.ensemble._hearings.values():
                while hearing.has_hop():
                    hearing.known(hearing.detect(), at)

    def show(self, tick: int) -> None:
        now = LocalSeconds(tick * TICK_S + self.ahead_s)
        self.ensemble.advance(now)
        for _, part in self.ensemble.parts(now):
            sounding = [stroke.midi for stroke in part.strokes if stroke.ended is None]
            if sounding:
                self.shown[tick] = sounding[0]


def played(bridges: Sequence[Bridge], *, together: bool) -> None:
    sound, needs = music(), [Need() for _ in bridges]
    for tick in range(round(SECONDS / TICK_S)):
        for bridge in bridges:
            bridge.hear_until(tick * TICK_S, sound)
        if together:
            known = [one.ensemble.needs_s for one in bridges]
            now = LocalSeconds(tick * TICK_S)
            delay_s = max(need.follow(one, now) if one else 0.0 for need, one in zip(needs, known, strict=True))
            for bridge in bridges:
                bridge.set_delay(delay_s)
        for bridge in bridges:
            bridge.show(tick)


def apart_ticks(one: Bridge, other: Bridge) -> list[int]:
    """How many ticks later the one shows each new note than the other; after they have settled."""
    first, second = ({note: tick for tick, note in reversed(bridge.shown.items())} for bridge in (one, other))
    notes = [note for note, tick in first.items() if tick * TICK_S > SETTLED_S]
    assert len(notes) > 15
    return [first[note] - second[note] for note in notes]


NEAR = Network(0.002)


@pytest.mark.parametrize(
    ("far", "same"),
    [
        pytest.param(Network(0.032, joins_at=37), 0.9, id="30 ms further"),
        pytest.param(Network(0.032, jitter_s=0.03, joins_at=101), 0.9, id="and 30 ms of jitter"),
        pytest.param(Network(0.032, believed_s=0.037, joins_at=5), 0.6, id="and 5 ms that nobody knows of"),
        pytest.param(Network(0.15, joins_at=3), 0.9, id="on another continent"),
    ],
)
def test_bridges_show_every_note_in_the_same_frame(far: Network, same: float) -> None:
    here, there = Bridge(NEAR, 1000.0, seed=1), Bridge(far, -5.0071, seed=2)

    played([here, there], together=True)

    apart = apart_ticks(there, here)
    assert max(map(abs, apart)) <= 1
    assert sum(one == 0 for one in apart) >= same * len(apart)


def test_instant_shows_each_as_soon_as_it_can() -> None:
    here, there = Bridge(NEAR, 1000.0, seed=1), Bridge(Network(0.15), -5.0071, seed=2)

    played([here, there], together=False)

    assert min(apart_ticks(there, here)) >= 8, "what the bridges above make up for"


def test_who_is_too_far_away_shows_as_soon_as_it_can() -> None:
    here, there = Bridge(NEAR, 0.0, seed=1), Bridge(Network(0.4), 0.0, seed=2)

    played([here, there], together=True)

    apart_s = np.array(apart_ticks(there, here)) * TICK_S
    assert 0.4 - presenting.MOST_S - 2 * TICK_S <= apart_s.min() <= apart_s.max() <= 0.4


def test_what_waits_is_not_seen_and_an_attack_waits_as_its_note_does() -> None:
    bridge = Bridge(Network(0.01), 0.0, seed=1)
    bridge.set_delay(0.2)
    sound = np.full(SECONDS * RATE, 0.5, np.float32)
    bridge.hear_until(0.1, sound)

    for hundredths in (10, 15, 19):
        now = LocalSeconds(hundredths / 100)
        assert not bridge.ensemble.advance(now)
        part = bridge.ensemble.parts(now)[0][1]
        assert (part.flash, part.strokes) == (0, ())
    assert 0.19 < bridge.ensemble.due < 0.22
    due = bridge.ensemble.due
    assert bridge.ensemble.advance(due)
    assert bridge.ensemble.parts(due)[0][1].flash == 1.0
