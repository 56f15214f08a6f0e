"""Spectra in bands, relative to the recent peak, as attacks are looked for in them. Pure."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jambridge.notes.constantq import window
from jambridge.notes.level import Samples
from jambridge.units import SAMPLE_RATE_HZ

ONSET_BLOCK = 200  # frames
BLOCK_S = ONSET_BLOCK / SAMPLE_RATE_HZ

_REFERENCE_FLOOR_DB = -20.0
_DECAY_DB_PER_S = 5.0  # the reference's fall
_FAINTEST_POWER = 1e-12


@dataclass(frozen=True, slots=True)
class Spectrum:
    """A window of `size` frames, highest at `peak` of it, every `every` blocks, in bands from `lowest_hz`.

    Levels count within `range_db` of the recent peak, and nothing that far below _REFERENCE_FLOOR_DB.
    """

    size: int
    peak: float
    every: int
    lowest_hz: float
    highest_hz: float
    per_octave: int
    range_db: float

    def band_starts(self) -> NDArray[np.intp]:
        """First FFT bin of each band, and at last the first beyond; narrow bands are one bin wide."""
        octaves = np.log2(self.highest_hz / self.lowest_hz)
        edges_hz = self.lowest_hz * 2.0 ** np.arange(0, octaves, 1 / self.per_octave)
        return np.unique(np.ceil(edges_hz * self.size / SAMPLE_RATE_HZ).astype(np.intp))


COARSE = Spectrum(size=1024, peak=0.8, every=1, lowest_hz=60, highest_hz=16_000, per_octave=6, range_db=55)
FINE = Spectrum(size=3072, peak=0.85, every=2, lowest_hz=100, highest_hz=8_000, per_octave=24, range_db=45)


class Bands:
    """Follows one stream."""

    def __init__(self, spectrum: Spectrum) -> None:
        self._spectrum = spectrum
        self._window = (2 * window(spectrum.size, spectrum.peak)).astype(np.float32)
        starts = 2 * spectrum.band_starts()  # a bin has two parts, real and imaginary
        self._used, self._starts = slice(0, starts[-1]), starts[:-1]
        self._heard = np.zeros(spectrum.size - ONSET_BLOCK, np.float32)
        self._decay_db = _DECAY_DB_PER_S * BLOCK_S * spectrum.every
        self._reference_db = _REFERENCE_FLOOR_DB

    def follow(self, samples: Samples, begin: int) -> NDArray[np.float32]:
        """Of `samples`, whole blocks in a row, every block from the `begin`th on, in steps of `every`.

        Shape (steps, bands): 1 at the recent peak, 0 from the range below.
        """
        bands_db = self._bands_db(samples, begin)
        range_db = self._spectrum.range_db
        peaks_db = np.maximum.reduce(bands_db, axis=1).tolist()
        lowest_db = [self._reference(peak_db) - range_db for peak_db in peaks_db]
        bands_db -= np.array(lowest_db, np.float32)[:, np.newaxis]
        np.maximum(bands_db, 0, out=bands_db)
        bands_db *= np.float32(1 / range_db)
        return bands_db

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
        bands: NDArray[np.float32] = np.add.reduceat(np.square(parts), self._starts, axis=1)
        bands += _FAINTEST_POWER
        np.log10(bands, out=bands)
        bands *= 10
        return bands

    def _reference(self, peak_db: float) -> float:
        self._reference_db = max(self._reference_db - self._decay_db, _REFERENCE_FLOOR_DB, peak_db)
        return self._reference_db
