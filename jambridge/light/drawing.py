"""A strip as a line of a terminal, two pixels a character. Pure."""

from jambridge.light.colour import GAMMA

_HALF = "▌"  # its left half has the foreground's colour, its right half the background's
_RESET = "\x1b[0m"
_FOR_THE_EYE = bytes(round(255 * (level / 255) ** (1 / GAMMA)) for level in range(256))


def line(pixels: bytes, channels: int, columns: int, *, linear: bool) -> str:
    """`pixels`, 3 or 4 bytes each, resampled to at most `columns` characters, in 24-bit colour.

    `linear`: the bytes are light, as an LED takes them, and a screen is to look like it.
    """
    count = len(pixels) // channels
    shown = min(count, 2 * columns)
    colours = [_rgb(pixels, channels, place * count // shown, linear) for place in range(shown)]
    if len(colours) % 2:
        colours.append((0, 0, 0))
    halves = (_pair(left, right) for left, right in zip(colours[::2], colours[1::2], strict=True))
    return "".join(halves) + _RESET


def _rgb(pixels: bytes, channels: int, index: int, linear: bool) -> tuple[int, int, int]:
    red, green, blue, *white = pixels[index * channels : (index + 1) * channels]
    both = bytes(min(255, value + sum(white)) for value in (red, green, blue))
    seen = both.translate(_FOR_THE_EYE) if linear else both
    return seen[0], seen[1], seen[2]


def _pair(left: tuple[int, int, int], right: tuple[int, int, int]) -> str:
    return f"\x1b[38;2;{left[0]};{left[1]};{left[2]};48;2;{right[0]};{right[1]};{right[2]}m{_HALF}"
