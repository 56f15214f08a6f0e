import asyncio
import json
from typing import Any

from jambridge.sync.service import ANSWERS_BURST, MAX_PEERS, MAX_UNANSWERED, Sync, open_sync
from jambridge.units import LocalSeconds, PeerId
from tests.fakes.waiting import until

HOST, OTHER = PeerId("host"), PeerId("other")


class Bench:
    """One `Sync` whose time is set by hand, and all that it sends."""

    def __init__(self, host: PeerId | None = HOST) -> None:
        self.now = 1000.0
        self.host = host
        self.sent: list[tuple[PeerId, dict[str, Any]]] = []
        self.sync = Sync(PeerId("me"), lambda: self.host, self._send, lambda: self.now)

    def _send(self, to: PeerId, text: str) -> bool:
        self.sent.append((to, json.loads(text)))
        return True

    def hear(self, peer: PeerId, **message: Any) -> None:
        self.sync.receive(peer, json.dumps(message), LocalSeconds(self.now))

    def asked(self) -> dict[str, Any]:
        """Ping once; what was sent."""
        self.sync.ping()
        return self.sent[-1][1]

    def room(self) -> float:
        return self.sync.report.value.course.room_s(LocalSeconds(self.now))


def test_a_ping_is_answered_at_once_with_our_clock_and_how_far_the_rooms_is_ahead() -> None:
    bench = Bench()
    ping = bench.asked()
    bench.now += 0.002
    bench.hear(HOST, type="pong", id=ping["id"], t1=ping["t1"], t2=5e6, t3=5e6, room=500)
    bench.hear(OTHER, type="ping", id="x", t1=17.5)

    to, pong = bench.sent[-1]

    assert to == OTHER
    assert {name: pong[name] for name in ("type", "id", "t1")} == {"type": "pong", "id": "x", "t1": 17.5}
    assert pong["t2"] == pong["t3"] == 1_000_002.0
    assert abs(pong["t3"] + pong["room"] - 5_000_501.0) < 1e-3
    assert abs(bench.room() - 5000.501) < 1e-6
    assert bench.sync.report.value.host == HOST


def test_hostile_pongs_change_nothing() -> None:
    bench = Bench()
    ping = bench.asked()
    bench.now += 0.002
    pong = {"type": "pong", "id": ping["id"], "t1": ping["t1"], "t2": 5e6, "t3": 5e6, "room": 0}
    bench.hear(OTHER, **pong)  # nobody asked you
    bench.hear(HOST, **{**pong, "id": 99})
    bench.hear(HOST, **{**pong, "id": str(ping["id"])})
    bench.hear(HOST, **{**pong, "t2": float("nan")})
    bench.hear(HOST, **{**pong, "room": 1e300})
    assert bench.sync.report.value.samples == 0
    bench.hear(HOST, **pong)
    assert bench.sync.report.value.samples == 1
    course = bench.sync.report.value.course
    bench.hear(HOST, **pong)  # once more
    for absurd in ({"t2": 5e6 + 1, "t3": 5e6}, {"t3": 5e6 + 5000}, {"t2": 4e6}):
        ping = bench.asked()
        bench.now += 0.002
        bench.hear(HOST, **{**pong, "id": ping["id"], **absurd})
    assert bench.sync.report.value.course == course
    assert bench.sync.dropped == {"unasked": 4, "malformed": 2, "absurd": 3}


def test_a_pong_that_comes_too_late_is_not_believed() -> None:
    bench = Bench()
    ping = bench.asked()
    bench.now += 3
    bench.hear(HOST, type="pong", id=ping["id"], t1=ping["t1"], t2=5e6, t3=5e6)
    assert bench.sync.report.value.samples == 0


def test_a_flood_of_pings_is_answered_in_part_and_others_are_answered_still() -> None:
    bench = Bench()
    for number in range(1000):
        bench.hear(OTHER, type="ping", id=number, t1=0)
    assert len(bench.sent) == ANSWERS_BURST
    bench.hear(HOST, type="ping", id=1, t1=0)
    assert len(bench.sent) == ANSWERS_BURST + 1
    for number in range(1000):
        bench.hear(PeerId(f"p{number}"), type="ping", id=number, t1=0)
    assert len(bench.sync._buckets) == MAX_PEERS


def test_a_host_that_never_answers_leaves_nothing_behind() -> None:
    bench = Bench()
    for _ in range(1000):
        bench.sync.ping()
        bench.now += 0.001
    assert len(bench.sync._unanswered) == MAX_UNANSWERED
    bench.now += 10
    bench.sync.ping()
    assert len(bench.sync._unanswered) == 1


def test_it_asks_often_at_first_and_after_a_change_of_host_and_not_itself() -> None:
    bench = Bench(host=None)
    bench.sync.ping()
    assert bench.sent == []
    bench.now += 60
    bench.host = HOST
    waits = []
    for _ in range(20):
        waits.append(bench.sync.ping())
        bench.now += waits[-1]
    assert waits == [0.1] * 10 + [0.25] * 10 or waits == [0.1] * 11 + [0.25] * 9
    assert {to for to, _ in bench.sent} == {HOST}
    sent = len(bench.sent)
    bench.host = PeerId("me")
    bench.sync.ping()
    assert len(bench.sent) == sent


def test_the_service_pings_while_it_runs() -> None:
    async def scenario() -> None:
        bench = Bench()
        async with open_sync(bench.sync) as service:
            task = asyncio.create_task(service.run())
            await until(lambda: len(bench.sent) >= 3)
            task.cancel()

    asyncio.run(scenario())
