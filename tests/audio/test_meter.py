import numpy as np
import pytest
from numpy.typing import NDArray

from jambridge.audio.mix.meter import SILENT, Meter


def heard(sound: NDArray[np.float64], frames: int = 128) -> Meter:
    meter = Meter()
    for block in np.array_split(np.column_stack([sound, sound]).astype(np.float32), len(sound) // frames):
        meter.hear(block, float(np.abs(block).max()))
    return meter


def sine(seconds: float, amplitude: float) -> NDArray[np.float64]:
    return amplitude * np.sin(2 * np.pi * 997 * np.arange(round(seconds * 48_000)) / 48_000)


@pytest.mark.parametrize("dbfs", [0.0, -20.0, -60.0])
def test_a_tone_of_known_level_is_shown_as_it_is(dbfs: float) -> None:
    level = heard(sine(2.0, 10 ** (dbfs / 20))).level

    assert level.peak_dbfs == pytest.approx(dbfs, abs=0.1)
    assert level.rms_dbfs == pytest.approx(dbfs - 3.01, abs=0.1)


def test_the_needle_is_the_same_whatever_the_blocks() -> None:
    ramp = sine(0.5, 0.3) * np.linspace(0, 1, 24_000)

    assert heard(ramp, 64).level.rms_dbfs == pytest.approx(heard(ramp, 480).level.rms_dbfs, abs=0.1)


def test_a_peak_is_still_seen_a_tenth_of_a_second_later() -> None:
    clap = np.zeros(4_800)
    clap[0] = 1.0

    assert heard(clap).level.peak_dbfs == pytest.approx(-2.9, abs=0.2)


def test_silence_has_a_level() -> None:
    assert Meter().level == SILENT
    assert heard(np.concatenate([sine(0.1, 1.0), np.zeros(48_000 * 6)])).level == SILENT
