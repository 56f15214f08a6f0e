"""Everybody's sound as one, for the loudspeaker. Pure; works inside the output callback and allocates next to nothing.

The box's own line-in is in the mix only if somebody makes it a source, and nobody does: who plays hears himself
without us.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from jambridge.audio.mix.limiter import Limiter
from jambridge.audio.mix.meter import SILENT_DBFS, Level, Loudness, Meter
from jambridge.units import SAMPLE_RATE_HZ

Block = NDArray[np.float32]
"""Shape (frames, 2), 48 kHz."""

CHANNELS = 2
MOST_FRAMES = 2048
LOUDEST = 4.0  # 12 dB over full scale: decoders overshoot a little, beyond it is no sound
HIGHEST_GAIN = 2.0
_FADE_FRAMES = SAMPLE_RATE_HZ // 100  # from silence to gain 1 in 10 ms


class Fader:
    """A gain that moves towards its target by at most 1 in 10 ms, frame by frame."""

    def __init__(self, gain: float, most_frames: int) -> None:
        self.gain = gain
        """What the last frame was multiplied by."""
        self._steps = np.arange(1, most_frames + 1, dtype=np.float32)[:, np.newaxis] / np.float32(_FADE_FRAMES)
        self._ramp = np.empty((most_frames, 1), np.float32)

    def apply(self, block: Block, target: float, out: Block) -> Block:
        """`block` times the gain: in `out`, or `block` itself at a gain of 1."""
        if self.gain == target:
            return block if target == 1.0 else np.multiply(block, np.float32(target), out=out)
        ramp = self._towards(target, len(block))
        self.gain = target if ramp[-1, 0] == np.float32(target) else float(ramp[-1, 0])
        return np.multiply(block, ramp, out=out)

    def _towards(self, target: float, frames: int) -> NDArray[np.float32]:
        steps, ramp = self._steps[:frames], self._ramp[:frames]
        if target > self.gain:
            np.add(steps, np.float32(self.gain), out=ramp)
            return np.minimum(ramp, np.float32(target), out=ramp)
        np.subtract(np.float32(self.gain), steps, out=ramp)
        return np.maximum(ramp, np.float32(target), out=ramp)


class _Strip:
    """One source while it is heard, and for the 10 ms in which it dies away after its sound stopped coming."""

    def __init__(self, most_frames: int) -> None:
        self.loudness = Loudness()
        self.fader = Fader(0.0, most_frames)
        self.lost = False
        self.last: Block = np.empty((0, CHANNELS), np.float32)

    def echo(self, frames: int) -> Block:
        """The last block played backwards, which goes on from where it ended without a step."""
        last = self.last
        if frames > len(last):
            last = np.pad(last, ((frames, 0), (0, 0)), "symmetric" if len(last) else "constant")
        self.last = last[::-1][:frames].copy()
        return self.last


class Mixer:
    """Sums sources that come and go, each known by its slot. No change of any kind clicks.

    `mix` belongs to the callback's thread. Everything else may be called from one other thread at any time.
    """

    def __init__(self, most_frames: int = MOST_FRAMES, listen: Callable[[Block], None] | None = None) -> None:
        """`listen` gets the sum before its volume, in the callback; a block it must not keep."""
        self.volume = 1.0
        """Of the sum, 0..1."""
        self.muted = False
        self.ducking = 1.0
        """0..1, multiplied with the volume: where the howl guard turns down."""
        self.garbage = 0
        """Blocks replaced by silence because they were no sound: not finite, or absurdly loud."""
        self._most_frames = most_frames
        self._listen = listen
        self._gains: dict[int, float] = {}
        self._muted: frozenset[int] = frozenset()
        self._strips: dict[int, _Strip] = {}
        self._master = Fader(0.0, most_frames)
        self._limiter = Limiter(most_frames)
        self._meter = Meter()
        self._sizes = np.empty((most_frames, CHANNELS), np.float32)
        self._scaled = np.empty((most_frames, CHANNELS), np.float32)

    def set_gain(self, slot: int, gain: float) -> None:
        """Amplify a source by 0..2; kept until `forget`, whether or not it sounds."""
        self._gains[slot] = min(max(gain, 0.0), HIGHEST_GAIN)

    def set_muted(self, slot: int, muted: bool) -> None:
        self._muted = self._muted | {slot} if muted else self._muted - {slot}

    def forget(self, slot: int) -> None:
        """The slot's next source starts at gain 1, not muted."""
        self._gains.pop(slot, None)
        self._muted -= {slot}

    def level_dbfs(self, slot: int) -> float:
        """RMS of a source as it comes, before its gain; silence if there is none."""
        strip = self._strips.get(slot)
        return strip.loudness.rms_dbfs if strip else SILENT_DBFS

    @property
    def played(self) -> Level:
        """Of what goes to the loudspeaker."""
        return self._meter.level

    @property
    def limiting(self) -> float:
        """The limiter's gain, 1 when it does nothing."""
        return self._limiter.gain

    def mix(self, blocks: dict[int, Block], out: Block) -> None:
        """Fill `out`, shape (frames, 2), with the sum of `blocks` by slot, each of `out`'s shape and the mixer's own.

        A source that had a block before and has none now dies away in 10 ms and is gone; one that is only late
        should be given as silence or concealment.
        """
        out.fill(0.0)
        for slot, block in blocks.items():
            self._add(self._strips.get(slot) or self._open(slot), slot, block, out)
        if len(self._strips) > len(blocks):
            self._fade_missing(blocks, out)
        self._finish(out)

    def _open(self, slot: int) -> _Strip:
        strip = self._strips[slot] = _Strip(self._most_frames)
        return strip

    def _add(self, strip: _Strip, slot: int, block: Block, out: Block) -> None:
        energy = float(np.vdot(block, block))
        if not (energy <= LOUDEST**2 or self._peak(block) <= LOUDEST):  # not a number, too
            self.garbage += 1
            strip.lost = True
        if strip.lost:
            strip.loudness.hear(0.0, out.size)
            self._fade(strip, out)
            strip.lost = strip.fader.gain > 0.0
            return
        strip.loudness.hear(energy, block.size)
        strip.last = block
        target = 0.0 if slot in self._muted else self._gains.get(slot, 1.0)
        out += strip.fader.apply(block, target, self._scaled[: len(block)])

    def _peak(self, block: Block) -> float:
        """The largest magnitude; all of them are in `_sizes` then."""
        return float(np.abs(block, out=self._sizes[: len(block)]).max())

    def _fade_missing(self, blocks: dict[int, Block], out: Block) -> None:
        for slot in [slot for slot in self._strips if slot not in blocks]:
            strip = self._strips[slot]
            strip.lost = True
            self._fade(strip, out)
            if strip.fader.gain == 0.0:
                del self._strips[slot]

    def _fade(self, strip: _Strip, out: Block) -> None:
        if strip.fader.gain > 0.0:
            out += strip.fader.apply(strip.echo(len(out)), 0.0, self._scaled[: len(out)])

    def _finish(self, out: Block) -> None:
        if self._listen is not None:
            self._listen(out)
        target = 0.0 if self.muted else min(max(self.volume, 0.0), 1.0) * self.ducking
        self._master.apply(out, target, out)
        peak = self._peak(out)
        self._meter.hear(out, self._limiter.limit(out, self._sizes[: len(out)], peak))
