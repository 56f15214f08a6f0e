"""What the limiter lets through is counted here anew, by an observer that knows nothing of how it works."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jambridge.light.colour import GAMMA, Colours
from jambridge.light.safety import FlashLimiter
from jambridge.units import LocalSeconds

FRAME_S = 1 / 60
RED, GREEN, BLUE, WHITE = (np.array(colour, np.float32) for colour in ([1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]))


def luminance(frame: Colours) -> float:
    linear = frame.astype(np.float64) ** GAMMA
    return float((linear * [0.2126, 0.7152, 0.0722]).sum(axis=1).mean())


def brightest(frame: Colours) -> float:
    return float((frame.astype(np.float64) ** GAMMA).max(axis=1).mean())


def rises(levels: list[float]) -> list[int]:
    """Frames at which the level has risen a tenth above a trough that was a tenth below the peak before it."""
    found, low, high, up = [], 0.0, 0.0, False
    for index, level in enumerate(levels):
        low, high = min(low, level), max(high, level)
        if not up and level - low >= 0.1:
            found.append(index)
            up, high = True, level
        elif up and high - level >= 0.1:
            up, low = False, level
    return found


def most_in_a_second(frames: list[Colours], times: list[float]) -> int:
    most = 0
    for measure in (luminance, brightest):
        moments = [times[index] for index in rises([measure(frame) for frame in frames])]
        most = max(most, *(sum(0 <= other - first < 0.999 for other in moments) for first in moments), 0)
    return most


def limited(frames: list[Colours], times: list[float], rate: float = 3.0) -> list[Colours]:
    limiter = FlashLimiter(rate)
    return [limiter.limit(frame, LocalSeconds(at)) for frame, at in zip(frames, times, strict=True)]


def strobe(colour: Colours, hz: float, seconds: float) -> tuple[list[Colours], list[float]]:
    times = [index * FRAME_S for index in range(int(seconds * 60))]
    return [np.tile(colour * (at * hz % 1 < 0.5), (10, 1)).astype(np.float32) for at in times], times


@pytest.mark.parametrize("colour", [RED, GREEN, BLUE, WHITE], ids=["red", "green", "blue", "white"])
@pytest.mark.parametrize("hz", [4.0, 7.3, 10.0, 30.0])
def test_a_strobe_is_held_to_three_flashes_a_second(colour: Colours, hz: float) -> None:
    frames, times = strobe(colour, hz, 5)

    shown = limited(frames, times)

    assert most_in_a_second(shown, times) == 3


@pytest.mark.parametrize("colour", [RED, GREEN, BLUE, WHITE], ids=["red", "green", "blue", "white"])
def test_three_flashes_a_second_pass_unchanged(colour: Colours) -> None:
    frames, times = strobe(colour, 2.9, 5)

    for frame, shown in zip(frames, limited(frames, times), strict=True):
        np.testing.assert_array_equal(shown, frame)


def test_alternating_hues_of_one_brightness_are_flashes_too() -> None:
    times = [index * FRAME_S for index in range(300)]
    frames = [np.tile(GREEN if index // 5 % 2 else BLUE, (10, 1)) for index in range(300)]

    assert most_in_a_second(frames, times) > 3
    assert most_in_a_second(limited(frames, times), times) <= 3


@pytest.mark.parametrize("asked", [3.0, 30.0, 1e9])
def test_the_limit_cannot_be_switched_off(asked: float) -> None:
    frames, times = strobe(WHITE, 10, 4)

    assert most_in_a_second(limited(frames, times, asked), times) == 3


@pytest.mark.parametrize(("asked", "most"), [(2.0, 2), (1.0, 1), (0.5, 1), (0.0, 1)])
def test_fewer_flashes_may_be_asked_for(asked: float, most: int) -> None:
    frames, times = strobe(WHITE, 10, 4)

    assert most_in_a_second(limited(frames, times, asked), times) == most


colours = st.lists(st.floats(0, 1, width=32), min_size=3, max_size=3)
frames_of_two = st.lists(st.tuples(colours, colours, st.floats(0.01, 0.4)), min_size=2, max_size=120)


@given(frames_of_two)
def test_no_input_makes_more_than_three_flashes_in_a_second(
    inputs: list[tuple[list[float], list[float], float]],
) -> None:
    frames = [np.array([left, right], np.float32) for left, right, _ in inputs]
    times = np.cumsum([pause_s for *_, pause_s in inputs]).tolist()

    shown = limited(frames, times)

    assert most_in_a_second(shown, times) <= 3
    for before, after in zip(frames, shown, strict=True):
        np.testing.assert_allclose(after, before * _scale(before, after), atol=1e-5)


def _scale(before: Colours, after: Colours) -> float:
    """Of the whole frame: hues and proportions are kept, nothing gets brighter."""
    scale = float(after.max() / before.max()) if before.max() > 0 else 1.0
    assert scale <= 1.0 + 1e-6
    return scale


@given(st.lists(st.floats(0.06, 1), min_size=8, max_size=8))
def test_slow_fades_pass_unchanged(peaks: list[float]) -> None:
    corners = [level for peak in peaks for level in (0.0, peak)]
    levels = np.concatenate([np.linspace(low, high, 13) for low, high in pairwise(corners)])
    frames = [np.full((5, 3), level, np.float32) for level in levels]
    times = [index / 60 for index in range(len(frames))]

    shown = limited(frames, times)

    for frame, after in zip(frames, shown, strict=True):  # a rise and a fall in 26 frames: 2.3 a second
        np.testing.assert_array_equal(after, frame)


def test_a_held_light_comes_when_the_second_is_over() -> None:
    frames, times = strobe(WHITE, 10, 0.4)
    frames += [np.ones((10, 3), np.float32)] * 60
    times += [times[-1] + FRAME_S * (index + 1) for index in range(60)]

    shown = limited(frames, times)

    assert shown[40].max() < 0.5
    np.testing.assert_array_equal(shown[-1], frames[-1])
