from jambridge.light.control import Report
from jambridge.light.discovery import Agreement
from jambridge.light.presenting import Timing, Way, When
from jambridge.peers.status import PeerState, PeerStatus
from jambridge.together import Together
from jambridge.units import PeerId


class Box:
    def __init__(self, wanted: When = "together") -> None:
        self.wanted = wanted
        self.agreement = Agreement()
        self.together = Together(lambda: self.wanted, self.agreement)

    def look(self, needs_s: float | None, way_ms: float | None = None) -> Timing:
        ada = PeerStatus(
            PeerId("ada"), "Ada", PeerState.CONNECTED, "connected", "host", 0.0, -20.0, 0.0, 1, way_ms=way_ms
        )
        report = Report(1, 0, 0, 0.0, 0.0, (), (), needs_s)
        self.together.look(report, [ada])
        return self.together.timing.value


def test_instant_waits_for_nobody_and_tells_nobody() -> None:
    box = Box("instant")
    box.agreement.delay_of_others_s.set(0.1)

    assert box.look(0.05) == Timing()
    assert box.agreement.delay_s.value is None
    assert box.together.section() == {"timing": "instant", "delay_ms": None, "needs_ms": None}


def test_what_is_needed_here_is_told_and_the_longest_is_in_force() -> None:
    box = Box()

    assert box.look(None) == Timing(0.0)
    alone = box.look(0.05, way_ms=12.34)
    assert alone.delay_s == box.agreement.delay_s.value
    assert alone.delay_s is not None and 0.05 < alone.delay_s < 0.08
    assert alone.ways == (Way("ada", 0.012),)
    box.agreement.delay_of_others_s.set(0.12)
    assert box.look(0.05).delay_s == 0.12
    assert box.together.section()["delay_ms"] == 120.0
    assert box.agreement.delay_s.value == alone.delay_s, "what others need is not ours to tell"


def test_it_may_be_changed_while_it_runs() -> None:
    box = Box()
    box.look(0.15)
    box.wanted = "instant"
    assert box.look(0.15) == Timing()
    box.wanted = "together"

    assert (box.look(0.05).delay_s or 1) < 0.1, "nothing is remembered"
