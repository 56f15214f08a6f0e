"""Drums of Hydrogen's drum kits, most of them recorded: single strokes, placed where a beat has them."""

import functools
import random
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import soundfile
import soxr
from pieces import LENGTH_S, Notes
from rendering import RATE_HZ, Sound

HYDROGEN = "hydrogen"
_KITS = Path("/usr/share/hydrogen/data/drumkits")
_LONGEST_S = 3.0


def play(rng: random.Random, notes: Notes) -> Sound:
    """A beat on a random kit, shape (frames,). Every drum of the beat is any instrument of the kit: there is no map."""
    instruments = _instruments(rng.choice(_kits()))
    drums = {midi: rng.choice(instruments) for midi in dict.fromkeys(midi for _, _, midi, _, _ in notes)}
    sound = np.zeros(round((LENGTH_S + _LONGEST_S) * RATE_HZ), np.float32)
    for on, _, midi, velocity, _ in notes:
        layers = drums[midi]
        stroke = _stroke(layers[min(len(layers) - 1, velocity * len(layers) // 128)])
        first = round(on * RATE_HZ)
        sound[first : first + len(stroke)] += stroke * np.float32((velocity / 127) ** 1.5)
    return sound[: round(LENGTH_S * RATE_HZ)]


@functools.cache
def _kits() -> list[Path]:
    return [kit for kit in sorted(_KITS.iterdir()) if (kit / "drumkit.xml").exists() and _instruments(kit)]


@functools.cache
def _instruments(kit: Path) -> list[tuple[Path, ...]]:
    """Of each instrument its samples, from the softest to the loudest."""
    found = []
    for instrument in ET.parse(kit / "drumkit.xml").iter():
        if instrument.tag.rpartition("}")[2] == "instrument":
            names = [e.text for e in instrument.iter() if e.tag.rpartition("}")[2] == "filename" and e.text]
            paths = tuple(kit / name for name in names if (kit / name).exists())
            if paths:
                found.append(paths)
    return found


@functools.lru_cache(256)
def _stroke(path: Path) -> Sound:
    """From where it begins, its loudest sample 0.7."""
    sound, rate_hz = soundfile.read(path, dtype="float32", always_2d=True, frames=round(2 * _LONGEST_S * 48_000))
    mono = soxr.resample(sound.mean(axis=1), rate_hz, RATE_HZ).astype(np.float32)[: round(_LONGEST_S * RATE_HZ)]
    peak = float(np.abs(mono).max(initial=0))
    if peak < 1e-4:
        return np.zeros(1, np.float32)
    stroke: Sound = mono[int(np.argmax(np.abs(mono) > 0.02 * peak)) :] * np.float32(0.7 / peak)
    return stroke
