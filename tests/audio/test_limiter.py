import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from jambridge.audio.mix.limiter import CEILING, RELEASE_DB_PER_S, Limiter
from jambridge.units import SAMPLE_RATE_HZ

Sound = NDArray[np.float32]

blocks = st.lists(
    st.integers(1, 300).flatmap(lambda n: arrays(np.float32, (n, 2), elements=st.floats(-32, 32, width=32))), max_size=6
)


def limit(limiter: Limiter, block: Sound) -> Sound:
    out, sizes = block.copy(), np.abs(block)
    peak = limiter.limit(out, sizes, float(sizes.max()))
    assert np.abs(out).max() <= peak * (1 + 1e-6)
    return out


def limited(sound: Sound, frames: int = 128) -> Sound:
    limiter = Limiter(frames)
    return np.concatenate([limit(limiter, sound[at : at + frames]) for at in range(0, len(sound), frames)])


def tone(frequency_hz: float, dbfs: float, seconds: float) -> Sound:
    times_s = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    wave = 10 ** (dbfs / 20) * np.sin(2 * np.pi * frequency_hz * times_s)
    return np.column_stack([wave, wave]).astype(np.float32)


def distortion_db(sound: Sound, frequency_hz: int) -> float:
    """Everything but the tone, against the tone, over the last second."""
    powers = np.abs(np.fft.rfft(sound[-SAMPLE_RATE_HZ:, 0].astype(np.float64))) ** 2
    return float(10 * np.log10(np.delete(powers, frequency_hz).sum() / powers[frequency_hz]))


@given(blocks)
def test_nothing_leaves_above_the_ceiling(sounds: list[Sound]) -> None:
    limiter = Limiter(300)

    for sound in sounds:
        assert np.abs(limit(limiter, sound)).max() <= CEILING * (1 + 1e-6) < 1.0


@given(arrays(np.float32, (300, 2), elements=st.floats(-0.9375, 0.9375, width=32)))
def test_what_stays_below_the_ceiling_is_untouched(sound: Sound) -> None:
    np.testing.assert_array_equal(limited(sound), sound)


@given(arrays(np.float32, (300, 2), elements=st.floats(-8, 8, width=32)), st.integers(1, 300))
def test_the_gain_does_not_depend_on_where_blocks_end_within_the_hold(sound: Sound, frames: int) -> None:
    """All of it is within the 20 ms for which the gain holds, once it has fallen."""
    sound[0] = 10.0

    np.testing.assert_allclose(limited(sound, frames), limited(sound, 300), rtol=1e-5)


def test_both_channels_get_the_same_gain() -> None:
    sound = tone(997, 10, 0.2)
    sound[:, 1] *= np.float32(0.25)

    out = limited(sound)

    np.testing.assert_allclose(out[:, 1], out[:, 0] * 0.25, atol=1e-6)


@pytest.mark.parametrize("frequency_hz", [40, 100, 997, 5_003])
def test_a_tone_10_db_too_loud_comes_out_clean(frequency_hz: int) -> None:
    assert distortion_db(limited(tone(frequency_hz, 10, 3.0)), frequency_hz) < -80


def test_only_the_first_rise_is_cut_flat() -> None:
    sound = tone(100, 10, 0.1)
    scale = CEILING / np.abs(sound).max()

    out = limited(sound)

    quarter = SAMPLE_RATE_HZ // 400
    np.testing.assert_allclose(out[quarter + 1 :], sound[quarter + 1 :] * scale, atol=1e-5)


def test_the_gain_comes_back_after_a_burst_and_is_then_exactly_one() -> None:
    quiet, limiter = tone(997, -20, 0.4), Limiter(128)
    for at in range(0, 4_800, 128):
        limit(limiter, tone(997, 10, 0.1)[at : at + 128])
    gains = []
    for at in range(0, len(quiet), 128):
        out = limit(limiter, quiet[at : at + 128])
        gains.append(limiter.gain)

    steps_db = np.diff(20 * np.log10(gains)) / 128 * SAMPLE_RATE_HZ
    assert steps_db.max() <= RELEASE_DB_PER_S * 1.001
    assert 0.15 < np.count_nonzero(np.array(gains) < 1.0) * 128 / SAMPLE_RATE_HZ < 0.3
    np.testing.assert_array_equal(out, quiet[-len(out) :])


def test_drums_do_not_pump_what_sounds_along() -> None:
    """A hit 3 dB over the ceiling takes 3 dB from the rest for less than 100 ms."""
    rest = tone(300, -20, 1.0)
    hit = np.zeros_like(rest)
    hit[12_000:12_480] = tone(1_000, 3, 0.01)
    limiter, gains = Limiter(128), []
    for at in range(0, len(rest), 128):
        limit(limiter, (rest + hit)[at : at + 128])
        gains.append(limiter.gain)

    assert min(gains) > 10 ** (-5 / 20)
    assert np.count_nonzero(np.array(gains) < 1.0) * 128 / SAMPLE_RATE_HZ < 0.13
