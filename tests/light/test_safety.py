"""What the limiter lets through is judged by `flashes`, from the bytes that strips are sent."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from jambridge.light.colour import GAMMA, Colours, encode, note_colour
from jambridge.light.safety import FlashLimiter, Frame
from jambridge.units import LocalSeconds, MidiNote
from tests.light.flashes import most_in_a_second

FRAME_S = 1 / 60
RED, GREEN, BLUE, WHITE = (np.array(colour, np.float32) for colour in ([1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]))
COLOURS = pytest.mark.parametrize("colour", [RED, GREEN, BLUE, WHITE], ids=["red", "green", "blue", "white"])


def encoded(frames: Sequence[Colours], gamma: float = GAMMA) -> list[Frame]:
    return [encode(frame, gamma) for frame in frames]


def limited(frames: Sequence[Frame], times: Sequence[float], rate: float = 3.0, gamma: float = GAMMA) -> list[Frame]:
    limiter = FlashLimiter(rate)
    return [limiter.limit(frame, LocalSeconds(at), gamma=gamma) for frame, at in zip(frames, times, strict=True)]


def flashes(frames: Sequence[Frame], times: Sequence[float], gamma: float = GAMMA) -> int:
    return most_in_a_second((np.stack(frames) / 255) ** (GAMMA / gamma), times)


def ticks(seconds: float) -> list[float]:
    return [index * FRAME_S for index in range(round(seconds * 60))]


def strobe(colour: Colours, hz: float, seconds: float) -> tuple[list[Frame], list[float]]:
    times = ticks(seconds)
    return [np.tile(255 * colour * (at * hz % 1 < 0.5), (10, 1)).astype(np.uint8) for at in times], times


def rises(levels: Sequence[float], least: float) -> int:
    """How often the level comes from below a quarter of `least` to `least`."""
    states = [level >= least for level in levels if level >= least or level < least / 4]
    return sum(after and not before for before, after in pairwise([False, *states]))


@COLOURS
@pytest.mark.parametrize("hz", [4.0, 7.3, 10.0, 30.0])
def test_a_strobe_is_held_to_three_flashes_a_second(colour: Colours, hz: float) -> None:
    frames, times = strobe(colour, hz, 5)

    shown = limited(frames, times)

    assert flashes(shown, times) <= 3
    peaks = [float(frame.max()) for frame in shown]
    assert rises(peaks[:60], 255) == 3, "as many as there may be"
    assert rises(peaks, 255) <= 16


@COLOURS
@pytest.mark.parametrize("hz", [2.9, 3.0])
def test_three_flashes_a_second_pass_unchanged(colour: Colours, hz: float) -> None:
    frames, times = strobe(colour, hz, 5)

    for frame, shown in zip(frames, limited(frames, times), strict=True):
        np.testing.assert_array_equal(shown, frame)


def test_hues_that_differ_in_luminance_flash_when_they_alternate() -> None:
    times = ticks(5)
    frames = encoded([np.tile(GREEN if index // 5 % 2 else BLUE, (10, 1)) for index in range(300)])

    assert flashes(frames, times) > 3
    assert flashes(limited(frames, times), times) <= 3


def test_notes_of_the_palette_may_change_as_often_as_they_like() -> None:
    times = ticks(5)
    melody = np.random.default_rng(5).integers(0, 128, 75)
    colours = [note_colour(MidiNote(int(note)), 1.0, "chromatic") for note in melody.repeat(4)]
    frames = encoded([np.tile(colour, (10, 1)) for colour in colours])

    assert flashes(frames, times) <= 1
    for frame, shown in zip(frames, limited(frames, times), strict=True):
        np.testing.assert_array_equal(shown, frame)


@pytest.mark.parametrize("asked", [3.0, 30.0, 1e9])
def test_the_limit_cannot_be_switched_off(asked: float) -> None:
    frames, times = strobe(WHITE, 10, 4)

    assert flashes(limited(frames, times, asked), times) == 3


@pytest.mark.parametrize(("asked", "most"), [(2.0, 2), (1.0, 1), (0.5, 1), (0.0, 1)])
def test_fewer_flashes_may_be_asked_for(asked: float, most: int) -> None:
    frames, times = strobe(WHITE, 10, 4)

    assert flashes(limited(frames, times, asked), times) == most


Adversary = Callable[[np.random.Generator, int], NDArray[np.float32]]


def _halves(_: np.random.Generator, index: int) -> Colours:
    return np.repeat(np.array([[index // 3 % 2] * 3, [1 - index // 3 % 2] * 3], np.float32), 8, axis=0)


def _twinkle(rng: np.random.Generator, _: int) -> Colours:
    return np.repeat((rng.random((16, 1)) < 0.5).astype(np.float32), 3, axis=1)


def _noise(rng: np.random.Generator, _: int) -> Colours:
    return rng.random((16, 3), np.float32)


def _whole_noise(rng: np.random.Generator, _: int) -> Colours:
    return np.tile(rng.random((1, 3), np.float32), (16, 1))


def _reds(rng: np.random.Generator, _: int) -> Colours:
    return np.tile(np.array([rng.random(), 0, 0] if rng.random() < 0.5 else [0.5, 0.4, 0.4], np.float32), (16, 1))


def _runs(rng: np.random.Generator, index: int) -> Colours:
    return np.tile(np.float32(rng.random() if index % rng.integers(1, 7) == 0 else 0), (16, 3)) * np.float32(1)


def _primaries(rng: np.random.Generator, _: int) -> Colours:
    return rng.integers(0, 2, (16, 3)).astype(np.float32)


ADVERSARIES: list[Adversary] = [_halves, _twinkle, _noise, _whole_noise, _reds, _runs, _primaries]


@pytest.mark.parametrize(
    ("count", "gamma"),
    [(2_000, GAMMA), *(pytest.param(10_000, gamma, marks=pytest.mark.slow) for gamma in (1.0, GAMMA))],
)
@pytest.mark.parametrize("adversary", ADVERSARIES, ids=lambda one: one.__name__)
def test_thousands_of_frames_of_an_adversary_hold_no_flash_too_many(
    adversary: Adversary, count: int, gamma: float
) -> None:
    rng = np.random.default_rng(1)
    times = ticks(count / 60)
    frames = encoded([adversary(rng, index) for index in range(len(times))], gamma)

    assert flashes(frames[:600], times[:600], gamma) > 3, "else it is no adversary"
    assert flashes(limited(frames, times, gamma=gamma), times, gamma) <= 3


def test_strips_that_take_turns_are_seen_together() -> None:
    limiter, times = FlashLimiter(), ticks(20)
    alone, both = [], []
    for at in times:
        frames = [np.full((10, 3), 255 * ((at * 2.5 + strip / 2) % 1 < 0.5), np.uint8) for strip in (0, 1)]
        shown = [limiter.limit(frame, LocalSeconds(at), str(strip)) for strip, frame in enumerate(frames)]
        alone.append(frames[0])
        both.append(np.concatenate(shown))

    assert flashes(alone, times) <= 3, "each by itself is harmless"
    assert flashes(both, times) <= 3


def test_strips_of_different_length_and_pace_are_seen_together() -> None:
    rng, limiter = np.random.default_rng(2), FlashLimiter()
    newest = {"a": np.zeros((7, 3), np.uint8), "b": np.zeros((30, 3), np.uint8), "c": np.zeros((3, 3), np.uint8)}
    frames, times = [], []
    for index, tick in enumerate(ticks(40)):
        for step, (name, before) in enumerate(list(newest.items())):
            if index % (step + 1) == 0:
                at = LocalSeconds(tick + step * 1e-3)
                picture = np.tile(255 * rng.integers(0, 2, (1, 3)), (len(before), 1)).astype(np.uint8)
                newest[name] = limiter.limit(picture, at, name)
                frames.append(np.concatenate(list(newest.values())))
                times.append(at)

    assert flashes(frames, times) <= 3


def test_a_strip_that_was_given_back_is_dark_to_the_others() -> None:
    limiter = FlashLimiter()
    frame = np.full((10, 3), 255, np.uint8)
    for index in range(3):
        limiter.limit(frame, LocalSeconds(0.1 * index), "gone")
        limiter.darken("gone", LocalSeconds(0.1 * index + 0.05))
    limiter.darken("never seen", LocalSeconds(0.4))

    assert limiter.limit(frame, LocalSeconds(0.4), "here").max() < 128, "three flashes were seen already"
    np.testing.assert_array_equal(limiter.limit(frame, LocalSeconds(1.6), "here"), frame)


colours = st.lists(st.integers(0, 255), min_size=3, max_size=3)
frames_of_two = st.lists(st.tuples(colours, colours, st.floats(0.01, 0.4)), min_size=2, max_size=120)


@given(frames_of_two)
def test_no_input_makes_more_than_three_flashes_in_a_second(
    inputs: list[tuple[list[int], list[int], float]],
) -> None:
    frames = [np.array([left, right], np.uint8) for left, right, _ in inputs]
    times = np.cumsum([pause_s for *_, pause_s in inputs]).tolist()

    shown = limited(frames, times)

    assert flashes(shown, times) <= 3
    for before, after in zip(frames, shown, strict=True):
        assert (after <= before).all()
        scale = after.max() / max(1, before.max())
        np.testing.assert_allclose(after, before * scale, atol=1.01, err_msg="hues and proportions are kept")


@given(st.lists(st.floats(0.06, 1), min_size=8, max_size=8))
def test_slow_fades_pass_unchanged(peaks: list[float]) -> None:
    corners = [level for peak in peaks for level in (0.0, peak)]
    levels = np.concatenate([np.linspace(low, high, 13) for low, high in pairwise(corners)])
    frames = encoded([np.full((5, 3), level, np.float32) for level in levels])
    times = [index / 60 for index in range(len(frames))]

    shown = limited(frames, times)

    for frame, after in zip(frames, shown, strict=True):  # a rise and a fall in 26 frames: 2.3 a second
        np.testing.assert_array_equal(after, frame)


def test_a_held_light_comes_when_the_second_is_over() -> None:
    frames, times = strobe(WHITE, 10, 0.4)
    frames += [np.full((10, 3), 255, np.uint8)] * 60
    times += [times[-1] + FRAME_S * (index + 1) for index in range(60)]

    shown = limited(frames, times)

    assert shown[40].max() < 128
    np.testing.assert_array_equal(shown[-1], frames[-1])
