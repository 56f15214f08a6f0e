import json

from jambridge.status import snapshot
from jambridge.sync.clock import Course
from jambridge.sync.service import ClockReport
from jambridge.units import LocalSeconds, PeerId, RoomSeconds


def test_the_clock_says_room_time_and_our_own_of_the_same_moment() -> None:
    course = Course(LocalSeconds(100), RoomSeconds(5000), rate=1e-4)
    report = ClockReport(course, PeerId("host"), delay_ms=0.51234, samples=7, steps=1)

    section = snapshot.clock(report, LocalSeconds(110))

    assert json.loads(json.dumps(section)) == {
        "host_id": "host",
        "monotonic_ms": 110_000.0,
        "room_ms": 5_010_001.0,
        "offset_ms": 4_900_001.0,
        "delay_ms": 0.5123,
        "rate_ppm": 100.0,
        "samples": 7,
        "steps": 1,
    }
