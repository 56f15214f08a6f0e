import numpy as np
import pytest

from jambridge.light import spectrum
from jambridge.light.effects import BANDS

SECONDS = np.arange(spectrum.FRAMES) / 48_000


@pytest.mark.parametrize("hz", [120.0, 440.0, 3000.0])
def test_a_sine_is_in_its_band(hz: float) -> None:
    bands = spectrum.bands((0.5 * np.sin(2 * np.pi * hz * SECONDS)).astype(np.float32))

    expected = np.log(hz / 50) / np.log(240) * BANDS
    assert bands[int(expected)] == 1.0
    assert (bands > 0.9).sum() <= 6


def test_silence_and_nonsense_are_dark() -> None:
    assert not spectrum.bands(np.zeros(spectrum.FRAMES, np.float32)).any()
    assert not spectrum.bands(np.full(spectrum.FRAMES, np.nan, np.float32)).any()
