from collections.abc import Callable, Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from jambridge.audio.mix.limiter import CEILING
from jambridge.audio.mix.meter import SILENT_DBFS
from jambridge.audio.mix.mixer import MOST_FRAMES, Mixer

Block = NDArray[np.float32]

FRAMES = 128
any_block = arrays(np.float32, (FRAMES, 2), elements=st.floats(width=32))  # NaN and infinities, too
moments = st.lists(st.dictionaries(st.integers(0, 3), any_block, max_size=3), min_size=1, max_size=8)


def level(value: float, frames: int = FRAMES) -> Block:
    return np.full((frames, 2), value, np.float32)


def mixed(mixer: Mixer, moments: Iterable[dict[int, Block]], frames: int = FRAMES) -> Block:
    """What comes out, block after block."""
    blocks = []
    for sources in moments:
        out = np.empty((frames, 2), np.float32)
        mixer.mix(sources, out)
        blocks.append(out)
    return np.concatenate(blocks)


def settled(*values: float) -> Mixer:
    """A mixer that has heard sources 0, 1 … of constant value for 50 ms."""
    mixer = Mixer()
    mixed(mixer, [{slot: level(value) for slot, value in enumerate(values)}] * 20)
    return mixer


def steepest(out: Block) -> float:
    """The largest step from frame to frame."""
    return float(np.abs(np.diff(out[:, 0])).max())


@given(moments, st.floats(0, 2), st.floats(0, 1))
def test_any_blocks_give_finite_sound_within_the_ceiling(
    moments: list[dict[int, Block]], gain: float, volume: float
) -> None:
    mixer = Mixer()
    mixer.set_gain(0, gain)
    mixer.volume = volume

    out = mixed(mixer, moments)

    assert np.abs(out).max() <= CEILING * (1 + 1e-6)


def test_sources_are_summed_sample_by_sample() -> None:
    sounds = np.random.default_rng(1).uniform(-0.3, 0.3, (2, FRAMES, 2)).astype(np.float32)

    out = mixed(settled(0.0, 0.0), [{0: sounds[0], 1: sounds[1]}])

    np.testing.assert_array_equal(out, sounds[0] + sounds[1])


def test_stereo_stays_stereo() -> None:
    sound = np.tile(np.array([[0.5, -0.5]], np.float32), (FRAMES, 1))

    np.testing.assert_array_equal(mixed(settled(0.0), [{0: sound}]), sound)


def test_without_sources_there_is_silence() -> None:
    assert not mixed(Mixer(), [{}] * 3).any()


def gain_to_two(mixer: Mixer) -> None:
    mixer.set_gain(0, 2.0)


def mute_source(mixer: Mixer) -> None:
    mixer.set_muted(0, muted=True)


def mute_all(mixer: Mixer) -> None:
    mixer.muted = True


def halve_volume(mixer: Mixer) -> None:
    mixer.volume = 0.5


def duck(mixer: Mixer) -> None:
    mixer.ducking = 0.25


@pytest.mark.parametrize(
    ("change", "after"),
    [(gain_to_two, 0.5), (mute_source, 0.1), (mute_all, 0.0), (halve_volume, 0.15), (duck, 0.075)],
)
def test_every_change_is_a_slope_of_ten_milliseconds_a_unit(change: Callable[[Mixer], None], after: float) -> None:
    mixer = settled(0.2, 0.1)
    change(mixer)

    out = mixed(mixer, [{0: level(0.2), 1: level(0.1)}] * 10)

    assert out[-1, 0] == pytest.approx(after, abs=1e-6)
    assert 0 < steepest(out) <= 0.3 / 480 * 1.01
    assert abs(out[0, 0] - 0.3) < 0.001


def test_a_source_appears_and_vanishes_without_a_step() -> None:
    mixer = settled(0.1)

    out = mixed(mixer, [{0: level(0.1), 1: level(0.4)}] * 8 + [{0: level(0.1)}] * 8)

    assert out[8 * FRAMES - 1, 0] == pytest.approx(0.5)
    assert out[-1, 0] == pytest.approx(0.1)
    assert steepest(out) <= 0.4 / 480 * 1.01


def test_a_vanished_tone_goes_on_from_where_it_ended() -> None:
    times_s = np.arange(20 * FRAMES) / 48_000
    sound = (0.5 * np.sin(2 * np.pi * 440 * times_s)).astype(np.float32)
    tone = np.column_stack([sound, sound]).reshape(-1, FRAMES, 2)

    out = mixed(Mixer(), [{0: block} for block in tone] + [{}] * 8)

    assert steepest(out) <= 0.5 * 2 * np.pi * 440 / 48_000 + 0.5 / 480
    assert not out[-FRAMES:].any()


def test_a_source_that_returns_while_it_fades_is_faded_in_anew() -> None:
    mixer = settled(0.5)

    out = mixed(mixer, [{}, {0: level(-0.5)}, {0: level(-0.5)}] + [{0: level(-0.5)}] * 12)

    assert steepest(out) <= 0.5 / 480 * 1.01
    assert out[-1, 0] == pytest.approx(-0.5)


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf, 1e9])
def test_what_is_no_sound_silences_its_source_alone(poison: float) -> None:
    mixer, bad = settled(0.2, 0.3), level(0.3)
    bad[5, 1] = poison

    out = mixed(mixer, [{0: level(0.2), 1: bad}] * 10)

    assert mixer.garbage == 10
    assert out[-1, 0] == np.float32(0.2)
    assert steepest(out) <= 0.3 / 480 * 1.01
    after = mixed(mixer, [{0: level(0.2), 1: level(0.3)}] * 10)
    assert after[-1, 0] == pytest.approx(0.5)


def test_blocks_may_change_their_length() -> None:
    mixer = settled(0.5)

    for frames in (1, 64, 2_048, 480):
        mixed(mixer, [{0: level(0.5, frames)}], frames)
    out = mixed(mixer, [{}, {}], 700)

    assert steepest(out) <= 0.5 / 480 * 1.01
    assert not out[-1].any()
    assert mixed(mixer, [{0: level(0.5, MOST_FRAMES)}], MOST_FRAMES)[-1, 0] == 0.5


def test_a_gain_set_before_its_source_comes_holds_until_it_is_forgotten() -> None:
    mixer = Mixer()
    mixer.set_gain(3, 0.5)
    assert mixed(mixer, [{3: level(0.4)}] * 8)[-1, 0] == pytest.approx(0.2)
    mixed(mixer, [{}] * 8)
    assert mixed(mixer, [{3: level(0.4)}] * 8)[-1, 0] == pytest.approx(0.2)

    mixer.forget(3)

    assert mixed(mixer, [{3: level(0.4)}] * 8)[-1, 0] == pytest.approx(0.4)


def test_gain_and_volume_keep_to_their_ranges() -> None:
    mixer = settled(0.1)
    mixer.set_gain(0, 100.0)
    mixer.volume = 7.0

    assert mixed(mixer, [{0: level(0.1)}] * 20)[-1, 0] == pytest.approx(0.2)


def test_levels_are_those_of_each_source_before_its_gain_and_of_what_is_played() -> None:
    mixer = Mixer()
    mixer.set_gain(0, 0.0)
    mixed(mixer, [{0: level(0.5), 1: level(0.1)}] * 800)

    assert mixer.level_dbfs(0) == pytest.approx(-6.0, abs=0.1)
    assert mixer.level_dbfs(1) == pytest.approx(-20.0, abs=0.1)
    assert mixer.played == pytest.approx((-20.0, -20.0), abs=0.1)
    assert mixer.level_dbfs(2) == SILENT_DBFS


def test_the_level_of_a_source_falls_when_it_is_no_sound() -> None:
    mixer = settled(0.5)
    mixed(mixer, [{0: level(np.nan)}] * 1_000)

    assert mixer.level_dbfs(0) < -70


def test_four_hundred_sources_leave_nothing_behind() -> None:
    mixer = Mixer()
    for slot in range(400):
        mixer.set_gain(slot, 0.5)
        mixer.set_muted(slot, muted=True)
        mixed(mixer, [{slot: level(0.1)}])
        mixer.forget(slot)
    mixed(mixer, [{}] * 8)

    assert (mixer._strips, mixer._gains, mixer._muted) == ({}, {}, frozenset())
