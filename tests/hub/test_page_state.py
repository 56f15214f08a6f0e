"""The jam page's state protocol, in node, against the daemon's: the same life makes both say and believe the same."""

import json
import math
import random
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from jambridge.errors import LinkError, WireError
from jambridge.hub.pages import PAGE_FOLDER
from jambridge.room import sharing
from jambridge.room.messages import Broadcast, Participant
from jambridge.room.sharing import Sharing
from jambridge.room.state import FIELDS
from jambridge.room.state_messages import FIELD_OF
from jambridge.units import LocalSeconds, PeerId
from tests.room.simulated import Member, World

Node = Callable[[str, Any], Any]

HERE = Path(__file__).parent
VECTORS = HERE.parent / "vectors" / "state"


class Recorded(Sharing):
    """A Sharing that keeps a record of its life, for the page to live it again."""

    def __init__(self, me: PeerId, jitter: Callable[[], float], *, host_only: bool = False) -> None:
        self.me = me
        self.host_only = host_only
        self.steps: list[dict[str, Any]] = []
        self.outcomes: list[dict[str, Any]] = []
        self._drawn: list[float] = []
        self._source = jitter
        super().__init__(me, host_only=host_only, jitter=self._draw)

    def _draw(self) -> float:
        self._drawn.append(self._source())
        return self._drawn[-1]

    def joined(self, members: Sequence[Participant], wall_s: float, now: LocalSeconds) -> list[Broadcast]:
        return self._record(
            "joined", [_plain(members), wall_s], now, lambda at: super(Recorded, self).joined(members, wall_s, at)
        )

    def members_changed(self, members: Sequence[Participant], wall_s: float, now: LocalSeconds) -> list[Broadcast]:
        return self._record(
            "members_changed",
            [_plain(members), wall_s],
            now,
            lambda at: super(Recorded, self).members_changed(members, wall_s, at),
        )

    def receive(self, event: str, payload: Mapping[str, Any], sender: PeerId, now: LocalSeconds) -> list[Broadcast]:
        return self._record(
            "receive",
            [event, payload, sender],
            now,
            lambda at: super(Recorded, self).receive(event, payload, sender, at),
        )

    def change(self, field: str, value: object, now: LocalSeconds) -> list[Broadcast]:
        return self._record("change", [field, value], now, lambda at: super(Recorded, self).change(field, value, at))

    def lost(self) -> None:
        self._record("lost", [], self._now, lambda _: super(Recorded, self).lost() or [])

    def leaving(self, wall_s: float) -> list[Broadcast]:
        return self._record("leaving", [wall_s], self._now, lambda _: super(Recorded, self).leaving(wall_s))

    def tick(self, now: LocalSeconds) -> list[Broadcast]:
        """Also called from within the others."""
        if self._within:
            return super().tick(now)
        return self._record("tick", [], now, super().tick)

    _within = False
    _now = LocalSeconds(0)

    def _record(
        self, call: str, given: list[Any], now: LocalSeconds, live: Callable[[LocalSeconds], list[Broadcast]]
    ) -> list[Broadcast]:
        """Times are rounded up to what is exact in seconds and milliseconds: what is due in one is so in the other."""
        self._now = now = LocalSeconds((math.floor(now * 2**20) + 1) / 2**20)
        self._within = True
        try:
            said = live(now)
            self.outcomes.append({"said": [[one.event, one.payload] for one in said], **self._beliefs()})
        except (LinkError, WireError):
            self.outcomes.append({"error": True, **self._beliefs()})
            raise
        finally:
            self._within = False
            self.steps.append({"call": call, "given": given, "now": now, "jitter": self._drawn})
            self._drawn = []
        return said

    def _beliefs(self) -> dict[str, Any]:
        return {
            "state": {**self.state.others, **self.state.values()},
            "stamps": {name: list(stamp) for name, stamp in self.state.stamps.items()},
            "host": self.host,
            "due": self.deadline,
            "dropped": dict(self.dropped),
        }


class RecordedWorld(World):
    def member(self, name: str | None = None, *, skew_s: float = 0.0, joined_at: float | None = None) -> Member:
        member = super().member(name, skew_s=skew_s, joined_at=joined_at)
        member.sharing = Recorded(member.id, self.random.random, host_only=self.host_only)
        return member


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Node:
    """Runs one of the scripts beside this file on the page's modules."""
    folder = tmp_path_factory.mktemp("page") / "page"
    shutil.copytree(PAGE_FOLDER, folder)
    (folder / "package.json").write_text('{"type": "module"}')  # for node, which does not see how a page loads them

    def run(script: str, given: Any) -> Any:
        command = ["node", str(HERE / script), str(folder)]
        done = subprocess.run(command, input=json.dumps(given), text=True, capture_output=True, check=False, timeout=60)
        assert not done.returncode, done.stderr
        return json.loads(done.stdout)

    return run


def _plain(members: Sequence[Participant]) -> list[list[Any]]:
    """Node counts in milliseconds."""
    return [
        [member.id, member.is_host, member.joined_at * 1000 if math.isfinite(member.joined_at) else None]
        for member in members
    ]


def lives_of(world: World) -> list[Recorded]:
    return [member.sharing for member in world.members.values() if isinstance(member.sharing, Recorded)]


def turbulent(seed: int, *, host_only: bool = False) -> World:
    """Two minutes of coming, going, changing, and outages, in a room that loses every twentieth broadcast."""
    world = RecordedWorld(seed, loss=0.05, host_only=host_only)
    chance = random.Random(seed)
    for _ in range(5):
        member = world.member(skew_s=chance.choice([0.0, 0.0, -90_000.0, 40_000.0]))
        world.at(world.now + chance.random() * 20, lambda member=member: world.join(member))  # type: ignore[misc]
        for _ in range(chance.randrange(4)):
            away = world.now + 25 + chance.random() * 60
            go = chance.choice((world.leave, world.quit))
            world.at(away, lambda member=member, go=go: go(member))  # type: ignore[misc]
            world.at(away + chance.random() * 25, lambda member=member: _back(world, member))  # type: ignore[misc]
        for _ in range(12):
            world.at(world.now + 5 + chance.random() * 100, lambda member=member: world.change(member))  # type: ignore[misc]
    world.run(120.0)
    return world


def _back(world: World, member: Member) -> None:
    if member.hub is None:
        world.join(member)


def assert_same(lives: list[Recorded], node: Node) -> None:
    replayed = node("replay.mjs", [{"me": life.me, "hostOnly": life.host_only, "steps": life.steps} for life in lives])
    for life, outcomes in zip(lives, replayed, strict=True):
        for number, (step, ours, theirs) in enumerate(zip(life.steps, life.outcomes, outcomes, strict=True)):
            where = f"step {number} of {life.me}: {json.dumps(step)[:400]}"
            assert theirs.pop("due") == (
                ours["due"] if ours["due"] is None else pytest.approx(ours["due"], abs=1e-6, rel=0)
            ), where
            assert theirs == {key: value for key, value in ours.items() if key != "due"}, where


@pytest.mark.parametrize("host_only", [False, True])
def test_the_page_lives_a_turbulent_room_exactly_as_the_daemon(node: Node, host_only: bool) -> None:
    lives = [life for seed in range(12) for life in lives_of(turbulent(seed, host_only=host_only))]

    assert sum(len(life.steps) for life in lives) > 3000
    assert_same(lives, node)


@pytest.fixture(scope="module")
def vectors() -> dict[str, list[dict[str, Any]]]:
    names = ("values", "merging", "electing", "sharing")
    return {name: json.loads((VECTORS / f"{name}.json").read_text()) for name in names}


def test_the_page_does_what_the_shared_vectors_say(node: Node, vectors: dict[str, list[dict[str, Any]]]) -> None:
    outcomes = node("vectors.mjs", vectors)

    for case, taken in zip(vectors["values"], outcomes["values"], strict=True):
        assert taken == case["ok"], case
    for case, held in zip(vectors["merging"], outcomes["merging"], strict=True):
        assert held == case["held"], case
    for case, elected in zip(vectors["electing"], outcomes["electing"], strict=True):
        assert elected == case["elected"], case
    assert len(vectors["sharing"]) >= 20
    for case, outcome in zip(vectors["sharing"], outcomes["sharing"], strict=True):
        for step, believed in zip(case["steps"], outcome, strict=True):
            where = f"{case['about']}: {json.dumps(step)[:200]}"
            assert believed["said"] == ("refused" if step.get("refused") else step["said"]), where
            assert believed["host"] == step["host"], where
            expected = step.get("state", {})
            assert {name: believed["state"][name] for name in expected} == expected, where


ODD: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1.5,
    120,
    39,
    301,
    2**40 + 1,
    2**53,
    "",
    "C",
    "H",
    "a b",
    "x" * 33,
    " x",
    "\x07",
    [],
    [1],
    {},
    {"a": 1},
)
STAMPS: tuple[Any, ...] = (
    [1, "a"],
    [0, ""],
    [5, "b"],
    [1001, "a"],
    [1002, "b"],
    [2**41, "a"],
    [-1, "a"],
    [True, "a"],
    [1, 2],
    [1],
    "1",
    [1, "\n"],
)
VALUES: dict[str, tuple[Any, ...]] = {
    "tempo": (90, 40, 300, 99.5, 120),
    "key": ("F#", "Bb", "C"),
    "scale": ("dorian", "C", "x" * 32, "a b", "h\u00e4"),
    "colorMode": ("harmonic", "chromatic"),
    "isPlaying": (True, False),
    "swing": ("none", 3, {"b": 1, "a": [2]}),
    "__proto__": (1, "x"),
    "8": (8,),
}
EVENTS = (*sorted(sharing.EVENTS), "state-nonsense")


def hostile_life(seed: int) -> Recorded:
    """Two minutes of a member to whom the others say anything."""
    chance = random.Random(seed)
    life = Recorded(PeerId("me"), chance.random)
    present = [Participant(PeerId(name), name, False, 1.7e9 + place) for place, name in enumerate(("me", "a", "b"))]
    now = LocalSeconds(1000.0)
    life.joined(present[: 1 + seed % 3], 1.7e9 + 60, now)
    life.members_changed(present, 1.7e9 + 60, now)
    for _ in range(120):
        now = LocalSeconds(now + chance.random())
        event, sender = chance.choice(EVENTS), PeerId(chance.choice(("a", "b", "c", "")))
        with suppress(WireError):
            life.receive(event, _payload(event, chance), sender, now)
        with suppress(WireError):
            name = chance.choice(FIELDS)
            life.change(name, chance.choice((*VALUES[name], chance.choice(ODD))), now)
    return life


def _payload(event: str, chance: random.Random) -> dict[str, Any]:
    """Mostly right."""
    state: dict[str, Any] = {name: chance.choice(values) for name, values in VALUES.items() if chance.random() < 0.4}
    if chance.random() < 0.1:
        state |= chance.choice(({"": 1}, {"swing": "y" * 600}, {"a b": 1}, {"tempo": chance.choice(ODD)}))
    payload: dict[str, Any] = {
        "hostId": chance.choice(("a", "b", "c", "me", None)),
        "standing": chance.choice((0, 1, 2)),
        "state": state,
        "stamps": {name: chance.choice(STAMPS[:6]) for name in VALUES if chance.random() < 0.6},
        "revision": chance.choice((1, 2, 7, 500, None)),
        "targetPeerId": chance.choice(("me", "a", None)),
    }
    if event in FIELD_OF:
        payload |= {FIELD_OF[event]: chance.choice(VALUES[FIELD_OF[event]]), "author": chance.choice(("a", "z"))}
    for name in list(payload):
        if chance.random() < 0.1:
            del payload[name]
        elif chance.random() < 0.05:
            payload[name] = chance.choice((*ODD, *STAMPS))
    return payload


def test_the_page_takes_and_refuses_the_same_nonsense_as_the_daemon(node: Node) -> None:
    lives = [hostile_life(seed) for seed in range(40)]

    errors = [outcome for life in lives for outcome in life.outcomes if "error" in outcome]
    assert 500 < len(errors) < sum(len(life.steps) for life in lives) / 2
    assert_same(lives, node)
