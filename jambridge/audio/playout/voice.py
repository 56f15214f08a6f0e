"""A decoder that never clicks and never goes on for long about what is missing. Pure.

libopus itself joins what it conceals to what it decodes, by the overlap of its frames (2.5 ms); here are only the
fades around that.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from jambridge.audio.opus import SHORTEST_FRAMES

Stereo = NDArray[np.float32]
"""Shape (frames, 2), 48 kHz."""

FADE_FRAMES = 240
"""5 ms: any beginning, end or crossfade."""
_HELD_FRAMES = 1920  # 40 ms of concealment are heard as they are
_SILENT_FRAMES = 4800  # after 100 ms there is silence
_HYBRID = 12
_CELT = 16  # configurations from here on have no in-band FEC, RFC 6716 section 3.1


class Decoder(Protocol):
    """`jambridge.audio.opus.Decoder`, or what a test puts in its place."""

    def decode(self, payload: bytes) -> Stereo: ...

    def conceal(self, frames: int) -> Stereo: ...

    def recover(self, following: bytes, frames: int) -> Stereo: ...

    def reset(self) -> None: ...


class Voice:
    """Sound of one stream, one stretch after another."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self._gain = 0.0  # of the last frame
        self._full = 0.0  # the gain that concealment falls from
        self._concealed = 0  # frames, since the last packet

    def play(self, payload: bytes) -> Stereo:
        """The next packet's sound.

        Raises:
            WireError: it is not Opus.
        """
        return self._heard(_finite(self._decoder.decode(payload)))

    def recover(self, following: bytes, frames: int) -> Stereo:
        """The packet before `following`, from what that repeats of it.

        Raises:
            WireError: `following` is not Opus.
        """
        return self._heard(_finite(self._decoder.recover(following, frames)))

    def conceal(self, frames: int) -> Stereo:
        """What might have been, for any 1 to 5760 frames: falls silent between 40 and 100 ms."""
        if self._gain == 0.0:
            return np.zeros((frames, 2), np.float32)
        whole = -(-frames // SHORTEST_FRAMES) * SHORTEST_FRAMES
        block = _finite(self._decoder.conceal(whole))[:frames]
        left = _SILENT_FRAMES - self._concealed - np.arange(frames, dtype=np.float32)
        self._concealed += frames
        fall = np.clip(left / np.float32(_SILENT_FRAMES - _HELD_FRAMES), 0, 1) * np.float32(self._full)
        self._gain = float(fall[-1])
        faded: Stereo = block * fall[:, np.newaxis]
        return faded

    def end(self) -> Stereo:
        """5 ms in which the sound dies away; then another stream may begin."""
        gain, block = self._gain, self.conceal(FADE_FRAMES)
        self._decoder.reset()
        self._gain = self._full = 0.0
        return block * _down(len(block)) if gain else block[:0]

    def _heard(self, block: Stereo) -> Stereo:
        self._concealed = 0
        if self._gain < 1.0:
            steps = np.arange(1, len(block) + 1, dtype=np.float32) / np.float32(FADE_FRAMES)
            rise = np.minimum(np.float32(self._gain) + steps, np.float32(1))
            self._gain = float(rise[-1])
            block = block * rise[:, np.newaxis]
        self._full = self._gain
        return block


def crossfaded(ending: Stereo, beginning: Stereo) -> Stereo:
    """From one to the other, which are equally long."""
    down = _down(len(ending))
    return ending * down + beginning * (1 - down)


def carries_fec(payload: bytes) -> bool:
    """Whether a packet repeats the one before it: the LBRR flags of RFC 6716 section 4.2.3, of frames of 20 ms or less.

    Of packets of several frames only those of two equal ones (code 1) are looked into.
    """
    head, flags = (payload[0], payload[1]) if payload[1:] else (_CELT << 3, 0)
    configuration = head >> 3
    if configuration >= _CELT or head & 3 > 1:
        return False
    frames = (1, 1, 2, 3)[configuration & 3] if configuration < _HYBRID else 1  # of 10, 20, 40, 60 ms; 10, 20
    middle = flags >> (7 - frames) & 1
    side = flags >> (6 - 2 * frames) & 1 if head & 4 else 0
    return bool(middle | side)


def _down(frames: int) -> NDArray[np.float32]:
    return np.linspace(1, 0, frames, dtype=np.float32)[:, np.newaxis]


def _finite(block: Stereo) -> Stereo:
    """Silence in place of what no loudspeaker should get: it would stay in every filter behind this."""
    return block if np.isfinite(np.vdot(block, block)) else np.zeros_like(block)
