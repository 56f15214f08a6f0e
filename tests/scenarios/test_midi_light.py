"""Two boxes and their strips: what is played over MIDI at the first lights up at both, without any sound."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import soundfile
from playwright.sync_api import BrowserType, Page

from jambridge.midi import message as midi
from tests.fakes import web_midi
from tests.fakes.instrument import PERIOD_FRAMES, Instrument, instrument
from tests.fakes.jack import jack
from tests.scenarios.browser import open_musician
from tests.scenarios.capture import Capture, capture
from tests.scenarios.daemon import Daemon, Status, open_daemon, open_wled, until
from tests.scenarios.namespaces import Host, network
from tests.scenarios.palette import pitch_classes
from tests.scenarios.tones import RATE_HZ, tones

pytestmark = pytest.mark.scenario

ROOM = "KEYS12"
PIXELS = 60
A3, C5 = 57, 72
SUSTAIN = 64


class Strip:
    """What it was sent last: the pitch classes of its first half and of its second."""

    def __init__(self, wire: Capture) -> None:
        self._wire = wire

    def shows(self) -> tuple[set[int], set[int]] | None:
        frames = self._wire.frames(PIXELS)
        if not frames:
            return None
        return tuple(set(pitch_classes(half)) for half in (frames[-1].pixels[:30], frames[-1].pixels[30:]))  # type: ignore[return-value]

    def until(self, first: set[int], second: set[int]) -> None:
        until(lambda: self.shows() == (first, second), f"{first} and {second} are shown")


@contextlib.contextmanager
def strip_at(host: Host, directory: Path) -> Iterator[Strip]:
    with capture(host) as wire, open_wled(host, directory, PIXELS, f"Strip of {directory.name}"):
        yield Strip(wire)


def kill(daemon: Daemon) -> None:
    """With all its processes, as if its plug was pulled."""
    family = [*psutil.Process(daemon.process.pid).children(recursive=True), psutil.Process(daemon.process.pid)]
    for process in family:
        process.kill()


def lights(strip: Host, **zone: object) -> dict[str, object]:
    zones = [{"controller": strip.address, **zone}] if zone else []
    return {"controllers": [{"host": strip.address}], "discover": "off", "zones": zones}


def test_notes_over_midi_light_the_strips_of_both_boxes_and_leave_nothing_lit(tmp_path: Path) -> None:
    with jack(period_frames=PERIOD_FRAMES) as server, network(4) as (first, second, own, theirs):
        playing = {"midi": {"inputs": "keys", "outputs": "none"}, "identity": {"name": "Ada"}, "light": lights(own)}
        without_ports = {
            "midi": {"inputs": "none", "outputs": "none"},
            "light": lights(theirs, player="ada", stop=30),
            "hub": {"url": f"http://{first.address}:3001"},
        }
        with (
            instrument(server, "keys") as keys,
            strip_at(own, tmp_path / "own") as here,
            strip_at(theirs, tmp_path / "theirs") as there,
            open_daemon(first, tmp_path / "first", ROOM, playing, env=server.environment) as box,
            open_daemon(second, tmp_path / "second", ROOM, without_ports) as other,
        ):
            box.await_status(lambda status: status["midi"]["inputs"], "the keys are plugged in")
            other.await_status(_is_connected, "they are connected")
            _play_and_release(keys, here, there)

            (source,) = other.status()["notes"]["sources"]
            assert source["name"] == "Ada"
            keys.play(midi.control(0, SUSTAIN, 127), bytes((midi.NOTE_ON, C5, 100)))
            there.until({0}, set())
            kill(box)
            there.until(set(), set())
            assert "Traceback" not in box.said() + other.said()


def test_an_instrument_at_a_browser_that_only_listens_lights_the_strip_of_a_box_without_a_sound_card(
    chromium: BrowserType, tmp_path: Path
) -> None:
    """Neither of them sends sound."""
    wave = tmp_path / "unused.wav"
    soundfile.write(wave, tones(440.0, 440.0, seconds=1.0), RATE_HZ, subtype="PCM_16")
    with network(3) as (first, guest, own):
        settings = {"midi": {"inputs": "none", "outputs": "none"}, "light": lights(own, player="ada", stop=30)}
        with (
            strip_at(own, tmp_path / "own") as strip,
            open_daemon(first, tmp_path / "box", ROOM, settings) as box,
            open_musician(chromium, guest, wave, tmp_path / "ada") as ada,
        ):
            box.await_status(lambda status: status["room"]["connection"] == "connected", "its page is there")
            ada.page.goto(f"https://{first.address}:3443/jam/{ROOM}")
            web_midi.plug_in(ada.page)
            ada.page.get_by_label("Your name").fill("Ada")
            ada.page.get_by_role("button", name="Just listen").click()
            ada.page.get_by_role("button", name="MIDI").click()
            ada.expect_others(1)
            until(lambda: _arrives(ada.page, box), "what Ada plays comes to the box")

            web_midi.press(ada.page, bytes((midi.NOTE_ON, A3, 100)))
            strip.until({9}, set())
            web_midi.press(ada.page, midi.note_off(0, A3))
            strip.until(set(), set())
            web_midi.press(ada.page, bytes((midi.NOTE_ON, C5, 100)))
            strip.until({0}, set())
            ada.kill()
            strip.until(set(), set())
            assert "Traceback" not in box.said()


def _arrives(page: Page, box: Daemon) -> bool:
    web_midi.press(page, web_midi.WHEEL)
    return bool(box.status()["midi"]["received"])


def _is_connected(status: Status) -> bool:
    return [peer["state"] for peer in status["audio"]["peers"]] == ["connected"]


def _play_and_release(keys: Instrument, here: Strip, there: Strip) -> None:
    """Ada's zone at the other box is the first half of its strip."""
    keys.play(bytes((midi.NOTE_ON, A3, 100)))
    here.until({9}, {9})
    there.until({9}, set())
    keys.play(midi.control(0, SUSTAIN, 127), midi.note_off(0, A3), bytes((midi.NOTE_ON, C5, 100)))
    here.until({9}, {0})
    there.until({9, 0}, set())
    keys.play(midi.control(0, SUSTAIN, 0))
    there.until({0}, set())
    keys.play(midi.note_off(0, C5))
    here.until(set(), set())
    there.until(set(), set())
