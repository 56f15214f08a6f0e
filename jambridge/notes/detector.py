"""The note detector: sound in hops of 1/60 s, notes out, strictly causal. Pure."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jambridge.notes import level, pitch
from jambridge.notes.constantq import FAST, SLOW, ConstantQ
from jambridge.notes.features import PITCH_MIDI, PITCHES, Features
from jambridge.notes.frame import HOP_FRAMES, Note
from jambridge.notes.level import Samples
from jambridge.notes.network import Network, Weights
from jambridge.notes.tracker import OPERATING_POINTS, Threshold, Tracker
from jambridge.units import MidiNote, hz


@dataclass(frozen=True, slots=True)
class Detection:
    """What sounds at the end of a hop, lowest first, and the hop's level.

    `onset`: one of the notes began in this hop. It comes later than `OnsetDetector`'s word, and also where nothing was
    struck, as between the notes of a bow.
    """

    notes: tuple[Note, ...]
    onset: bool
    level_dbfs: float


class Detector:
    """Follows `streams` signals at once, each on its own."""

    def __init__(self, streams: int = 1, threshold: Threshold = "normal") -> None:
        self._streams = streams
        self._constant_q = ConstantQ(streams)
        self._features = Features(streams)
        self._network = Network(streams, Weights.load())
        self._tracker = Tracker(streams, OPERATING_POINTS[threshold])
        self._sounding = np.zeros((streams, PITCHES), bool)

    def process(self, hops: NDArray[np.float32]) -> list[Detection]:
        """One detection a stream.

        Args:
            hops: shape (streams, HOP_FRAMES), 48 kHz, -1..1; what is not finite counts as silence.

        Raises:
            ValueError: `hops` has another shape.
        """
        if hops.shape != (self._streams, HOP_FRAMES):
            raise ValueError(f"hops must be {(self._streams, HOP_FRAMES)}, not {hops.shape}")
        samples = level.safe(hops)
        decibels = self._constant_q.analyse(samples)
        sounding = self._tracker.follow(self._network.logits(self._features.stack(decibels)))
        begun = sounding & ~self._sounding
        self._sounding = sounding
        return [_detection(*stream) for stream in zip(samples, decibels, sounding, begun, strict=True)]


def _detection(
    hop: Samples, spectra_db: NDArray[np.float32], sounding: NDArray[np.bool_], begun: NDArray[np.bool_]
) -> Detection:
    notes = tuple(
        Note(note, pitch.frequency_hz(spectra_db[SLOW], note) or hz(note), pitch.velocity(spectra_db[: FAST + 1], note))
        for note in map(MidiNote, PITCH_MIDI[sounding].tolist())
    )
    return Detection(notes, bool(begun.any()), level.dbfs(hop))
