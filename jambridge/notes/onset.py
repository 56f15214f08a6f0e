"""Attacks, found within milliseconds so that a light can flash before the pitch is sure. Pure.

Two spectra are watched. The coarse one tells within 7 ms what is struck, by spectral flux: how much louder a band is
now than it has been lately, averaged over the spectrum, after S. Böck and G. Widmer, "Maximum filter vibrato
suppression for onset detection" (2013). The fine one, of quarter tones, tells of what is bowed, blown or tied to the
note before, by a small network (`soft_attack`).
"""

import numpy as np
from numpy.typing import NDArray

from jambridge.notes import level
from jambridge.notes.bands import BLOCK_S, COARSE, FINE, ONSET_BLOCK, Bands
from jambridge.notes.level import Samples
from jambridge.notes.soft_attack import AttackWeights, SoftAttack

__all__ = ["ONSET_BLOCK", "OnsetDetector"]

_REST_BLOCKS = 12  # 50 ms: an attack is told once
_SOFT_REST_BLOCKS = 20  # by the network, whose word lasts longer
_FIRST, _LAST = 2, 7  # blocks before, whose loudest a band must exceed
_LEAST_FLUX, _OVER_USUAL = 0.018, 3.0
_USUAL_S = 0.3
_MOST_OVER_LIMIT = 1.3  # an attack does not make the next one less likely
SURE = 2.5  # logit: on validation 24 of 25 flashes are then true


class Flux:
    """How much the bands of one stream rise above the loudest of a moment ago, on average."""

    def __init__(self) -> None:
        self._past = np.zeros((_LAST, len(COARSE.band_starts()) - 1), np.float32)

    def follow(self, bands: NDArray[np.float32]) -> NDArray[np.float32]:
        """Shape (blocks, bands) to (blocks,)."""
        known = np.concatenate([self._past, bands])
        self._past = known[len(bands) :]
        step, band = known.strides  # as sliding_window_view does, in a fifth of its time
        shape = (len(bands), _LAST - _FIRST + 1, bands.shape[1])
        recent = np.maximum.reduce(np.ndarray(shape, known.dtype, known, 0, (step, step, band)), axis=1)
        rises = bands - recent
        np.maximum(rises, 0, out=rises)
        mean: NDArray[np.float32] = np.add.reduce(rises, axis=1) / np.float32(rises.shape[1])  # half of mean()'s time
        return mean


class Limit:
    """What a flux must exceed: a least, and so many times what it has been in the last _USUAL_S."""

    def __init__(self) -> None:
        self._usual = 0.0

    def exceeded(self, flux: float) -> bool:
        limit = _LEAST_FLUX + _OVER_USUAL * self._usual
        self._usual += (min(flux, _MOST_OVER_LIMIT * limit) - self._usual) * (BLOCK_S / _USUAL_S)
        return flux > limit


class OnsetDetector:
    """Listens to one stream in blocks of ONSET_BLOCK frames, as many at a time as have come."""

    def __init__(self, sure: float = SURE) -> None:
        self._sure = sure
        self._coarse, self._fine = Bands(COARSE), Bands(FINE)
        self._flux, self._limit, self._soft = Flux(), Limit(), SoftAttack(AttackWeights.load())
        self._until_fine = FINE.every - 1
        self._since = _SOFT_REST_BLOCKS

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
        flux = self._flux.follow(self._coarse.follow(samples, 0))
        struck = [self._limit.exceeded(one) for one in flux.tolist()]
        soft = [False] * len(blocks)
        surely = self._soft.follow(self._fine.follow(samples, self._until_fine))
        soft[self._until_fine :: FINE.every] = (surely > self._sure).tolist()
        self._until_fine = (self._until_fine - len(blocks)) % FINE.every
        return np.array([self._told(*signs) for signs in zip(struck, soft, strict=True)])

    def _told(self, struck: bool, soft: bool) -> bool:
        told = (struck and self._since >= _REST_BLOCKS) or (soft and self._since >= _SOFT_REST_BLOCKS)
        self._since = 1 if told else self._since + 1
        return told
