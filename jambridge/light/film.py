"""A film as a phone takes it: its sound, and how bright it is where it changes most."""

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import av
import av.container
import numpy as np
from numpy.typing import NDArray

from jambridge.errors import UnavailableError
from jambridge.light.calibration import Seconds, Track
from jambridge.units import SAMPLE_RATE_HZ

MOST_S = 300.0
"""The rest is not looked at."""
FEWEST_FRAMES = 30
_COLUMNS, _ROWS = 32, 18
_STRIP = 0.5  # of the liveliest cell's deviation: cells above are the strip's, or lit by it


@dataclass(frozen=True, slots=True)
class Film:
    """`sound`, shape (frames,), at 48 kHz, begins at `start_s` of the time of `brightness`."""

    sound: NDArray[np.float32]
    start_s: float
    brightness: Track
    frame_s: float


def is_film(path: Path) -> bool:
    """Whether there are moving pictures in it; not so what cannot be read."""
    try:
        with path.open("rb") as file, av.open(file, "r") as container:
            return any(not _is_cover(stream) for stream in container.streams.video)
    except (av.FFmpegError, OSError):
        return False


def read(path: Path) -> Film:
    """Raises UnavailableError for what is no film with sound."""
    try:
        with path.open("rb") as file:
            sound, start_s = _sound(file)
            file.seek(0)
            times_s, cells = _cells(file)
    except OSError as exc:
        raise UnavailableError(f"Cannot read {path}: {exc.strerror or exc}") from exc
    if not len(sound):
        raise UnavailableError(f"There is no sound in {path}: film with the microphone on")
    if len(times_s) < FEWEST_FRAMES:
        raise UnavailableError(f"There are only {len(times_s)} pictures in {path}")
    deviations = cells.std(axis=0)
    strip = cells[:, deviations >= _STRIP * deviations.max()].mean(axis=1, dtype=np.float64)
    frame_s = float(np.median(np.diff(times_s)))
    # Light that comes on within a frame is half seen, if it is exposed all the time, or in the next, if for a moment:
    # the middle of the two is half a frame's half off at most.
    return Film(sound, start_s, Track(times_s + frame_s / 4, strip, 2 * frame_s), frame_s)


def _sound(file: BinaryIO) -> tuple[NDArray[np.float32], float]:
    with _opened(file) as container:
        if not container.streams.audio:
            return np.empty(0, np.float32), 0.0
        resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE_HZ)
        blocks: list[NDArray[np.float32]] = []
        start_s: float | None = None
        for frame in container.decode(container.streams.audio[0]):
            if frame.time is not None and frame.time > MOST_S:
                break
            start_s = frame.time if start_s is None else start_s
            frame.pts = None
            blocks += [block.to_ndarray().reshape(-1).astype(np.float32) for block in resampler.resample(frame)]
        return np.concatenate([np.empty(0, np.float32), *blocks]), start_s or 0.0


def _cells(file: BinaryIO) -> tuple[Seconds, NDArray[np.uint8]]:
    """When each picture was taken, and the brightest channel of each of its cells, shape (pictures, cells)."""
    with _opened(file) as container:
        times_s: list[float] = []
        pictures: list[NDArray[np.uint8]] = []
        for frame in container.decode(container.streams.video[0]):
            if frame.time is None or (times_s and frame.time <= times_s[-1]):
                continue
            if frame.time > MOST_S:
                break
            small = frame.reformat(width=_COLUMNS, height=_ROWS, format="rgb24", interpolation="AREA").to_ndarray()
            times_s.append(frame.time)
            pictures.append(small.max(axis=2).reshape(-1))
        return np.array(times_s), np.array(pictures, np.uint8).reshape(len(pictures), -1)


def _opened(file: BinaryIO) -> av.container.InputContainer:
    return av.open(file, "r")


def _is_cover(stream: av.VideoStream) -> bool:
    """A picture of the album that a sound file carries."""
    return bool(stream.disposition & av.stream.Disposition.attached_pic)
