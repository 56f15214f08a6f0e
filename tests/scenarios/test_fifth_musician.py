"""Six in a room: four who play, a fifth who plays as well, and one who does not; boxes and a browser.

The boxes wait for a sound card that never comes: they are musicians who send silence. Whom each is connected with is
asked of each, so that a pair counts only where both ends say so.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
import soundfile
from playwright.sync_api import BrowserType

from tests.fakes.sound_card import environment
from tests.scenarios.browser import Musician, open_musician
from tests.scenarios.daemon import Daemon, Status, open_daemon, until
from tests.scenarios.namespaces import network
from tests.scenarios.tones import RATE_HZ, tones

pytestmark = pytest.mark.scenario

ROOM = "FIV234"
PLAYING = ["One", "Two", "Three"]  # in the order in which they join; then Ann, in a browser
FIFTH, LISTENER = "Five", "Listener"
LEAST_PACKETS = 50


@dataclass
class Room:
    boxes: dict[str, Daemon]
    ann: Musician
    is_ann_there: bool = True

    def pairs(self) -> set[frozenset[str]]:
        """Those connected: both ends say so."""
        ends = {name: _partners(daemon.status()) for name, daemon in self.boxes.items()}
        if self.is_ann_there:
            ends["Ann"] = {one.name for one in self.ann.members() if not one.is_self and one.light == "connected"}
        return {
            frozenset((name, other)) for name in ends for other in ends if other in ends[name] and name in ends[other]
        }

    def chosen(self) -> dict[str, set[str]]:
        """Whom each box wants to be connected with, connected or not."""
        return {
            name: {peer["name"] for peer in daemon.status()["audio"]["peers"]} for name, daemon in self.boxes.items()
        }


@pytest.fixture(scope="module")
def room(chromium: BrowserType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    directory = tmp_path_factory.mktemp("fifth")
    wave = directory / "ann.wav"
    soundfile.write(wave, tones(440.0, 440.0, seconds=2.0), RATE_HZ, subtype="PCM_16")
    env = environment(directory)
    with network(6) as hosts, ExitStack() as stack:
        boxes: dict[str, Daemon] = {}

        def enter(name: str, *arguments: str) -> None:
            settings = {
                "identity": {"name": name},
                "audio": {"input": "a card that never comes", "output": "none"},
                "light": {"mode": "off", "discover": "off"},
                "hub": {"mode": "auto" if boxes else "host"},  # its page is where Ann goes
            }
            opened = open_daemon(hosts[len(boxes)], directory / name, ROOM, settings, env, arguments)
            boxes[name] = stack.enter_context(opened)
            boxes[name].await_status(lambda status: status["room"]["connection"] == "connected", f"{name} is there")

        for name in PLAYING:
            enter(name)
        ann = stack.enter_context(open_musician(chromium, hosts[5], wave, directory / "ann"))
        ann.join(f"https://{hosts[0].address}:3443/jam/{ROOM}", "Ann")
        enter(FIFTH)
        enter(LISTENER, "--listen-only")
        yield Room(boxes, ann)


def test_every_pair_that_should_be_is_connected_and_no_other(room: Room) -> None:
    players = [*PLAYING, "Ann"]
    expected = _among(players) | {frozenset((LISTENER, player)) for player in players}

    until(lambda: room.pairs() == expected, "the pairs that should be", 40.0)

    for name, partners in room.chosen().items():
        assert {frozenset((name, other)) for other in partners} == {pair for pair in expected if name in pair}
    for name in (*PLAYING, LISTENER):
        senders = {*players} - {name}
        room.boxes[name].await_status(lambda status, want=senders: _heard(status) == want, f"{name} hears {senders}")  # type: ignore[misc]
    room.boxes[FIFTH].await_status(_waits, "the fifth says that nobody hears it")
    assert not any(_waits(room.boxes[name].status()) for name in (*PLAYING, LISTENER))
    assert room.boxes[FIFTH].said().count("nobody hears this box") == 1
    shown = {one.name: one.light for one in room.ann.members() if not one.is_self}
    assert shown == dict.fromkeys((*PLAYING, LISTENER), "connected") | {FIFTH: "none"}


def test_who_waited_is_connected_when_one_of_the_four_leaves(room: Room) -> None:
    room.ann.leave()
    room.is_ann_there = False
    players = [*PLAYING, FIFTH]
    expected = _among(players) | {frozenset((LISTENER, player)) for player in players}

    until(lambda: room.pairs() == expected, "the fifth has taken the place", 20.0)
    room.boxes[FIFTH].await_status(lambda status: not _waits(status), "the fifth has a place")

    room.boxes[LISTENER].await_status(lambda status: _heard(status) == set(players), "all of them are heard")
    assert room.ann.complaints == []


def _among(names: list[str]) -> set[frozenset[str]]:
    return {frozenset((one, other)) for one in names for other in names if one != other}


def _partners(status: Status) -> set[str]:
    return {peer["name"] for peer in status["audio"]["peers"] if peer["state"] == "connected"}


def _heard(status: Status) -> set[str]:
    return {peer["name"] for peer in status["audio"]["peers"] if peer["packets"] > LEAST_PACKETS}


def _waits(status: Status) -> bool:
    return bool(status["audio"]["input"]["waiting"])
