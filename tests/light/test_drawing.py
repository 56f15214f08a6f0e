import re

from jambridge.light import drawing

CELL = re.compile(r"\x1b\[38;2;(\d+);(\d+);(\d+);48;2;(\d+);(\d+);(\d+)m▌")


def cells(line: str) -> list[tuple[int, ...]]:
    return [tuple(map(int, cell)) for cell in CELL.findall(line)]


def test_two_pixels_are_one_character() -> None:
    assert cells(drawing.line(bytes([255, 0, 0, 0, 0, 255]), 3, 80, linear=False)) == [(255, 0, 0, 0, 0, 255)]


def test_a_long_strip_fits_the_terminal() -> None:
    assert len(cells(drawing.line(bytes(900), 3, 40, linear=True))) == 40


def test_light_is_shown_as_an_eye_sees_it() -> None:
    ((red, *_),) = cells(drawing.line(bytes([55, 0, 0]), 3, 80, linear=True))

    assert abs(red - 127) < 3


def test_white_leds_brighten_all() -> None:
    assert cells(drawing.line(bytes([10, 0, 0, 250]), 4, 80, linear=False)) == [(255, 250, 250, 0, 0, 0)]
