"""Sound files of any kind as blocks at 48 kHz, streamed: an hour takes no more memory than a second."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import av
import av.container
import numpy as np
from numpy.typing import NDArray

from jambridge.errors import UnavailableError
from jambridge.units import SAMPLE_RATE_HZ

Block = NDArray[np.float32]


def open_sound(path: Path) -> Iterator[Block]:
    """The sound as blocks of shape (frames, channels), float32, -1..1 at 48 kHz, of varying length.

    WAV, FLAC, Ogg, Opus, MP3 and whatever else FFmpeg reads, with the file's own channels.

    Raises:
        UnavailableError: the file is missing, cannot be read or holds no sound; from the iterator, that the rest of it
            is damaged. WAV, Ogg and MP3 that were cut off just end sooner.
    """
    try:
        file = path.open("rb")  # and not the name to FFmpeg, which would take an address or a list of files
    except OSError as exc:
        raise UnavailableError(f"Cannot open {path}: {exc.strerror}") from exc
    try:
        container = av.open(file, "r")
    except (av.FFmpegError, OSError) as exc:
        file.close()
        raise UnavailableError(f"{path} is not a sound file") from exc
    if not container.streams.audio:
        container.close()
        file.close()
        raise UnavailableError(f"There is no sound in {path}")
    return _blocks(path, file, container)


def _blocks(path: Path, file: BinaryIO, container: av.container.InputContainer) -> Iterator[Block]:
    told = 0
    with file, container:
        try:
            for block in _resampled(container):
                told += len(block)
                yield block
        except (av.FFmpegError, ValueError) as exc:  # ValueError: the number of channels changes on the way
            raise UnavailableError(f"{path} is damaged after {told / SAMPLE_RATE_HZ:.1f} s") from exc


def _resampled(container: av.container.InputContainer) -> Iterator[Block]:
    resampler = av.AudioResampler(format="flt", rate=SAMPLE_RATE_HZ)  # planar, PyAV 18.1 crashes from 8 channels on
    for frame in container.decode(container.streams.audio[0]):
        frame.pts = None  # gaps between frames are not filled
        for block in resampler.resample(frame):
            yield _samples(block)
    for block in resampler.resample(None):
        yield _samples(block)


def _samples(frame: av.AudioFrame) -> Block:
    return frame.to_ndarray().reshape(frame.samples, -1).astype(np.float32, copy=False)
