import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from jambridge.audio.playout.drift import LOOKAHEAD_FRAMES, MAX_PACE, TAPS, Follower, Resampler
from jambridge.units import SAMPLE_RATE_HZ

Stereo = NDArray[np.float32]


def tone(frequency_hz: float, frames: int = SAMPLE_RATE_HZ) -> Stereo:
    mono = np.sin(2 * np.pi * frequency_hz * np.arange(frames) / SAMPLE_RATE_HZ)
    return np.stack([mono, -mono], axis=1).astype(np.float32)


def resampled(sound: Stereo, pace: float) -> Stereo:
    resampler = Resampler()
    return np.concatenate([resampler.resample(block, pace) for block in sound.reshape(-1, 480, 2)])


def fitted(sound: NDArray[np.floating], frequency_hz: float) -> tuple[float, float]:
    """Amplitude in dB and ratio to all else in dB of a tone that is known to be there."""
    angle = 2 * np.pi * frequency_hz / SAMPLE_RATE_HZ * np.arange(len(sound))
    basis = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    parts = np.linalg.lstsq(basis, sound.astype(np.float64), rcond=None)[0]
    rest = sound - basis @ parts
    power = float(parts @ parts) / 2
    return 10 * np.log10(2 * power), 10 * np.log10(power / float(np.mean(rest**2)))


@pytest.mark.parametrize("pace", [1 - MAX_PACE, 1 - 37e-6, 1.0, 1 + MAX_PACE])
def test_a_tone_changes_its_pitch_by_the_pace_and_nothing_else(pace: float) -> None:
    out = resampled(tone(997), pace)[1000:]

    level_db, clean_db = fitted(out[:, 0], 997 * pace)

    assert abs(level_db) < 0.01
    assert clean_db > 75
    np.testing.assert_allclose(out[:, 1], -out[:, 0])


@pytest.mark.parametrize("frequency_hz", [50, 4000, 8000, 12_000, 16_000, 18_000])
def test_the_treble_is_kept(frequency_hz: float) -> None:
    level_db, clean_db = fitted(resampled(tone(frequency_hz), 1 + MAX_PACE)[1000:, 0], frequency_hz * (1 + MAX_PACE))

    assert abs(level_db) < 0.1
    assert clean_db > 60


def test_at_a_pace_of_one_sound_is_delayed_by_the_look_ahead() -> None:
    noise = np.random.default_rng(0).normal(0, 0.3, (960, 2)).astype(np.float32)

    out = resampled(noise, 1.0)

    np.testing.assert_allclose(out[LOOKAHEAD_FRAMES:], noise[:-LOOKAHEAD_FRAMES], atol=1e-6)


@given(st.lists(st.tuples(st.integers(0, 1000) | st.integers(0, 3), st.floats(1 - MAX_PACE, 1 + MAX_PACE)), max_size=6))
def test_blocks_of_any_length_and_pace_join_without_a_click_and_none_is_held_back(
    stretches: list[tuple[int, float]],
) -> None:
    resampler, given_frames, at = Resampler(), 0, 0.0
    sound = tone(440, sum(frames for frames, _ in stretches) + 1)

    blocks = []
    for frames, pace in stretches:
        blocks.append(resampler.resample(sound[given_frames : given_frames + frames], pace))
        given_frames += frames
        at += len(blocks[-1]) * pace
        assert given_frames <= at < given_frames + 1 + MAX_PACE

    out = np.concatenate(blocks)[TAPS:, 0] if blocks else np.zeros(0)
    assert (
        np.abs(np.diff(out, 2)).max(initial=0) < 1.05 * (2 * np.pi * 440 * (1 + MAX_PACE) / SAMPLE_RATE_HZ) ** 2 + 2e-3
    )


def test_a_long_packet_at_the_fastest_pace_is_whole() -> None:
    out = Resampler().resample(tone(440, 5760), 1 - MAX_PACE)

    assert len(out) == 5769
    assert np.abs(np.diff(out[TAPS:, 0], 2)).max() < 0.0035


def test_what_it_cannot_do_is_refused() -> None:
    for block, pace in [(np.zeros((5761, 2), np.float32), 1.0), (np.zeros((10, 2), np.float32), 1.002)]:
        with pytest.raises(ValueError, match="pace"):
            Resampler().resample(block, pace)


@pytest.mark.parametrize("ppm", [-300, -100, 0, 100, 300])
def test_the_follower_finds_the_other_clock_and_keeps_the_error_at_nothing(ppm: float) -> None:
    follower, error_s = Follower(), 0.003

    for index in range(12_000):
        error_s += 0.01 * (1 + ppm * 1e-6 - follower.pace)
        follower.learn(7.0 - index * 0.01 * ppm * 1e-6, 0.01)
        follower.follow(error_s)

    assert follower.drift == pytest.approx(ppm * 1e-6, abs=1e-5)
    assert abs(error_s) < 2e-4


def test_an_error_is_worked_off_slowly_and_teaches_nothing() -> None:
    follower, error_s = Follower(), 0.05

    for _ in range(3000):
        error_s += 0.01 * (1 - follower.pace)
        follower.learn(7.0, 0.01)
        assert abs(follower.follow(error_s) - 1) <= MAX_PACE + 1e-12

    assert error_s == pytest.approx(0.0053, abs=0.0005)
    assert follower.drift == 0


def test_another_path_of_the_network_is_no_drift() -> None:
    follower = Follower()

    for middle_s in (7.0, 7.4, 7.02):
        for _ in range(1000):
            follower.learn(middle_s, 0.01)

    assert follower.drift == 0
