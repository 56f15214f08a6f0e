import numpy as np
import pytest

from jambridge.light import patterns
from jambridge.light.patterns import LASTS_S, PATTERNS, PatternName


@pytest.mark.parametrize("name", list(PATTERNS))
@pytest.mark.parametrize("pixels", [1, 2, 300, 16_384])
def test_a_pattern_fills_every_strip_until_its_end(name: PatternName, pixels: int) -> None:
    for elapsed_s in np.linspace(0, LASTS_S[name], 50, endpoint=False):
        colours = PATTERNS[name](float(elapsed_s), pixels)
        assert colours is not None and colours.shape == (pixels, 3) and colours.dtype == np.float32
        assert colours.min() >= 0 and colours.max() <= 1
    assert PATTERNS[name](LASTS_S[name], pixels) is None


def test_the_ends_of_a_strip_are_told_apart() -> None:
    colours = patterns.identify(1.0, 10)

    assert colours is not None and colours[[0, -1]].tolist() == [[0, 1, 0], [1, 0, 0]]


def test_every_channel_and_then_every_pixel_is_lit() -> None:
    shown = [patterns.test(elapsed_s, 8) for elapsed_s in np.arange(0.5, patterns.TEST_S, 0.5)]
    solid = [colours[0].tolist() for colours in shown if colours is not None and (colours == colours[0]).all()]
    running = [int(colours[:, 0].argmax()) for colours in shown if colours is not None and colours.sum() == 3]

    assert solid[::2] == [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]]
    assert running == [0, 1, 2, 3, 4, 5, 6, 7]
