import asyncio

import numpy as np
import pytest
from aiortc.mediastreams import MediaStreamError

from jambridge.peers.outgoing import QUEUE_PACKETS, Outgoing


def silence(frames: int) -> np.ndarray:
    return np.zeros((frames, 2), np.float32)


def test_every_connection_gets_the_same_packets() -> None:
    async def scenario() -> None:
        outgoing = Outgoing()
        one, other = outgoing.track(), outgoing.track()
        reading = asyncio.gather(one.recv(), other.recv())
        await asyncio.sleep(0)
        outgoing.write(silence(480))

        first, second = await reading

        assert bytes(first) == bytes(second)
        assert (first.pts, first.time_base.denominator) == (0, 48_000)

    asyncio.run(scenario())


def test_a_connection_that_does_not_take_packets_loses_the_oldest() -> None:
    async def scenario() -> None:
        outgoing = Outgoing()
        track = outgoing.track()
        reading = asyncio.create_task(track.recv())
        await asyncio.sleep(0)
        outgoing.write(silence(480 * (QUEUE_PACKETS + 3)))

        assert (await reading).pts == 3 * 480
        assert outgoing.dropped == 3

    asyncio.run(scenario())


def test_nothing_is_kept_for_a_connection_that_has_not_begun_or_has_ended() -> None:
    async def scenario() -> None:
        outgoing = Outgoing()
        track = outgoing.track()
        outgoing.write(silence(4800))
        reading = asyncio.create_task(track.recv())
        await asyncio.sleep(0)
        assert not reading.done()
        outgoing.write(silence(480))
        assert (await reading).pts == 4800

        track.stop()
        outgoing.write(silence(4800))
        assert outgoing.dropped == 0
        with pytest.raises(MediaStreamError):
            await track.recv()

    asyncio.run(scenario())
