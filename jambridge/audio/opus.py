"""Opus, as FFmpeg's libopus speaks it through PyAV: 48 kHz stereo float32 in and out.

Encoding in restricted-lowdelay mode looks 2.5 ms ahead (RFC 6716 section 2.1.9 has the mode, 4 ms less than "voip").
"""

from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from av.packet import Packet
from numpy.typing import NDArray

from jambridge.errors import WireError
from jambridge.units import SAMPLE_RATE_HZ, Frames

CHANNELS = 2
FRAME_MS = 10
FRAME_FRAMES = SAMPLE_RATE_HZ * FRAME_MS // 1000
LOOKAHEAD_FRAMES = Frames(120)
BIT_RATE = 128_000
TIME_BASE = Fraction(1, SAMPLE_RATE_HZ)


@dataclass(frozen=True, slots=True)
class OpusPacket:
    """`pts` counts the frames before it."""

    payload: bytes
    pts: Frames


class OpusEncoder:
    """One stream of 10 ms packets."""

    def __init__(self, bit_rate: int = BIT_RATE) -> None:
        self._codec = av.CodecContext.create("libopus", "w")
        self._codec.bit_rate = bit_rate
        self._codec.format = "flt"
        self._codec.layout = "stereo"
        self._codec.sample_rate = SAMPLE_RATE_HZ
        self._codec.time_base = TIME_BASE
        self._codec.options = {"application": "lowdelay", "frame_duration": str(FRAME_MS)}
        self._encoded = Frames(0)

    def encode(self, frame: NDArray[np.float32]) -> OpusPacket:
        """One packet for one frame, shape (480, 2), -1..1.

        Raises:
            ValueError: `frame` has another shape.
        """
        if frame.shape != (FRAME_FRAMES, CHANNELS):
            raise ValueError(f"a frame is ({FRAME_FRAMES}, {CHANNELS}), not {frame.shape}")
        samples = np.ascontiguousarray(frame, np.float32).reshape(1, -1)
        audio = av.AudioFrame.from_ndarray(samples, format="flt", layout="stereo")
        audio.sample_rate = SAMPLE_RATE_HZ
        audio.pts = self._encoded
        (packet,) = self._codec.encode(audio)
        pts, self._encoded = self._encoded, Frames(self._encoded + FRAME_FRAMES)
        return OpusPacket(bytes(packet), pts)


class OpusDecoder:
    """Decodes packets of any frame length, from any encoder, as stereo."""

    def __init__(self) -> None:
        self._open()

    def decode(self, payload: bytes) -> NDArray[np.float32]:
        """The sound of one packet, shape (frames, 2).

        Raises:
            WireError: `payload` is not Opus.
        """
        if not payload:
            raise WireError("an empty Opus packet")  # to FFmpeg that would mean the end of the stream
        try:
            frames = self._codec.decode(Packet(payload))
        except av.FFmpegError as exc:
            self._open()
            raise WireError("not an Opus packet") from exc
        if not frames:
            return np.empty((0, CHANNELS), np.float32)
        samples = np.concatenate([frame.to_ndarray() for frame in frames], axis=1)
        return samples.reshape(-1, CHANNELS).astype(np.float32, copy=False)

    def _open(self) -> None:
        self._codec = av.CodecContext.create("libopus", "r")
        self._codec.sample_rate = SAMPLE_RATE_HZ
        self._codec.layout = "stereo"
        self._codec.options = {"request_sample_fmt": "flt"}
