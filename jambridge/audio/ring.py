"""Rings of samples in shared memory: one writer process, one reader process, no locks.

The memory is an anonymous file (memfd) whose descriptor the reader inherits, so nothing is left behind by a
crash. A position counts frames since the slot was opened and never wraps. The writer tells a position only through
the wake-up pipe, after the samples are in place: that system call is the memory barrier which a Pi's cores need.
"""

import mmap
import os
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jambridge.audio.source import Source
from jambridge.units import Frames, LocalSeconds

Mono = NDArray[np.float32]

_WAKE = struct.Struct("=IIQd")
_WAKES_READ = 256  # at once; the rest is read at the next wake-up


@dataclass(frozen=True, slots=True)
class Wake:
    """Slot `slot`, opened for the `generation`th time, holds `written` frames; the last arrived at `arrived_at`."""

    slot: int
    generation: int
    written: Frames
    arrived_at: LocalSeconds


class Rings:
    """`slots` mono rings of `capacity` frames each, mapped from one descriptor."""

    def __init__(self, fd: int, slots: int, capacity: int) -> None:
        self.fd = fd
        self.slots = slots
        self.capacity = capacity
        self._map = mmap.mmap(fd, slots * capacity * 4)
        self._samples: NDArray[np.float32] = np.frombuffer(self._map, np.float32).reshape(slots, capacity)

    @classmethod
    def create(cls, slots: int, capacity: int) -> "Rings":
        fd = os.memfd_create("jambridge-rings")
        os.ftruncate(fd, slots * capacity * 4)
        return cls(fd, slots, capacity)

    def write(self, slot: int, at: Frames, block: Mono) -> None:
        """Copy `block` (frames,) to positions `at` … of a slot, over the oldest.

        Raises:
            ValueError: `block` is longer than the ring.
        """
        if len(block) > self.capacity:
            raise ValueError(f"{len(block)} frames do not fit a ring of {self.capacity}")
        ring, start = self._samples[slot], at % self.capacity
        first = min(len(block), self.capacity - start)
        ring[start : start + first] = block[:first]
        ring[: len(block) - first] = block[first:]

    def read(self, slot: int, at: Frames, frames: int) -> Mono:
        """Copy the frames from position `at` on; the caller keeps within `capacity` of what was written."""
        ring: Mono = self._samples[slot]
        start = at % self.capacity
        if start + frames <= self.capacity:
            return ring[start : start + frames].copy()
        return np.concatenate([ring[start:], ring[: start + frames - self.capacity]])

    def close(self) -> None:
        """Let go of the descriptor; what is mapped stays so as long as somebody uses it."""
        os.close(self.fd)


class WakeWriter:
    """The writer's news for the reader. Several may share a pipe; a full one drops news, never blocks."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.dropped = 0

    def send(self, wake: Wake) -> None:
        try:
            os.write(self.fd, _WAKE.pack(wake.slot, wake.generation, wake.written, wake.arrived_at))
        except BlockingIOError:
            self.dropped += 1


class Feed:
    """The writing end of one source. Never raises and never blocks: it is called from within packet reception."""

    def __init__(
        self, rings: Rings, wakes: WakeWriter, source: Source, release: Callable[[Source], None] = lambda _: None
    ) -> None:
        self.source = source
        self.written = Frames(0)
        self._rings = rings
        self._wakes = wakes
        self._release = release

    def write(self, block: NDArray[np.float32]) -> None:
        """Append `block`, shape (frames, channels), -1..1 at 48 kHz; channels are averaged."""
        channels = block.shape[1]
        mono = block @ np.full(channels, 1 / channels, np.float32)  # a fifth of the time of mean()
        mono = mono[-self._rings.capacity :]
        self._rings.write(self.source.slot, self.written, mono)
        self.written = Frames(self.written + len(mono))
        now = LocalSeconds(time.monotonic())
        self._wakes.send(Wake(self.source.slot, self.source.generation, self.written, now))

    def newest(self, frames: int) -> Mono:
        """What was written last; silence before that."""
        known = Frames(min(frames, self.written))
        block = self._rings.read(self.source.slot, Frames(self.written - known), known)
        return block if known == frames else np.pad(block, (frames - known, 0))

    def close(self) -> None:
        self._release(self.source)


class WakePipe(WakeWriter):
    """Both ends."""

    def __init__(self) -> None:
        self.read_fd, write_fd = os.pipe2(os.O_NONBLOCK)
        super().__init__(write_fd)

    def close(self) -> None:
        os.close(self.read_fd)
        os.close(self.fd)


def read_wakes(fd: int) -> Iterator[Wake]:
    """Everything a non-blocking wake-up pipe holds, oldest first."""
    try:
        news = os.read(fd, _WAKE.size * _WAKES_READ)
    except BlockingIOError:
        return
    for slot, generation, written, arrived_at in _WAKE.iter_unpack(news):
        yield Wake(slot, generation, Frames(written), LocalSeconds(arrived_at))
