"""Another sample rate for a card that knows no 48 kHz, block by block: libsoxr. Pure."""

import numpy as np

from jambridge.audio.opus import CHANNELS, Stereo


class RateConverter:
    """A stream of stereo from one rate to another, in Hz; it delays by some milliseconds."""

    def __init__(self, from_hz: float, to_hz: float) -> None:
        import soxr  # few cards need it

        self._stream = soxr.ResampleStream(from_hz, to_hz, CHANNELS, dtype="float32", quality="MQ")

    def convert(self, block: Stereo) -> Stereo:
        """What `block`, shape (frames, 2), brings out; now more, now less."""
        converted: Stereo = np.asarray(self._stream.resample_chunk(np.ascontiguousarray(block)), np.float32)
        return converted
