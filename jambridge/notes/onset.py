"""Attacks, found within milliseconds so that a light can flash before the pitch is sure. Pure.

Spectral flux: how much louder, in decibels, a band is now than lately, averaged over the spectrum, after S. Böck and
G. Widmer, "Maximum filter vibrato suppression for onset detection" (2013). Two spectra are watched. The coarse one
tells within 7 ms what is struck; the maximum is taken over time. The fine one, of quarter tones, tells of what is
bowed, blown or tied to the note before: some bands rise where the level does not. There, the maximum is also taken
over the neighbouring bands, where vibrato would otherwise be attacks.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jambridge.notes import level
from jambridge.notes.constantq import window
from jambridge.notes.level import Samples
from jambridge.units import SAMPLE_RATE_HZ

ONSET_BLOCK = 200  # frames

_REFERENCE_FLOOR_DB = -20.0
_DECAY_DB_PER_S = 5.0  # the reference's fall
_REST_BLOCKS = 12  # 50 ms: an attack is told once
_FINE_REST_BLOCKS = 20  # by the fine spectrum, which goes on rising
_USUAL_S = 0.3
_MOST_OVER_LIMIT = 1.3  # an attack does not make the next one less likely

_BLOCK_S = ONSET_BLOCK / SAMPLE_RATE_HZ
_FAINTEST_POWER = 1e-12


@dataclass(frozen=True, slots=True)
class Spectrum:
    """A window of `size` frames, highest at `peak` of it, every `every` blocks, in bands from `lowest_hz`.

    Levels count within `range_db` of the recent peak, and nothing that far below _REFERENCE_FLOOR_DB. They are compared
    with those of `first` … `last` steps before.
    """

    size: int
    peak: float
    every: int
    lowest_hz: float
    highest_hz: float
    per_octave: int
    range_db: float
    first: int
    last: int

    def band_starts(self) -> NDArray[np.intp]:
        """First FFT bin of each band, and at last the first beyond; narrow bands are one bin wide."""
        octaves = np.log2(self.highest_hz / self.lowest_hz)
        edges_hz = self.lowest_hz * 2.0 ** np.arange(0, octaves, 1 / self.per_octave)
        return np.unique(np.ceil(edges_hz * self.size / SAMPLE_RATE_HZ).astype(np.intp))


COARSE = Spectrum(
    size=1024, peak=0.8, every=1, lowest_hz=60, highest_hz=16_000, per_octave=6, range_db=55, first=2, last=7
)
FINE = Spectrum(
    size=3072, peak=0.85, every=2, lowest_hz=100, highest_hz=8_000, per_octave=24, range_db=45, first=2, last=7
)


class Rises:
    """The flux of one stream: how much its bands rise, in parts of the spectrum's range, on average."""

    def __init__(self, spectrum: Spectrum) -> None:
        self._spectrum = spectrum
        self._window = (2 * window(spectrum.size, spectrum.peak)).astype(np.float32)
        starts = 2 * spectrum.band_starts()  # a bin has two parts, real and imaginary
        self._used, self._starts = slice(0, starts[-1]), starts[:-1]
        self._heard = np.zeros(spectrum.size - ONSET_BLOCK, np.float32)
        self._past = np.zeros((spectrum.last, len(self._starts)), np.float32)
        self._decay_db = _DECAY_DB_PER_S * _BLOCK_S * spectrum.every
        self._reference_db = _REFERENCE_FLOOR_DB

    def follow(self, samples: Samples, begin: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Of `samples`, whole blocks in a row, every block from the `begin`th on, in steps of `every`.

        Its bands, and the loudest that each has been lately; both of shape (steps, bands).
        """
        bands = self._raised(self._bands_db(samples, begin))
        known = np.concatenate([self._past, bands])
        self._past = known[len(bands) :]
        lags = self._spectrum.last - self._spectrum.first + 1
        step, band = known.strides
        recent: NDArray[np.float32] = np.ndarray(
            (len(bands), lags, bands.shape[1]), known.dtype, known, 0, (step, step, band)
        ).max(axis=1)
        return bands, recent

    def _bands_db(self, samples: Samples, begin: int) -> NDArray[np.float32]:
        heard = np.concatenate([self._heard, samples])
        self._heard = heard[samples.size :]
        # As sliding_window_view does, without the fifth of a packet's time that it would take.
        every, size = self._spectrum.every, self._spectrum.size
        steps = len(range(begin, samples.size // ONSET_BLOCK, every))
        strides = (every * ONSET_BLOCK * heard.itemsize, heard.itemsize)
        windows = np.ndarray((steps, size), heard.dtype, heard, begin * ONSET_BLOCK * heard.itemsize, strides)
        spectra = np.empty((steps, size // 2 + 1), np.complex64)
        np.fft.rfft(windows * self._window, out=spectra)  # type: ignore[arg-type]  # its stub knows doubles only
        parts = spectra.view(np.float32)[:, self._used]
        power = np.add.reduceat(np.square(parts), self._starts, axis=1)
        return 10 * np.log10(power + _FAINTEST_POWER)

    def _raised(self, bands_db: NDArray[np.float32]) -> NDArray[np.float32]:
        """1 at the recent peak, 0 from the range below."""
        range_db = self._spectrum.range_db
        lowest_db = [self._reference(peak_db) - range_db for peak_db in bands_db.max(axis=1).tolist()]
        above_db = bands_db - np.array(lowest_db, np.float32).reshape(-1, 1)
        raised: NDArray[np.float32] = np.maximum(above_db, 0) * np.float32(1 / range_db)
        return raised

    def _reference(self, peak_db: float) -> float:
        self._reference_db = max(self._reference_db - self._decay_db, _REFERENCE_FLOOR_DB, peak_db)
        return self._reference_db


class Limit:
    """What a flux must exceed: `least`, and `over_usual` of what it has been in the last _USUAL_S."""

    def __init__(self, least: float, over_usual: float, step_s: float) -> None:
        self._least, self._over_usual = least, over_usual
        self._share = step_s / _USUAL_S
        self._usual = 0.0

    def exceeded(self, flux: float) -> bool:
        limit = self._least + self._over_usual * self._usual
        self._usual += (min(flux, _MOST_OVER_LIMIT * limit) - self._usual) * self._share
        return flux > limit


class OnsetDetector:
    """Listens to one stream in blocks of ONSET_BLOCK frames, as many at a time as have come."""

    def __init__(self) -> None:
        self._coarse, self._fine = Rises(COARSE), Rises(FINE)
        fine_s = _BLOCK_S * FINE.every
        # Of 40 minutes of noise no block was told; with 2.5, 0.7 and 1.7 over the usual there was one a minute.
        self._struck, self._risen, self._moved = (
            Limit(0.018, 3.0, _BLOCK_S),
            Limit(0.020, 1.0, fine_s),
            Limit(0.008, 2.2, fine_s),
        )
        self._until_fine = FINE.every - 1
        self._since = _FINE_REST_BLOCKS

    def process(self, blocks: Samples) -> NDArray[np.bool_]:
        """Whether an attack is in each of the newest blocks; shape (blocks, ONSET_BLOCK), 48 kHz, -1..1, oldest first.

        Raises:
            ValueError: `blocks` has another shape.
        """
        if blocks.shape[1:] != (ONSET_BLOCK,):
            raise ValueError(f"blocks must be (blocks, {ONSET_BLOCK}), not {blocks.shape}")
        if not len(blocks):
            return np.zeros(0, bool)
        samples = level.safe(blocks).ravel()
        struck = _mean_rise(*self._coarse.follow(samples, 0))
        attacked = [self._struck.exceeded(flux) for flux in struck.tolist()]
        soft = [False] * len(blocks)
        bands, recent = self._fine.follow(samples, self._until_fine)
        fine = zip(_mean_rise(bands, recent).tolist(), _mean_rise(bands, _around(recent)).tolist(), strict=True)
        # Both limits follow their flux, whether or not the other is exceeded.
        soft[self._until_fine :: FINE.every] = [
            self._risen.exceeded(risen) | self._moved.exceeded(moved) for risen, moved in fine
        ]
        self._until_fine = (self._until_fine - len(blocks)) % FINE.every
        return np.array([self._told(*signs) for signs in zip(attacked, soft, strict=True)])

    def _told(self, struck: bool, soft: bool) -> bool:
        told = (struck and self._since >= _REST_BLOCKS) or (soft and self._since >= _FINE_REST_BLOCKS)
        self._since = 1 if told else self._since + 1
        return told


def _mean_rise(bands: NDArray[np.float32], recent: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean over the bands of how much each rises; shape (steps,)."""
    rises = bands - recent
    np.maximum(rises, 0, out=rises)
    mean: NDArray[np.float32] = np.add.reduce(rises, axis=1) / np.float32(rises.shape[1])  # half the time of mean()
    return mean


def _around(recent: NDArray[np.float32]) -> NDArray[np.float32]:
    """The loudest of each band and its neighbours."""
    around = recent.copy()
    np.maximum(around[:, 1:], recent[:, :-1], out=around[:, 1:])
    np.maximum(around[:, :-1], recent[:, 1:], out=around[:, :-1])
    return around
