"""What a piece goes through before it is heard: nothing, the network's codec, another tuning."""

from dataclasses import replace

import numpy as np
import soxr
from numpy.typing import NDArray

from jambridge.audio import opus
from jambridge.notes.frame import HOP_FRAMES
from jambridge.units import SAMPLE_RATE_HZ
from tests.bench.truth import Piece

DETUNED_CENTS = -35


def clean(piece: Piece) -> Piece:
    return piece


def through_opus(piece: Piece) -> Piece:
    """Encoded and decoded as between bridges, at 128 kbit/s; the codec's delay is taken off."""
    frames = piece.hops.size
    padded = -(-(frames + opus.LOOKAHEAD_FRAMES) // opus.FRAME_FRAMES) * opus.FRAME_FRAMES
    sound = np.zeros((padded, opus.CHANNELS), np.float32)
    sound[:frames] = piece.hops.reshape(-1, 1)
    encoder, decoder = opus.Encoder(), opus.Decoder()
    heard = np.concatenate(
        [decoder.decode(encoder.encode(frame)) for frame in sound.reshape(-1, opus.FRAME_FRAMES, opus.CHANNELS)]
    )
    return replace(piece, hops=_hops(heard[opus.LOOKAHEAD_FRAMES :][:frames].mean(axis=1)))


def detuned(piece: Piece, cents: float = DETUNED_CENTS) -> Piece:
    """As a tape that runs slower or faster: pitches and times change together."""
    slower = 2 ** (-cents / 1200)
    sound = soxr.resample(piece.hops.ravel(), SAMPLE_RATE_HZ, SAMPLE_RATE_HZ * slower, "VHQ")
    return replace(
        piece,
        notes=tuple(note.slowed(slower) for note in piece.notes),
        drums_s=tuple(at_s * slower for at_s in piece.drums_s),
        hops=_hops(sound),
    )


CONDITIONS = {"clean": clean, "opus": through_opus, "detuned": detuned}


def _hops(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    return sound[: len(sound) // HOP_FRAMES * HOP_FRAMES].reshape(-1, HOP_FRAMES)
