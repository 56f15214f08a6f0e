"""`jambridge leds calibrate`: how far a strip's light is behind the sound, from a recording of both."""

from dataclasses import asdict
from pathlib import Path
from typing import Literal

import numpy as np

from jambridge.audio.file import open_sound
from jambridge.config import LightConfig
from jambridge.errors import UnavailableError
from jambridge.light import calibration, film
from jambridge.light.calibration import Lag
from jambridge.strict_json import JsonObject
from jambridge.units import SAMPLE_RATE_HZ

MOST_S = film.MOST_S
OFFSET_MS = 500.0  # as much as the configuration takes
Side = Literal["left", "right"]


def measure(recording: Path, light: Side, section: LightConfig, name: str | None) -> JsonObject:
    """What it shows, and the `offset_ms` that follows from it.

    Args:
        recording: a film, or sound of two channels: a microphone and a photodiode.
        light: the photodiode's channel.
        section: has the offset in force.
        name: of the controller.

    Raises:
        UnavailableError: it cannot be read, or shows nothing; in words.
    """
    found, unsure_s = _of_film(recording) if film.is_film(recording) else (_of_channels(recording, light), 0.0)
    named = (one.offset_ms for one in section.controllers if name and name in (one.name, one.mac, one.host))
    offset_ms = next(named, 0.0)
    return {
        **{key: round(1000 * value, 1) for key, value in (("lag_ms", found.lag_s), ("spread_ms", found.spread_s))},
        "unsure_ms": round(1000 * unsure_s, 1),
        **{key: value for key, value in asdict(found).items() if not key.endswith("_s")},
        "offset_ms": round(min(max(offset_ms - 1000 * found.lag_s, -OFFSET_MS), OFFSET_MS)),
    }


def as_text(found: JsonObject, name: str | None) -> str:
    lag_ms, unsure_ms = found["lag_ms"], found["unsure_ms"]
    way = "behind" if lag_ms >= 0 else "before"
    unsure = f"; pictures tell it to ± {unsure_ms} ms" if unsure_ms else ""
    return (
        f"The light comes {abs(lag_ms)} ms {way} the sound: {found['pairs']} of {found['sounds']} attacks flash, "
        f"half of them within {found['spread_ms']} ms{unsure}.\n"
        f"To bring them together: light.controllers: [{{name: {name or '…'}, offset_ms: {found['offset_ms']}}}]\n"
        "No light comes sooner than it can: others wait for a strip with a negative offset."
    )


def _of_channels(recording: Path, light: Side) -> Lag:
    blocks, frames = [], 0
    for block in open_sound(recording):
        blocks.append(block)
        frames += len(block)
        if frames > MOST_S * SAMPLE_RATE_HZ:
            break
    samples = np.concatenate(blocks) if blocks else np.empty((0, 2), np.float32)
    if samples.shape[1] != 2:  # noqa: PLR2004
        count = samples.shape[1]
        raise UnavailableError(f"Channels in {recording}: {count}. A microphone and a photodiode are two; or film it")
    side = int(light == "right")
    sound, seen = calibration.loudness(samples[:, 1 - side]), calibration.brightness(samples[:, side])
    return calibration.lag(calibration.attacks(sound), calibration.attacks(seen))


def _of_film(recording: Path) -> tuple[Lag, float]:
    """And how far it may be off: it is not known how long a picture was exposed."""
    seen = film.read(recording)
    unsure_s = seen.frame_s / 4
    sound = calibration.attacks(calibration.loudness(seen.sound, seen.start_s))
    return calibration.lag(sound, calibration.attacks(seen.brightness), 2 * unsure_s), unsure_s
