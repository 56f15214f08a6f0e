"""Without any room the box still lights what its own line-in hears."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.fakes.sound_card import sound_card
from tests.scenarios.capture import Frame, capture
from tests.scenarios.daemon import Daemon, open_daemon, open_wled, until
from tests.scenarios.namespaces import network

pytestmark = pytest.mark.scenario

PIXELS = 60
SETTINGS = {"hub": {"mode": "off"}, "audio": {"input": "fakeline", "output": "none"}}


def a4(seconds: float) -> NDArray[np.float32]:
    """A440 with a few partials, as an instrument has."""
    time_s = np.arange(int(seconds * 48_000)) / 48_000
    partials = np.arange(1, 5)[:, None]
    tone: NDArray[np.float64] = (np.sin(2 * np.pi * 440 * partials * time_s) / partials).sum(axis=0)
    return (0.2 * tone).astype(np.float32)


def notes(daemon: Daemon) -> list[list[str]]:
    return [source["notes"] for source in daemon.status()["notes"]["sources"]]


def hears(daemon: Daemon) -> bool:
    return daemon.status()["audio"]["input"]["card"] is not None


def test_the_line_in_lights_the_strip_without_a_room_and_again_after_the_card_was_unplugged(tmp_path: Path) -> None:
    with (
        network(2) as (box, strip),
        sound_card(tmp_path / "card", "fakeline") as card,
        capture(strip) as wire,
        open_wled(strip, tmp_path, PIXELS) as wled,
        open_daemon(box, tmp_path, "LONE22", SETTINGS, env=card.environment) as daemon,
    ):
        daemon.await_ready()
        until(lambda: hears(daemon), "the line-in is open")
        assert daemon.status()["room"]["state"] == "local"
        assert not wled.is_live, "silence alone does not take the strip"

        with card.hearing(a4(30)):
            until(lambda: _purple(wire.frames(PIXELS)), "A, which is violet, on the strip")
            until(lambda: notes(daemon) == [["A4"]], "the note itself")
        until(lambda: not wled.is_live, "the strip is its owner's again")

        card.unplug()
        until(lambda: not hears(daemon), "the card is missed")
        card.plug()
        until(lambda: hears(daemon), "the card is found again")
        with card.hearing(a4(30)):
            until(lambda: wled.is_live, "it lights again")
        assert "Traceback" not in daemon.said()


def _purple(frames: list[Frame]) -> bool:
    """A = 270 degrees: blue and half as much red before gamma, no green, everywhere."""
    if not frames:
        return False
    red, green, blue = frames[-1].pixels[:, :3].max(axis=0)
    return bool(blue > 60 and 0 < red < blue and green < blue / 8)
