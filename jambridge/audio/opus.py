"""Opus by libopus itself, over ctypes: 48 kHz stereo float32 in and out.

FFmpeg's wrapper, which PyAV offers, has neither concealment nor in-band FEC, fixes the length of a frame for good, and
costs twice as much a packet. Encoding in restricted-lowdelay mode looks 2.5 ms ahead (RFC 6716 section 2.1.9 has the
mode), 4 ms less than "voip". Source: opus.h, opus_defines.h and opus_encoder.c of libopus 1.3.1.
"""

import ctypes
from ctypes import POINTER, byref, c_char_p, c_int, c_int32, c_void_p
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from jambridge.errors import DeviceError, WireError
from jambridge.units import SAMPLE_RATE_HZ, Frames

CHANNELS = 2
FRAME_FRAMES = SAMPLE_RATE_HZ // 100
"""10 ms: the frames of a packet that everybody takes."""
SHORT_FRAMES = 240
"""5 ms: between bridges. At 2.5 ms there is three times the noise, and a change to or from it clicks."""
SHORTEST_FRAMES = 120
"""2.5 ms: what every packet is a multiple of."""
LOOKAHEAD_FRAMES = Frames(120)
BIT_RATE = 128_000

MOST_FRAMES = 5760  # of one packet: 120 ms, RFC 6716 section 2.1.4
_COMPLEXITY = 7  # a tone has as little noise as at 9, in two thirds of the time
_MOST_BYTES = 1200  # of our packets: one Ethernet frame with all headers

_LOWDELAY = 2051
_SET_BITRATE = 4002
_SET_COMPLEXITY = 4010
_SET_VBR_CONSTRAINT = 4020
_RESET_STATE = 4028

Stereo = NDArray[np.float32]


class Encoder:
    """One stream of packets; `bit_rate` in bits a second, on average over music.

    The rate of a packet is not constrained: a tone needs more (182 kbit/s for 128), and has 5 dB less noise so.
    """

    def __init__(self, bit_rate: int = BIT_RATE) -> None:
        self._library = _library()
        error = c_int()
        self._state: Final = c_void_p(
            self._library.opus_encoder_create(SAMPLE_RATE_HZ, CHANNELS, _LOWDELAY, byref(error))
        )
        if error.value:
            raise DeviceError(f"libopus cannot encode (error {error.value})")
        for setting, value in ((_SET_BITRATE, bit_rate), (_SET_COMPLEXITY, _COMPLEXITY), (_SET_VBR_CONSTRAINT, 0)):
            self._library.opus_encoder_ctl(self._state, c_int(setting), c_int32(value))
        self._packet = ctypes.create_string_buffer(_MOST_BYTES)

    def encode(self, frame: Stereo) -> bytes:
        """One packet for a frame of 120, 240, 480 or 960 frames, shape (frames, 2), -1..1.

        Raises:
            ValueError: `frame` has another shape.
        """
        samples = np.ascontiguousarray(frame, np.float32)
        if samples.ndim != CHANNELS or samples.shape[1] != CHANNELS:
            raise ValueError(f"a frame is (frames, {CHANNELS}), not {frame.shape}")
        size = self._library.opus_encode_float(
            self._state, samples.ctypes.data, len(samples), self._packet, _MOST_BYTES
        )
        if size < 0:
            raise ValueError(f"a packet does not hold {len(samples)} frames (libopus error {size})")
        return self._packet.raw[:size]

    def __del__(self) -> None:
        if "_state" in self.__dict__:
            self._library.opus_encoder_destroy(self._state)


class Decoder:
    """Decodes packets of any frame length, from any encoder, as stereo, and fills in for those that are missing."""

    def __init__(self) -> None:
        self._library = _library()
        error = c_int()
        self._state: Final = c_void_p(self._library.opus_decoder_create(SAMPLE_RATE_HZ, CHANNELS, byref(error)))
        if error.value:
            raise DeviceError(f"libopus cannot decode (error {error.value})")
        self._samples = np.empty((MOST_FRAMES, CHANNELS), np.float32)
        self._address = self._samples.ctypes.data

    def decode(self, payload: bytes) -> Stereo:
        """The sound of one packet, shape (frames, 2), about -1..1.

        Raises:
            WireError: `payload` is not Opus.
        """
        if not payload:
            raise WireError("an empty Opus packet")  # to libopus that would mean a lost one
        return self._decoded(payload, len(payload), MOST_FRAMES, fec=False)

    def conceal(self, frames: int) -> Stereo:
        """What a lost packet may have been, going on from the last one and fading away; a multiple of 120 frames.

        Raises:
            ValueError: `frames` is none, or more than 5760.
        """
        _check(frames)
        return self._decoded(None, 0, frames, fec=False)

    def recover(self, following: bytes, frames: int) -> Stereo:
        """The packet of `frames` before `following`, from the copy in that (in-band FEC), else concealed as above.

        Raises:
            ValueError: as in `conceal`.
            WireError: `following` is not Opus.
        """
        _check(frames)
        if not following:
            raise WireError("an empty Opus packet")
        return self._decoded(following, len(following), frames, fec=True)

    def reset(self) -> None:
        """Forget what came before: another stream begins."""
        self._library.opus_decoder_ctl(self._state, c_int(_RESET_STATE))

    def _decoded(self, payload: bytes | None, size: int, frames: int, *, fec: bool) -> Stereo:
        count = self._library.opus_decode_float(self._state, payload, size, self._address, frames, int(fec))
        if count < 0:
            raise WireError("not an Opus packet")
        return self._samples[:count].copy()

    def __del__(self) -> None:
        if "_state" in self.__dict__:
            self._library.opus_decoder_destroy(self._state)


def packet_frames(payload: bytes) -> int:
    """How many frames a packet holds, 120..5760.

    Raises:
        WireError: it is not Opus.
    """
    count: int = _library().opus_packet_get_nb_samples(payload, len(payload), SAMPLE_RATE_HZ) if payload else -1
    if not 0 < count <= MOST_FRAMES:
        raise WireError("not an Opus packet")
    return count


def _check(frames: int) -> None:
    if not 0 < frames <= MOST_FRAMES or frames % SHORTEST_FRAMES:
        raise ValueError(f"{frames} frames cannot be concealed at once")


@cache
def _library() -> ctypes.CDLL:
    """libopus, its functions declared.

    Raises:
        DeviceError: it is not installed.
    """
    try:
        library = ctypes.CDLL("libopus.so.0")
    except OSError as exc:
        raise DeviceError("libopus is missing: sudo apt install libopus0") from exc
    library.opus_encoder_create.argtypes = [c_int32, c_int, c_int, POINTER(c_int)]
    library.opus_encoder_create.restype = c_void_p
    library.opus_encode_float.argtypes = [c_void_p, c_void_p, c_int, c_char_p, c_int32]
    library.opus_encode_float.restype = c_int32
    library.opus_encoder_destroy.argtypes = [c_void_p]
    library.opus_decoder_create.argtypes = [c_int32, c_int, POINTER(c_int)]
    library.opus_decoder_create.restype = c_void_p
    library.opus_decode_float.argtypes = [c_void_p, c_char_p, c_int32, c_void_p, c_int, c_int]
    library.opus_decoder_destroy.argtypes = [c_void_p]
    library.opus_packet_get_nb_samples.argtypes = [c_char_p, c_int32, c_int32]
    return library
