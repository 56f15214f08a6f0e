import base64

import numpy as np

from jambridge.light import preview


def colours(text: str) -> list[list[int]]:
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(-1, 3).tolist()


def test_a_short_strip_is_shown_pixel_by_pixel() -> None:
    frame = np.array([[255, 0, 0], [0, 255, 0], [1, 2, 3]], np.uint8)

    assert colours(preview.of(frame, 1.0)) == frame.tolist()


def test_a_long_one_by_the_mean_of_what_lies_together() -> None:
    frame = np.zeros((3 * preview.MOST_PIXELS, 3), np.uint8)
    frame[3] = 240

    shown = colours(preview.of(frame, 1.0))

    assert len(shown) == preview.MOST_PIXELS
    assert shown[:3] == [[0, 0, 0], [80, 80, 80], [0, 0, 0]]


def test_gamma_for_the_strip_is_none_for_the_screen() -> None:
    frame = np.full((1, 3), round(255 * 0.5**2.2), np.uint8)

    assert colours(preview.of(frame, 2.2)) == [[127, 127, 127]] or colours(preview.of(frame, 2.2)) == [[128] * 3]


def test_white_leds_lighten_every_colour() -> None:
    assert colours(preview.of(np.array([[100, 0, 0, 200]], np.uint8), 1.0)) == [[255, 200, 200]]


def test_what_is_not_driven_shows_nothing() -> None:
    assert preview.of(None, 1.0) == ""
