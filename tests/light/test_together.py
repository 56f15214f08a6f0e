"""Two bridges that hear the same, each as its network brings it, in simulated time: what each shows at every tick."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from jambridge.audio.ring import Rings, Wake
from jambridge.audio.source import Source
from jambridge.light import presenting
from jambridge.light.ensemble import Ensemble
from jambridge.light.hearing import Hearing
from jambridge.light.presenting import TICK_S, Delay, Need, Timing
from jambridge.units import Frames, LocalSeconds, PeerId
from tests.light.test_hearing import BLOCK, RATE, LevelNotes, LoudOnsets

PACKET = 480
SECONDS = 20
SETTLED_S = 8.0
HEARD_AFTER_S = 0.4
"""When the others look at what one has said."""
NOTES = np.random.default_rng(5).permuted(np.arange(40, 80)).tolist()
"""One every half second, at moments that are no ticks."""
SOURCE = Source(0, 1, PeerId("ada"), "Ada")

Needs = Callable[[float], Sequence[float | None]]
"""Of each bridge, at a moment of room time."""


@dataclass(frozen=True)
class Network:
    """How long sound takes, and what the bridge believes of it."""

    way_s: float
    jitter_s: float = 0.0
    believed_s: float | None = None
    joins_at: int = 0  # packet
    card: float = 1.0
    """Seconds of the room's in one of the player's."""


def music(every_s: float = 0.507) -> NDArray[np.float32]:
    at = np.arange(SECONDS * RATE) / RATE
    numbers = ((at + 0.123) // every_s).astype(int)
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
        self.ends_s: list[float] = []
        """When each hop was played to its end, in room time."""
        random = np.random.default_rng(seed)
        ends = (np.arange(SECONDS * RATE // PACKET) + 1) * PACKET / RATE * network.card
        late = network.way_s + random.uniform(0, network.jitter_s, len(ends))
        self.arrivals = np.maximum.accumulate(ends + late)
        self.packet = network.joins_at
        self.timing = Timing()

    def set_timing(self, timing: Timing) -> None:
        """Its moments are of room time."""
        self.timing = timing
        self.ensemble.set_timing(replace(timing, since_s=timing.since_s + self.ahead_s))

    @property
    def ways_s(self) -> dict[str, float]:
        network = self.network
        return {SOURCE.id: network.way_s if network.believed_s is None else network.believed_s}

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
                    end = hearing.detect()
                    hearing.known(end, at)
                    self.ends_s.append((end + first) / RATE * self.network.card)

    def show(self, tick: int) -> None:
        now = LocalSeconds(tick * TICK_S + self.ahead_s)
        self.ensemble.advance(now)
        for _, part in self.ensemble.parts(now):
            sounding = [stroke.midi for stroke in part.strokes if stroke.ended is None]
            if sounding:
                self.shown[tick] = sounding[0]


class Agreement:
    """Each bridge says what it needs, and the others hear it HEARD_AFTER_S later."""

    def __init__(self, bridges: Sequence[Bridge], needs: Needs) -> None:
        self._bridges = bridges
        self._needs = needs
        self._said: list[tuple[float, int, Delay]] = []
        self._own: list[Delay | None] = [None] * len(bridges)

    def follow(self, room_s: float) -> None:
        for number, needed_s in enumerate(self._needs(room_s)):
            before = self._own[number]
            if needed_s is not None and (before is None or before.seconds != needed_s):
                own = self._own[number] = Delay(needed_s, presenting.said_at(room_s))
                self._said.append((room_s + HEARD_AFTER_S, number, own))
        for number, bridge in enumerate(self._bridges):
            heard = {one: delay for at, one, delay in self._said if at <= room_s and one != number}
            own_delay = self._own[number]
            delays = [*heard.values(), *([own_delay] if own_delay else [])]
            bridge.set_timing(presenting.timing(bridge.timing, delays, bridge.ways_s, room_s))


def measured(bridges: Sequence[Bridge]) -> Needs:
    """What each finds out that it needs."""
    needs = [Need() for _ in bridges]

    def follow(room_s: float) -> list[float | None]:
        known = [one.ensemble.needs_s for one in bridges]
        at = LocalSeconds(room_s)
        return [need.follow(one, at) if one else None for need, one in zip(needs, known, strict=True)]

    return follow


def played(bridges: Sequence[Bridge], sound: NDArray[np.float32], needs: Needs | None) -> None:
    """At once where nobody needs anything."""
    agreement = Agreement(bridges, needs) if needs else None
    for tick in range(round(SECONDS / TICK_S)):
        for bridge in bridges:
            bridge.hear_until(tick * TICK_S, sound)
        if agreement:
            agreement.follow(tick * TICK_S)
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

    played([here, there], music(), measured([here, there]))

    apart = apart_ticks(there, here)
    assert max(map(abs, apart)) <= 1
    assert sum(one == 0 for one in apart) >= same * len(apart)


def test_instant_shows_each_as_soon_as_it_can() -> None:
    here, there = Bridge(NEAR, 1000.0, seed=1), Bridge(Network(0.15), -5.0071, seed=2)

    played([here, there], music(), None)

    assert min(apart_ticks(there, here)) >= 8, "what the bridges above make up for"


def test_who_is_too_far_away_shows_as_soon_as_it_can() -> None:
    here, there = Bridge(NEAR, 0.0, seed=1), Bridge(Network(0.4), 0.0, seed=2)

    played([here, there], music(), measured([here, there]))

    apart_s = np.array(apart_ticks(there, here)) * TICK_S
    assert 0.4 - presenting.MOST_S - 2 * TICK_S <= apart_s.min() <= apart_s.max() <= 0.4


def test_what_waits_is_not_seen_and_an_attack_waits_as_its_note_does() -> None:
    bridge = Bridge(Network(0.01), 0.0, seed=1)
    bridge.set_timing(Timing(0.2))
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


@pytest.mark.parametrize(("before_s", "then_s"), [(2.5 * TICK_S, 6.5 * TICK_S), (6.5 * TICK_S, 2.5 * TICK_S)])
def test_when_one_needs_another_delay_no_strip_shows_it_before_the_other(before_s: float, then_s: float) -> None:
    here, there = Bridge(NEAR, 1000.0, seed=1), Bridge(Network(0.02, joins_at=37), -5.0071, seed=2)

    played([here, there], music(0.067), lambda room_s: (2.5 * TICK_S, before_s if room_s < 12 else then_s))

    around = [tick for tick in range(round(SECONDS / TICK_S)) if 11.5 < tick * TICK_S < 14]
    assert sum(here.shown.get(tick) == there.shown.get(tick) for tick in around) > 0.95 * len(around)
    assert (here.timing.at(11), here.timing.at(14)) == (before_s, then_s)


def test_hops_stay_on_ticks_though_the_players_card_is_no_clock_of_ours() -> None:
    bridge = Bridge(replace(NEAR, card=0.999), 3.0, seed=1)

    played([bridge], music(), lambda _: (5.5 * TICK_S,))

    off_s = [min(one % TICK_S, -one % TICK_S) for one in bridge.ends_s if one > SETTLED_S]
    assert len(off_s) > 600
    assert max(off_s) < TICK_S / 3
