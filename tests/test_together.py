from jambridge.light import presenting
from jambridge.light.control import Report
from jambridge.light.discovery import Agreement
from jambridge.light.presenting import SAID_BEFORE_S, Delay, Timing, Way, When
from jambridge.peers.status import PeerState, PeerStatus
from jambridge.together import Together
from jambridge.units import PeerId, RoomSeconds


class Box:
    def __init__(self, wanted: When = "together") -> None:
        self.wanted = wanted
        self.room_s = 100.0
        self.agreement = Agreement()
        self.together = Together(lambda: self.wanted, self.agreement, lambda: RoomSeconds(self.room_s))

    def look(self, needs_s: float | None, way_ms: float | None = None) -> Timing:
        ada = PeerStatus(
            PeerId("ada"), "Ada", PeerState.CONNECTED, "connected", "host", 0.0, -20.0, 0.0, 1, way_ms=way_ms
        )
        report = Report(1, 0, 0, 0.0, 0.0, (), (), needs_s)
        self.together.look(report, [ada])
        return self.together.timing.value

    def in_force(self) -> float | None:
        return self.together.timing.value.at(self.room_s)


def test_instant_waits_for_nobody_and_tells_nobody() -> None:
    box = Box("instant")
    box.agreement.delays_of_others.set((Delay(0.1),))

    assert box.look(0.05) == Timing()
    assert box.agreement.delay.value is None
    assert box.together.section() == {"timing": "instant", "delay_ms": None, "needs_ms": None}


def test_what_is_needed_here_is_told_and_the_longest_is_in_force() -> None:
    box = Box()

    assert box.look(None) == Timing(0.0)
    box.look(0.05, way_ms=12.34)
    needed = box.agreement.delay.value
    assert needed is not None and 0.05 < needed.seconds < 0.08
    assert box.together.timing.value.ways == (Way("ada", 0.012),)
    assert box.in_force() == 0.0, "everybody changes at the moment that is told"
    box.room_s = needed.since_s
    assert box.in_force() == needed.seconds
    box.agreement.delays_of_others.set((Delay(0.12, 101.0),))
    box.look(0.05)
    assert box.in_force() == 0.12
    assert box.together.section()["delay_ms"] == 120.0
    assert box.agreement.delay.value == needed, "what others need is not ours to tell"


def test_two_boxes_change_at_the_same_moment_whenever_each_heard_of_it() -> None:
    here, there = Box(), Box()
    for box in (here, there):
        box.look(0.05)
        box.room_s = 110.0
        box.look(0.05)

    here.look(0.1)
    assert here.agreement.delay.value is not None
    there.room_s = 110.0 + 0.9 * SAID_BEFORE_S
    there.agreement.delays_of_others.set((here.agreement.delay.value,))
    there.look(0.05)
    here.room_s = there.room_s
    here.look(0.1)

    first, second = here.together.timing.value, there.together.timing.value
    assert first.since_s == second.since_s > here.room_s
    for moment_s in (110.0, 111.0, first.since_s - 0.001, first.since_s, 112.0):
        assert first.at(moment_s) == second.at(moment_s)
    assert first.at(111.0) == presenting.rounded_s(0.05)
    assert first.at(112.0) == presenting.rounded_s(0.1)


def test_it_may_be_changed_while_it_runs() -> None:
    box = Box()
    box.look(0.15)
    box.wanted = "instant"
    assert box.look(0.15) == Timing()
    box.wanted = "together"

    assert (box.look(0.05).delay_s or 1) < 0.1, "nothing is remembered"
