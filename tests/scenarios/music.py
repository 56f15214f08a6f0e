"""The fixtures as a musician's microphone: pieces one after another, with silence between, in one WAV file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

MUSIC = Path(__file__).parents[1] / "fixtures" / "music"
PIECES = ("chord_piano", "bach_guitar", "mono_violin")
RATE_HZ = 48_000
GAP_S = 1.6
_THRESHOLD = 0.01  # as in microphone.js
_QUIET_S = 1.0


@dataclass(frozen=True, slots=True)
class Programme:
    """A WAV file; `attacks_s` are its attacks after a second of silence, `starts_s` where each piece begins."""

    path: Path
    names: tuple[str, ...]
    starts_s: tuple[float, ...]
    lengths_s: tuple[float, ...]
    attacks_s: tuple[float, ...]


def truth(name: str) -> Path:
    return MUSIC / f"{name}.json"


def load(name: str) -> NDArray[np.float32]:
    """Shape (frames,), at 48 kHz."""
    samples, rate_hz = soundfile.read(MUSIC / f"{name}.flac", dtype="float32")
    assert rate_hz == RATE_HZ
    sound: NDArray[np.float32] = samples
    return sound


def programme(path: Path, names: Sequence[str], lead_s: float) -> Programme:
    """Write `path`: `lead_s` of silence, then each piece with GAP_S of silence behind it."""
    parts, starts_s, lengths_s = [_silence(lead_s)], [], []
    for name in names:
        piece = load(name)
        starts_s.append(sum(map(len, parts)) / RATE_HZ)
        lengths_s.append(len(piece) / RATE_HZ)
        parts += [piece, _silence(GAP_S)]
    sound = np.concatenate(parts)
    soundfile.write(path, np.stack([sound, sound], axis=1), RATE_HZ, subtype="PCM_16")
    return Programme(path, tuple(names), tuple(starts_s), tuple(lengths_s), tuple(attacks(sound)))


def attacks(sound: NDArray[np.float32]) -> list[float]:
    """When, in seconds, `sound` is heard again after a second of silence."""
    loud = np.flatnonzero(np.abs(sound) >= _THRESHOLD)
    quiet = np.diff(loud, prepend=-RATE_HZ * _QUIET_S - 1) > RATE_HZ * _QUIET_S
    return [float(frame) / RATE_HZ for frame in loud[quiet]]


def _silence(length_s: float) -> NDArray[np.float32]:
    return np.zeros(round(length_s * RATE_HZ), np.float32)
