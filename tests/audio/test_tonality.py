import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from jambridge.audio.mix.tonality import NO_TONE, WINDOW_FRAMES, Ear, Spectrum
from jambridge.units import SAMPLE_RATE_HZ


def sine(frequency_hz: float, amplitude: float, frames: int = WINDOW_FRAMES) -> NDArray[np.float32]:
    return (amplitude * np.sin(2 * np.pi * frequency_hz * np.arange(frames) / SAMPLE_RATE_HZ)).astype(np.float32)


@given(st.floats(120, 15_000), st.floats(0.001, 1))
def test_a_sine_is_one_tone_of_its_frequency_and_level(frequency_hz: float, amplitude: float) -> None:
    spectrum = Spectrum(sine(frequency_hz, amplitude))
    tone = spectrum.strongest()

    assert tone.frequency_hz == pytest.approx(frequency_hz, abs=2)
    assert tone.level_dbfs == pytest.approx(20 * np.log10(amplitude) - 3.01, abs=0.2)
    assert tone.tonality > 0.99
    assert spectrum.level_dbfs(frequency_hz) == pytest.approx(tone.level_dbfs, abs=0.2)


def test_noise_has_no_tone_to_speak_of() -> None:
    hiss = np.random.default_rng(1).normal(0, 0.1, WINDOW_FRAMES).astype(np.float32)
    spectrum = Spectrum(hiss)

    assert spectrum.strongest().tonality < 0.05
    assert spectrum.total_dbfs == pytest.approx(-20, abs=0.7)


def test_the_stronger_of_two_tones_is_told_with_its_share() -> None:
    tone = Spectrum(sine(440, 0.2) + sine(1_000, 0.4)).strongest()

    assert tone.frequency_hz == pytest.approx(1_000, abs=2)
    assert tone.tonality == pytest.approx(0.8, abs=0.01)


def test_silence_has_no_tone() -> None:
    assert Spectrum(np.zeros(WINDOW_FRAMES, np.float32)).strongest() == NO_TONE


def test_a_constant_is_nearly_silent() -> None:
    assert Spectrum(np.full(WINDOW_FRAMES, 0.5, np.float32)).total_dbfs < -80


def test_a_sine_has_a_crest_of_three_db() -> None:
    assert Spectrum(sine(997, 0.5)).crest_db == pytest.approx(3.01, abs=0.1)


@given(arrays(np.float32, WINDOW_FRAMES, elements=st.floats(-16, 16, width=32)), st.floats(0, 30_000))
def test_any_sound_has_finite_levels(sound: NDArray[np.float32], frequency_hz: float) -> None:
    spectrum = Spectrum(sound)

    assert np.isfinite([*spectrum.strongest(), spectrum.level_dbfs(frequency_hz), spectrum.total_dbfs]).all()
    assert 0 <= spectrum.strongest().tonality <= 1.0001


@given(st.lists(st.integers(1, WINDOW_FRAMES), min_size=1, max_size=12))
def test_an_ear_keeps_the_newest_of_what_it_hears(frames: list[int]) -> None:
    sound, ear = sine(997, 0.5, sum(frames)), Ear()
    for block in np.split(sound, np.cumsum(frames)[:-1]):
        ear.hear(np.column_stack([block, block]))

    expected = np.concatenate([np.zeros(WINDOW_FRAMES, np.float32), sound])[-WINDOW_FRAMES:]
    assert ear.spectrum().total_dbfs == pytest.approx(Spectrum(expected).total_dbfs, abs=1e-6)
