"""Two boxes with sound cards, and a musician in a browser: what goes into one comes out of the others, and no more.

Each box has a card of its own: what is played into its line-in and what comes out of its line-out are real streams of a
real driver. Each player has tones of its own, so that everybody can be told apart in everything that is heard.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from playwright.sync_api import BrowserType

from tests.fakes.sound_card import Recording, SoundCard, environment, sound_card
from tests.scenarios.browser import Musician, open_musician
from tests.scenarios.daemon import Daemon, Status, open_daemon, until
from tests.scenarios.namespaces import Host, network
from tests.scenarios.tones import RATE_HZ, level_db, longest_gap_s, pitch_hz, tones

pytestmark = pytest.mark.scenario

ROOM = "SND234"
ANN_HZ = (440.0, 660.0)  # left, right
ONE_HZ, TWO_HZ, THREE_HZ = 330.0, 550.0, 770.0
SECONDS = 120.0  # a tone lasts longer than any test
LOUD_DB, SILENT_DB = -20.0, -60.0
LEVEL_DB = 20 * float(np.log10(0.3))  # of every tone as it is played
PLAYED_DB = LEVEL_DB + 20 * float(np.log10(0.8))  # at audio.master_volume as it is by default
GAP_S = 0.1  # a card is away for seconds
TAKES = 5
BACK_S = 5.0  # a card that was plugged in is heard
STEADY_S = 6.0  # as long as a peer needs to notice that nothing comes, and to try anew
LEAST_A_S = 80  # packets of 10 ms: a peer that sends, sound or silence


@dataclass
class Box:
    daemon: Daemon
    card: SoundCard

    @contextmanager
    def playing(self, *frequencies_hz: float) -> Iterator[None]:
        """Tones go into its line-in."""
        with self.card.hearing(tones(*frequencies_hz, seconds=SECONDS)):
            yield


@dataclass
class Stage:
    one: Box
    two: Box
    ann: Musician
    third: Host
    directory: Path
    _number: int = field(default=0)

    @contextmanager
    def box(
        self,
        card: SoundCard | None,
        audio: Mapping[str, Any],
        arguments: Sequence[str] = (),
    ) -> Iterator[Daemon]:
        """One more box, in the room, for a while."""
        self._number += 1
        directory = self.directory / f"third-{self._number}"
        directory.mkdir()
        env = card.environment if card else environment(directory)
        with open_daemon(self.third, directory, ROOM, _settings("Three", audio), env, arguments) as daemon:
            daemon.await_status(_is_joined, "it is in the room")
            yield daemon


@pytest.fixture(scope="module")
def stage(chromium: BrowserType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    directory = tmp_path_factory.mktemp("sound")
    wave = directory / "ann.wav"
    soundfile.write(wave, tones(*ANN_HZ, seconds=2.0), RATE_HZ, subtype="PCM_16")
    with network(4) as hosts, ExitStack() as stack:
        boxes: list[Box] = []
        for name, host in zip(("One", "Two"), hosts, strict=False):
            card = stack.enter_context(sound_card(directory / f"card-{name}", f"card{name}"))
            audio = {"input": card.name, "output": card.name}
            opened = open_daemon(host, directory / name, ROOM, _settings(name, audio), card.environment)
            daemon = stack.enter_context(opened)
            daemon.await_status(_is_joined, f"{name} is in the room")
            boxes.append(Box(daemon, card))
        ann = stack.enter_context(open_musician(chromium, hosts[2], wave, directory / "ann"))
        ann.join(f"https://{hosts[0].address}:3443/jam/{ROOM}", "Ann")
        ann.expect_others(2)
        for box in boxes:
            box.daemon.await_status(lambda status: len(_packets(status)) == 2, "both others are heard")
        yield Stage(boxes[0], boxes[1], ann, hosts[3], directory)


# Who hears what


def test_a_browser_comes_out_of_the_line_out_at_its_pitch_in_stereo(stage: Stage) -> None:
    with stage.one.card.recording() as line_out:
        sound = _heard(line_out, ANN_HZ[0])

    for channel, (own_hz, other_hz) in enumerate((ANN_HZ, ANN_HZ[::-1])):
        assert pitch_hz(sound[:, channel]) == pytest.approx(own_hz, abs=2)
        assert level_db(sound, own_hz)[channel] == pytest.approx(PLAYED_DB, abs=1)
        assert level_db(sound, other_hz)[channel] < LEVEL_DB - 35


def test_the_line_in_is_heard_in_the_browser_at_its_pitch_in_stereo(stage: Stage) -> None:
    left_hz, right_hz = 500.0, 800.0
    with stage.one.playing(left_hz, right_hz):
        stage.one.daemon.await_status(lambda status: status["audio"]["input"]["level_dbfs"] > LOUD_DB, "the line-in")
        until(lambda: level_db(stage.ann.hears("One"), left_hz)[0] > LOUD_DB, "Ann hears it")
        sound = stage.ann.hears("One")

    for channel, (own_hz, other_hz) in enumerate(((left_hz, right_hz), (right_hz, left_hz))):
        assert pitch_hz(sound[:, channel]) == pytest.approx(own_hz, abs=1)
        assert level_db(sound, own_hz)[channel] == pytest.approx(LEVEL_DB, abs=1)
        assert level_db(sound, other_hz)[channel] < LEVEL_DB - 35


def test_two_boxes_and_a_browser_hear_each_other_and_never_themselves(stage: Stage) -> None:
    one, two = stage.one, stage.two
    with one.playing(ONE_HZ), two.playing(TWO_HZ), one.card.recording() as at_one, two.card.recording() as at_two:
        for line_out, own_hz, other_hz in ((at_one, ONE_HZ, TWO_HZ), (at_two, TWO_HZ, ONE_HZ)):
            _await_levels(line_out, {other_hz: PLAYED_DB, ANN_HZ[0]: PLAYED_DB, own_hz: None}, "the others alone")
        for name, hz in (("One", ONE_HZ), ("Two", TWO_HZ)):
            assert level_db(stage.ann.hears(name), hz)[0] == pytest.approx(LEVEL_DB, abs=1)


# Volumes


def test_volumes_and_mutes_are_heard_at_the_card(stage: Stage) -> None:
    one, two = stage.one, stage.two
    with two.playing(TWO_HZ), one.card.recording() as line_out:
        _heard(line_out, TWO_HZ)
        for change, ann_db, two_db in (
            ({"masterVolume": 0.4}, PLAYED_DB - 6, PLAYED_DB - 6),
            ({"masterVolume": 0.8, "players": {"Ann": {"gain": 0.5}}}, PLAYED_DB - 6, PLAYED_DB),
            ({"players": {"Ann": {"muted": True}}}, None, PLAYED_DB),
            ({"players": {"Ann": {"muted": False, "gain": 1.0}}}, PLAYED_DB, PLAYED_DB),
            ({"muted": True}, None, None),
            ({"muted": False}, PLAYED_DB, PLAYED_DB),
        ):
            one.daemon.mix(**change)
            _await_levels(line_out, {ANN_HZ[0]: ann_db, TWO_HZ: two_db}, f"after {change}")


def test_a_muted_line_in_is_not_heard_and_its_player_stays_connected(stage: Stage) -> None:
    one, two = stage.one, stage.two
    with two.playing(TWO_HZ), one.card.recording() as line_out:
        _heard(line_out, TWO_HZ)
        with _undisturbed(one.daemon, "Two"):
            two.daemon.mix(inputMuted=True)
            _await_levels(line_out, {TWO_HZ: None}, "muted")
            time.sleep(STEADY_S)
        two.daemon.mix(inputMuted=False)
        _await_levels(line_out, {TWO_HZ: PLAYED_DB}, "on again")


# Members who do not play


@pytest.mark.parametrize(
    "way", ["--listen-only", *(pytest.param(way, marks=pytest.mark.slow) for way in ("audio.send: false", "no card"))]
)
def test_a_box_that_does_not_play_says_so_and_nobody_waits_for_its_sound(
    stage: Stage, way: str, tmp_path: Path
) -> None:
    arguments = ["--listen-only"] if way == "--listen-only" else []
    with ExitStack() as stack:
        card = None if way == "no card" else stack.enter_context(sound_card(tmp_path / "card", "cardThree"))
        audio = {"input": card.name, "output": card.name} if card else {}
        if card:
            stack.enter_context(card.hearing(tones(THREE_HZ, seconds=SECONDS)))
        if way == "audio.send: false":
            audio["send"] = False  # type: ignore[assignment]
        three = stack.enter_context(stage.box(card, audio, arguments))
        stage.one.daemon.await_status(lambda status: _states(status).get("Three") == "connected", "it is connected")
        stage.ann.expect_others(3)

        assert not three.status()["audio"]["input"]["sends"]
        assert not stage.ann.shows_as_sending("Three")
        assert stage.ann.shows_as_sending("Two")
        with stage.one.card.recording() as line_out, _undisturbed(stage.one.daemon, "Ann", "Two"):
            began = time.monotonic()
            while time.monotonic() - began < STEADY_S:
                assert _states(stage.one.daemon.status())["Three"] == "connected"
                time.sleep(0.2)
            assert level_db(line_out.newest(1.0), THREE_HZ)[0] < SILENT_DB
        assert "Three" not in _packets(stage.one.daemon.status())
        assert set(_packets(three.status())) == {"Ann", "One", "Two"}
        if card:
            with card.recording() as line_out:
                _heard(line_out, ANN_HZ[0])


# Cards that come and go


def test_a_box_whose_card_is_absent_sends_silence_until_it_is_plugged_in(stage: Stage, tmp_path: Path) -> None:
    card = SoundCard(tmp_path / "card", "cardThree")
    with ExitStack() as stack:
        three = stack.enter_context(stage.box(card, {"input": card.name, "output": card.name}))
        stack.callback(card.unplug)
        for box in (stage.one, stage.two):
            box.daemon.await_status(lambda status: _packets(status).get("Three", 0) > 100, "its silence arrives")
        assert stage.ann.shows_as_sending("Three")
        three.await_status(lambda status: card.name in (status["audio"]["input"]["problem"] or ""), "it says why")
        with _undisturbed(stage.one.daemon, "Three", "Two", "Ann"), stage.one.card.recording() as line_out:
            time.sleep(STEADY_S)
            assert level_db(line_out.newest(1.0), THREE_HZ)[0] < SILENT_DB

            card.plug()
            plugged = time.monotonic()
            with card.hearing(tones(THREE_HZ, seconds=SECONDS)), card.recording() as own_out:
                heard_s = _first_heard(line_out, THREE_HZ, plugged)
                played_s = _first_heard(own_out, ANN_HZ[0], plugged)
    print(f"after the card was plugged in: heard after {heard_s:.1f} s, plays after {played_s:.1f} s")
    assert max(heard_s, played_s) < BACK_S


def test_a_card_unplugged_and_back_interrupts_nobody_else(stage: Stage) -> None:
    gaps_s: list[float] = []
    while not gaps_s or (min(gaps_s) > GAP_S and len(gaps_s) < TAKES):
        gaps_s.append(_unplugged_and_back(stage))
    assert min(gaps_s) < GAP_S, "this machine is too busy to play in time"
    assert stage.ann.complaints == []


def _unplugged_and_back(stage: Stage) -> float:
    """The longest gap in Ann's tone at the other box meanwhile: the machine's other work makes some, too."""
    one, two = stage.one, stage.two
    with two.card.recording() as line_out, _undisturbed(two.daemon, "One", "Ann"):
        with one.playing(ONE_HZ):
            _heard(line_out, ONE_HZ)
            began = len(line_out.samples)
            one.card.unplug()
        _await_levels(line_out, {ONE_HZ: None}, "One's card is gone")
        one.daemon.await_status(lambda status: status["audio"]["input"]["card"] is None, "it knows")
        one.card.plug()
        plugged = time.monotonic()
        with one.playing(ONE_HZ), one.card.recording() as own_out:
            heard_s = _first_heard(line_out, ONE_HZ, plugged)
            played_s = _first_heard(own_out, ANN_HZ[0], plugged)
        meanwhile = line_out.samples[began:, 0]
    gap_s = longest_gap_s(meanwhile, ANN_HZ[0])
    print(
        f"after the card was back: heard after {heard_s:.1f} s, plays after {played_s:.1f} s; "
        f"Ann at the other box was away for {1000 * gap_s:.0f} ms at most in {len(meanwhile) / RATE_HZ:.0f} s"
    )
    assert max(heard_s, played_s) < BACK_S
    return gap_s


def _settings(name: str, audio: Mapping[str, Any]) -> dict[str, Any]:
    return {"identity": {"name": name}, "audio": dict(audio), "light": {"mode": "off", "discover": "off"}}


def _heard(line_out: Recording, frequency_hz: float) -> NDArray[np.float32]:
    """The newest second, once that tone has been in all of it."""
    until(lambda: level_db(line_out.newest(0.3), frequency_hz)[0] > LOUD_DB, f"{frequency_hz} Hz is heard")
    frames = len(line_out.samples) + round(1.2 * RATE_HZ)
    until(lambda: len(line_out.samples) >= frames, "it is recorded")
    return line_out.newest(1.0)


def _await_levels(line_out: Recording, wanted_db: Mapping[float, float | None], what: str) -> None:
    """Until each of these tones is as loud as that, None being silence."""

    def is_there() -> bool:
        sound = line_out.newest(0.5)
        levels = {hz: level_db(sound, hz)[0] for hz in wanted_db}
        return all(levels[hz] < SILENT_DB if db is None else abs(levels[hz] - db) < 1 for hz, db in wanted_db.items())

    until(is_there, what, 10.0)


def _first_heard(line_out: Recording, frequency_hz: float, since: float) -> float:
    """Seconds since `since`, in time.monotonic(), until that tone is heard."""
    until(lambda: level_db(line_out.newest(0.1), frequency_hz)[0] > LOUD_DB, f"{frequency_hz} Hz is heard")
    return time.monotonic() - since


@contextmanager
def _undisturbed(daemon: Daemon, *names: str) -> Iterator[None]:
    """Those are heard by it all the time, over the connection that each has now: a new one counts from nought."""
    before, began = _packets(daemon.status()), time.monotonic()
    yield
    after, elapsed_s = _packets(daemon.status()), time.monotonic() - began
    for name in names:
        assert after[name] - before[name] > LEAST_A_S * elapsed_s, f"{name}: {before[name]}, then {after[name]}"


def _is_joined(status: Status) -> bool:
    return bool(status["room"]["connection"] == "connected")


def _packets(status: Status) -> dict[str, int]:
    return {one["name"]: one["packets"] for one in status["audio"]["peers"] if one["packets"]}


def _states(status: Status) -> dict[str, str]:
    return {one["name"]: one["state"] for one in status["audio"]["peers"]}
