"""The fake card behaves as a card does, to a program that only knows PortAudio."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.fakes.sound_card import environment, sound_card, until

SECOND = np.arange(48_000) / 48_000
PATIENCE_S = 20.0


def tone_at(hertz: float, sound: NDArray[np.float32]) -> float:
    """Amplitude in `sound` (frames,)."""
    time_s = np.arange(len(sound)) / 48_000
    return float(2 * abs(np.exp(-2j * np.pi * hertz * time_s) @ sound) / len(sound))


class Program:
    """What it said is in a file, a number a line."""

    def __init__(self, act: str, name: str, alsa: dict[str, str], file: Path) -> None:
        self._file = file
        with file.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.fakes.card_process", act, name],
                env=os.environ | alsa,
                stdout=output,
                stderr=subprocess.DEVNULL,
            )

    @property
    def said(self) -> list[float]:
        return [float(line) for line in self._file.read_text().split("\n")[:-1]]


@contextmanager
def program(act: str, name: str, alsa: dict[str, str], directory: Path) -> Iterator[Program]:
    running = Program(act, name, alsa, directory / act)
    try:
        yield running
    finally:
        running.process.kill()
        running.process.wait()


def test_what_a_program_plays_comes_out_of_the_card_and_ends_with_it(tmp_path: Path) -> None:
    with (
        sound_card(tmp_path / "card", "fake") as card,
        card.recording() as recording,
        program("tone", "fake", card.environment, tmp_path) as player,
    ):
        until(lambda: tone_at(997, recording.newest(0.5)[:, 1]) > 0.49, "it plays")

        card.unplug()

        assert player.process.wait(PATIENCE_S) == 0, "it is told that its card is gone"


def test_a_program_hears_its_card_among_several_and_no_more_while_it_is_frozen(tmp_path: Path) -> None:
    tone = (0.25 * np.sin(2 * np.pi * 997 * SECOND)).astype(np.float32)
    with (
        sound_card(tmp_path / "one", "first") as first,
        sound_card(tmp_path / "two", "second") as second,
        second.hearing(np.tile(tone, 60)),
        program("level", "second", environment(tmp_path, first, second), tmp_path) as hearer,
    ):
        until(lambda: pytest.approx(0.25, abs=0.01) in hearer.said[-1:], "it hears the tone")

        second.freeze()
        time.sleep(0.5)  # what was under way
        said = len(hearer.said)
        with pytest.raises(subprocess.TimeoutExpired):
            hearer.process.wait(1)
        assert len(hearer.said) == said

        second.thaw()
        until(lambda: len(hearer.said) > said + 5, "it goes on")


@pytest.mark.parametrize("channels", [1, 2])
def test_what_is_heard_can_be_recorded_channel_by_channel(tmp_path: Path, channels: int) -> None:
    sounds = np.stack([0.5 * np.sin(2 * np.pi * hertz * SECOND) for hertz in (440, 1000)[:channels]], axis=1)
    with (
        sound_card(tmp_path / "card", "fake", channels) as card,
        card.recording("in") as recording,
        card.hearing(np.tile(sounds, (30, 1)).astype(np.float32)),
    ):
        until(lambda: tone_at(440, recording.newest(0.5)[:, 0]) > 0.49, "it is heard")
        heard = recording.newest(0.5)

    assert heard.shape[1] == channels
    assert [tone_at(1000, heard[:, channel]) > 0.4 for channel in range(channels)] == [False, True][:channels]
