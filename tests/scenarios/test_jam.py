"""One evening: a bridge, a strip and three musicians' browsers, each on a host of its own, in one room.

The tests are the evening's events in their order. Times are bars of the promise, not measurements; those are made by
scripts/bench.
"""

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pytest
from playwright.sync_api import BrowserType

from tests.scenarios import music, palette
from tests.scenarios.browser import Musician, open_musician
from tests.scenarios.capture import Capture, Frame, capture
from tests.scenarios.daemon import Daemon, Status, Wled, is_driven, open_daemon, open_wled, until
from tests.scenarios.music import Programme
from tests.scenarios.namespaces import Host, network

pytestmark = pytest.mark.scenario

ROOM = "JAM234"
PIXELS = 300
LEAD_S = 5.0  # of silence, in which a musician joins and is connected
LAGS_S = [lag_ms / 1000 for lag_ms in range(0, 101, 5)]
F1_BAR = 0.80
TAKES = 3
STEADY_S = 0.03  # a browser that strays further is no measure of us: the piece is taken again
LIGHT_BACK_S = 5.0
ROOM_BACK_S = 10.0
EXIT_S = 3.0
RELEASED_S = 0.1
UNHEARD_S = 1.0  # a sound that did not arrive for so long would be noticed


@dataclass
class Evening:
    box: Host
    strip: Host
    daemon: Daemon
    wire: Capture
    power: ExitStack
    wled: Wled
    directory: Path

    @property
    def link(self) -> str:
        return f"https://{self.box.address}:3443/jam/{ROOM}"

    def newest_frame(self) -> Frame:
        return self.wire.frames(PIXELS, time.monotonic() - 3.0)[-1]

    def unplug_strip(self) -> None:
        """Its power is gone, with it its link."""
        self.wled.process.send_signal(signal.SIGKILL)
        self.wled.process.wait()
        self.strip.unplug()

    def plug_in_strip(self) -> None:
        self.strip.plug_in()
        self.wled = self.power.enter_context(open_wled(self.strip, self.directory, PIXELS))


@pytest.fixture(scope="module")
def hosts() -> Iterator[list[Host]]:
    with network(5) as five:
        yield five


@pytest.fixture(scope="module")
def evening(hosts: list[Host], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evening]:
    directory = tmp_path_factory.mktemp("evening")
    box, strip = hosts[:2]
    with capture(strip) as wire, open_daemon(box, directory, ROOM) as daemon, ExitStack() as power:
        wled = power.enter_context(open_wled(strip, directory, PIXELS))
        daemon.await_ready()
        daemon.await_status(lambda status: status["room"]["connection"] == "connected", "the room is joined")
        daemon.await_status(is_driven, "the strip is driven")
        yield Evening(box, strip, daemon, wire, power, wled, directory)


@pytest.fixture(scope="module")
def programme(tmp_path_factory: pytest.TempPathFactory) -> Programme:
    return music.programme(tmp_path_factory.mktemp("music") / "programme.wav", music.PIECES, LEAD_S)


@pytest.fixture(scope="module")
def ann(
    chromium: BrowserType,
    evening: Evening,
    hosts: list[Host],
    programme: Programme,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Musician]:
    with open_musician(chromium, hosts[2], programme.path, tmp_path_factory.mktemp("ann")) as musician:
        musician.join(evening.link, "Ann")
        evening.daemon.await_status(lambda status: _packets(status).get("Ann", 0) > 0, "Ann is heard", LEAD_S)
        yield musician


@pytest.fixture(scope="module")
def bob(
    chromium: BrowserType, evening: Evening, hosts: list[Host], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Musician]:
    directory = tmp_path_factory.mktemp("bob")
    piece = music.programme(directory / "piece.wav", ["chord_piano"], 0.0)
    with open_musician(chromium, hosts[3], piece.path, directory) as musician:
        musician.join(evening.link, "Bob")
        evening.daemon.await_status(lambda status: _packets(status).get("Bob", 0) > 0, "Bob is heard", LEAD_S)
        yield musician


@pytest.fixture(scope="module")
def cleo(
    chromium: BrowserType, evening: Evening, hosts: list[Host], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Musician]:
    directory = tmp_path_factory.mktemp("cleo")
    piece = music.programme(directory / "piece.wav", ["mono_violin"], 0.0)
    with open_musician(chromium, hosts[4], piece.path, directory) as musician:
        musician.join(evening.link, "Cleo")
        yield musician


# Music


def test_music_in_a_browser_lights_the_strip_in_the_colours_of_its_notes(
    evening: Evening, ann: Musician, programme: Programme
) -> None:
    scores: dict[str, palette.Score] = {}
    for take in range(TAKES):
        for name, start, length_s in _pieces(ann, programme, take):
            slip_s = ann.slip_s(start, start + length_s)
            score = palette.best(evening.wire.frames(PIXELS), start, music.truth(name), length_s, LAGS_S)
            print(
                f"{name}: F1 {score.f1:.3f} P {score.precision:.2f} R {score.recall:.2f}, "
                f"{1000 * score.lag_s:.0f} ms late; the browser's sound device strayed by {1000 * slip_s:.0f} ms"
            )
            if name not in scores and (score.f1 >= F1_BAR or slip_s <= STEADY_S):
                scores[name] = score
        if len(scores) == len(programme.names):
            break
    assert set(scores) == set(programme.names), "this machine is too busy for a browser to play in time"
    assert min(score.f1 for score in scores.values()) >= F1_BAR, scores
    assert ann.complaints == []


def test_three_browsers_and_the_bridge_hear_each_other_and_all_light_the_strip(
    evening: Evening, ann: Musician, bob: Musician, cleo: Musician
) -> None:
    names = {"Ann": ann, "Bob": bob, "Cleo": cleo}
    for name, musician in names.items():
        musician.expect_others(3)
        musician.expect_to_hear([other for other in names if other != name])
    evening.daemon.await_status(lambda status: set(_packets(status)) == set(names), "all three are heard")

    dark = set(names)
    until(lambda: not _retire(dark, evening), f"each lights the strip; not yet: {dark}", 60.0)

    assert [member.is_host for member in ann.members()].count(True) == 1
    participants = {one["name"]: one for one in evening.daemon.status()["room"]["participants"]}
    assert set(names) < set(participants)
    assert len(participants) == 4


# Faults. Each time: the fault, what is back in time, and that nothing else noticed.


def test_a_killed_browser_is_missed_by_nobody_else(
    evening: Evening, ann: Musician, bob: Musician, cleo: Musician
) -> None:
    with Undisturbed(evening, ["Ann", "Bob"], ["light", "hub", "room", "mesh"]) as during:
        cleo.kill()
        during.until(lambda status: "Cleo" not in _names(status), "Cleo is gone from the room", ROOM_BACK_S)
        during.until(lambda status: "Cleo" not in _sources(status), "Cleo's notes are gone", 15.0)
    ann.expect_others(2)
    bob.expect_others(2)
    ann.expect_to_hear(["Bob"])
    assert evening.wire.frames(PIXELS, time.monotonic() - 1.0)


def test_a_killed_light_process_is_back_while_the_sound_goes_on(evening: Evening, ann: Musician, bob: Musician) -> None:
    before = _restarts(evening.daemon.status(), "light")
    with Undisturbed(evening, ["Ann", "Bob"], ["hub", "room", "mesh", "discovery"]) as during:
        killed_at = time.monotonic()
        evening.daemon.kill_child("jambridge.light.engine")
        during.until(lambda status: _restarts(status, "light") > before, "/status says that it restarted", LIGHT_BACK_S)
        until(lambda: _lit(evening, killed_at), "the light is back", LIGHT_BACK_S)
        print(f"light back after {_lit(evening, killed_at)[0].at - killed_at:.2f} s")
        assert _lit(evening, killed_at)[0].at - killed_at < LIGHT_BACK_S
        during.until(lambda status: {"Ann", "Bob"} <= set(_sources(status)), "both are heard again", LIGHT_BACK_S)
    assert evening.daemon.status()["services"]["light"]["last_error"]


def test_a_killed_hub_is_back_and_the_room_with_it_while_sound_and_light_go_on(
    evening: Evening, ann: Musician, bob: Musician
) -> None:
    before = _restarts(evening.daemon.status(), "hub")
    with Undisturbed(evening, ["Ann", "Bob"], ["light", "mesh", "discovery"]) as during:
        killed_at = time.monotonic()
        evening.daemon.kill_child("jambridge.hub")
        during.until(lambda status: status["room"]["connection"] != "connected", "/status says so", ROOM_BACK_S)
        during.until(lambda status: _restarts(status, "hub") > before, "/status says it restarted", ROOM_BACK_S)
        during.until(lambda status: status["room"]["connection"] == "connected", "the room is back", ROOM_BACK_S)
        assert time.monotonic() - killed_at < ROOM_BACK_S
        during.until(lambda status: {"Ann", "Bob"} <= set(_names(status)), "all are back in it", 2 * ROOM_BACK_S)
        print(f"room back after {time.monotonic() - killed_at:.2f} s")
    for musician in (ann, bob):
        _sit(musician, lambda who=musician: who.room_light() == "connected", 2 * ROOM_BACK_S)  # type: ignore[misc]
        musician.expect_others(2)


def test_a_strip_without_power_is_missed_and_lit_again_when_it_is_back(
    evening: Evening, ann: Musician, bob: Musician
) -> None:
    with Undisturbed(evening, ["Ann", "Bob"], ["light", "hub", "room", "mesh", "discovery"]) as during:
        evening.unplug_strip()
        during.until(lambda status: not is_driven(status), "/status says that it is gone", 30.0)
        evening.plug_in_strip()
        answers_s = until(lambda: evening.wled.info() is not None, "the WLED answers")
        answered_at = time.monotonic()
        until(lambda: evening.wled.is_live, "the WLED shows our light", LIGHT_BACK_S)
        print(f"light back {time.monotonic() - answered_at:.2f} s after it answered, up in {answers_s:.2f} s")
        during.until(is_driven, "/status says that it is driven", 15.0)


def test_sigterm_gives_the_strip_back_at_once_and_exits_in_time(evening: Evening, ann: Musician, bob: Musician) -> None:
    until(lambda: evening.wled.is_live, "the strip shows our light")
    asked_at = time.monotonic()

    exit_status, took_s = evening.daemon.terminate()

    assert exit_status == 0, evening.daemon.said()[-4000:]
    assert took_s < EXIT_S
    (released_at, *_) = evening.wire.releases(asked_at)
    print(f"released after {1000 * (released_at - asked_at):.1f} ms, exit after {took_s:.2f} s")
    assert released_at - asked_at < RELEASED_S
    assert not evening.wire.ddp(released_at + 0.05)
    until(lambda: not evening.wled.is_live, "the WLED shows its own state")
    assert "Traceback" not in evening.daemon.said()


class Undisturbed:
    """Looks at /status until something holds, and each time that nothing else noticed."""

    def __init__(self, evening: Evening, heard: Sequence[str], steady: Sequence[str]) -> None:
        self._evening = evening
        self._heard = heard
        first = evening.daemon.status()
        self._restarts = {name: _restarts(first, name) for name in steady}
        self._packets = _packets(first)
        self._looked_at = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.until(lambda _: time.monotonic() > self._looked_at + 1.0, "a last look")
            self.look()

    def until(self, holds: Callable[[Status], object], what: str, patience_s: float = 30.0) -> None:
        self._evening.daemon.await_status(lambda status: self._undisturbed(status) and holds(status), what, patience_s)

    def look(self) -> None:
        """Sound has been arriving all the time, fifty packets a second or nearly."""
        packets, elapsed_s = _packets(self._evening.daemon.status()), time.monotonic() - self._looked_at
        for name in self._heard:
            assert packets[name] - self._packets[name] > 25 * elapsed_s, f"{name} was not heard all the time"

    def _undisturbed(self, status: Status) -> bool:
        assert {name: _restarts(status, name) for name in self._restarts} == self._restarts
        silent_s = {one["name"]: one["silent_s"] for one in status["audio"]["peers"]}
        for name in self._heard:
            assert silent_s[name] is not None, f"{name} is not connected"
            assert silent_s[name] < UNHEARD_S, f"{name} was not heard for {silent_s[name]} s"
        return True


def _sit(musician: Musician, holds: Callable[[], bool], patience_s: float) -> None:
    """Wait as `until` does, but let the browser's events through."""
    deadline = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < deadline
        musician.page.wait_for_timeout(100)


def _pieces(musician: Musician, programme: Programme, take: int) -> Iterator[tuple[str, float, float]]:
    """Each piece once it has been played for the `take`th time: its name, time.monotonic() of its first sample from the
    first attack in it, and its length. The browser plays the programme again and again.
    """
    lasts_s = programme.starts_s[-1] + programme.lengths_s[-1] + music.GAP_S
    for name, start_s, length_s in zip(programme.names, programme.starts_s, programme.lengths_s, strict=True):
        first = next(i for i, at in enumerate(programme.attacks_s) if start_s <= at < start_s + length_s)
        index = take * len(programme.attacks_s) + first
        _sit(musician, lambda index=index: len(musician.attacks()) > index, lasts_s + 10)  # type: ignore[misc]
        start = musician.attacks()[index] - (programme.attacks_s[first] - start_s)
        _sit(musician, lambda end=start + length_s + 0.2: time.monotonic() > end, lasts_s)  # type: ignore[misc]
        yield name, start, length_s


def _retire(dark: set[str], evening: Evening) -> set[str]:
    """Take from `dark` who is seen on the strip in a colour that nobody else plays now."""
    sources = _sources(evening.daemon.status())
    shown = palette.pitch_classes(evening.newest_frame().pixels)
    for name in dark.copy():
        others = set().union(*(notes for other, notes in sources.items() if other != name))
        if (sources.get(name, set()) - others) & shown:
            dark.discard(name)
    return dark


def _sources(status: Status) -> dict[str, set[int]]:
    """The pitch classes of each source heard."""
    names = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
    return {
        one["name"]: {names.index(note.rstrip("-0123456789")) for note in one["notes"]}
        for one in status["notes"]["sources"]
    }


def _packets(status: Status) -> dict[str, int]:
    return {one["name"]: one["packets"] for one in status["audio"]["peers"] if one["packets"]}


def _names(status: Status) -> list[str]:
    return [one["name"] for one in status["room"]["participants"]]


def _restarts(status: Status, service: str) -> int:
    return int(status["services"][service]["restarts"])


def _lit(evening: Evening, since: float) -> list[Frame]:
    return [frame for frame in evening.wire.frames(PIXELS, since + 0.05) if frame.pixels.any()]
