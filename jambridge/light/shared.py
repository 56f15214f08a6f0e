"""The host's colours as others are told of them, over the `sync` data channels or through the room. Pure.

Source: the project's wire contract: `{type: "led", sequence, rgb: base64}` and `led-update {colors: [{r, g, b}],
sequence}`, at most 128 colours; the older documents' has no `sequence`. We add `at`, the moment of room time that they
are of, in milliseconds. Colours are as the eye counts them, not as an LED takes them.
"""

import base64
import binascii
import json
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jambridge import strict_json
from jambridge.errors import WireError
from jambridge.light.colour import Colours
from jambridge.strict_json import JsonObject

MOST = 128
PIXELS = 128
MAX_BYTES = 1024
_HIGHEST = 2**53 - 1

Rgb = bytes
"""Three bytes a colour."""


@dataclass(frozen=True, slots=True)
class Led:
    """What a host says; `at_s` of room time."""

    colours: Rgb
    sequence: int | None
    """Rises from picture to picture; None: in the order in which they come."""
    at_s: float | None = None


def rgb(colours: Colours) -> Rgb:
    return bytes(np.rint(np.clip(colours, 0, 1) * np.float32(255)).astype(np.uint8).data)


def stretched(colours: Rgb, pixels: int) -> Colours:
    """Shape (pixels, 3), 0..1; `colours` are at least one."""
    known: NDArray[np.uint8] = np.frombuffer(colours, np.uint8).reshape(-1, 3)
    return known[np.arange(pixels) * len(known) // pixels].astype(np.float32) / np.float32(255)


def encode_text(led: Led) -> str:
    """For a data channel."""
    message = {"type": "led", "sequence": led.sequence, "rgb": as_text(led.colours), **_moment(led)}
    return json.dumps(message, separators=(",", ":"))


def decode_text(text: str) -> Led | None:
    """None for another type.

    Raises:
        WireError: it is malformed.
    """
    message = strict_json.loads_object(text, MAX_BYTES)
    if message.get("type") != "led":
        return None
    return Led(from_text(message.get("rgb")), _sequence(message), _at_s(message))


def payload(led: Led) -> JsonObject:
    """For the room."""
    triples = zip(*[iter(led.colours)] * 3, strict=True)
    colours = [{"r": red, "g": green, "b": blue} for red, green, blue in triples]
    return {"colors": colours, "sequence": led.sequence, **_moment(led)}


def parse_payload(said: JsonObject) -> Led:
    """Raises WireError for what is no `led-update`."""
    colours = said.get("colors")
    if not isinstance(colours, list) or not 1 <= len(colours) <= MOST:
        raise WireError(f"an led-update has 1 to {MOST} colours")
    return Led(b"".join(_triple(colour) for colour in colours), _sequence(said), _at_s(said))


def as_text(colours: Rgb) -> str:
    return base64.b64encode(colours).decode()


def from_text(text: object) -> Rgb:
    """Raises WireError for what is not 1 to MOST colours in base64."""
    if not isinstance(text, str) or len(text) > MOST * 4:
        raise WireError("colours are a text")
    try:
        colours = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise WireError("colours are base64") from exc
    if not colours or len(colours) % 3 or len(colours) > 3 * MOST:
        raise WireError(f"colours are 1 to {MOST}, three bytes each")
    return colours


def _triple(colour: object) -> bytes:
    match colour:
        case {"r": int() as red, "g": int() as green, "b": int() as blue}:
            if all(type(level) is int and 0 <= level <= 255 for level in (red, green, blue)):  # noqa: PLR2004  a byte
                return bytes((red, green, blue))
    raise WireError("a colour is r, g and b from 0 to 255")


def _moment(led: Led) -> JsonObject:
    return {} if led.at_s is None else {"at": round(1000 * led.at_s, 1)}


def _at_s(message: JsonObject) -> float | None:
    at_ms = message.get("at")
    if at_ms is None:
        return None
    if type(at_ms) not in (int, float) or not math.isfinite(at_ms) or abs(at_ms) > _HIGHEST:
        raise WireError("a moment is a number of milliseconds")
    return float(at_ms) / 1000


def _sequence(message: JsonObject) -> int | None:
    number = message.get("sequence")
    if number is None or (type(number) is int and 0 <= number <= _HIGHEST):
        return number
    raise WireError("a sequence is a number")
