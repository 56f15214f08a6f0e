"""A file's sound at the pace of a sound card."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from jambridge.units import SAMPLE_RATE_HZ

BLOCK_FRAMES = 480
"""10 ms: what one Opus packet holds."""

Stereo = NDArray[np.float32]


def stereo_blocks(blocks: Iterable[NDArray[np.float32]]) -> Iterator[Stereo]:
    """Blocks of shape (BLOCK_FRAMES, 2) from blocks of any length and channels (averaged); the rest is dropped."""
    rest = np.empty((0, 2), np.float32)
    for block in blocks:
        both = np.repeat(block.mean(axis=1, keepdims=True, dtype=np.float32), 2, axis=1)
        rest = np.concatenate([rest, both])
        whole = len(rest) // BLOCK_FRAMES * BLOCK_FRAMES
        yield from rest[:whole].reshape(-1, BLOCK_FRAMES, 2)
        rest = rest[whole:]


def silence(seconds: float) -> Iterator[Stereo]:
    yield from np.zeros((round(seconds * SAMPLE_RATE_HZ / BLOCK_FRAMES), BLOCK_FRAMES, 2), np.float32)


async def paced(blocks: Iterable[Stereo]) -> AsyncIterator[Stereo]:
    """Each block when a card would have captured it; absolute deadlines, so that nothing adds up."""
    start = time.monotonic()
    for index, block in enumerate(blocks, 1):
        await asyncio.sleep(start + index * BLOCK_FRAMES / SAMPLE_RATE_HZ - time.monotonic())
        yield block
