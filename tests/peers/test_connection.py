import asyncio
import gc
from collections.abc import Callable
from pathlib import Path

import aioice
import numpy as np
import pytest
from aioice.ice import CandidatePair, StunProtocol
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av import AudioFrame
from numpy.typing import NDArray

from jambridge.errors import LinkError
from jambridge.peers import sdp
from jambridge.peers.candidates import Candidate
from jambridge.peers.connection import Connection, _copy
from jambridge.peers.ice_servers import IceServers
from jambridge.peers.tap import Tap

ANSWER = (Path(__file__).parents[1] / "vectors" / "chromium-156-answer.sdp").read_text()


def connection(on_state: Callable[[str], None] = lambda _: None, bit_rate: int = 128_000) -> Connection:
    return Connection(IceServers(), None, lambda _: None, on_state, lambda *_: None, receives=True, bit_rate=bit_rate)


class TwoFrames(MediaStreamTrack):
    """What aiortc's own decoder gives: packed 16-bit stereo, then the end."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self.left = 2

    async def recv(self) -> AudioFrame:
        if not self.left:
            raise MediaStreamError
        self.left -= 1
        return AudioFrame.from_ndarray(np.full((1, 1920), 16384, np.int16), format="s16", layout="stereo")


def test_the_ordinary_path_brings_the_same_kind_of_blocks() -> None:
    blocks: list[NDArray[np.float32]] = []
    sound = Tap(blocks.append)

    asyncio.run(_copy(TwoFrames(), sound))

    assert [block.shape for block in blocks] == [(960, 2)] * 2
    assert blocks[0].dtype == np.float32
    assert blocks[0].max() == pytest.approx(0.5)
    assert sound.reception.packets == 2


def test_an_answer_to_another_offer_is_a_link_error() -> None:
    async def scenario() -> None:
        ours = connection()
        await ours.offer()
        with pytest.raises(LinkError):
            await ours.apply(sdp.parse("answer", ANSWER.replace("mid:0", "mid:7")))
        await ours.close()

    asyncio.run(scenario())


def test_each_end_asks_for_the_quality_that_it_was_given() -> None:
    async def scenario() -> None:
        ours, theirs = connection(bit_rate=256_000), connection()
        offer = await ours.offer()
        answer = await theirs.answer(sdp.parse("offer", offer))
        assert "maxaveragebitrate=256000;" in offer
        assert "maxaveragebitrate=128000;" in answer
        await asyncio.gather(ours.close(), theirs.close())

    asyncio.run(scenario())


def test_a_candidate_waits_for_the_description() -> None:
    async def scenario() -> None:
        ours, theirs = connection(), connection()
        dialling = asyncio.create_task(ours.dial([Candidate("1", 1, "192.0.2.2", 9, "host")]))
        offer = sdp.parse("offer", await ours.offer())
        answer = sdp.parse("answer", await theirs.answer(offer))
        assert not dialling.done()
        await ours.apply(answer)
        await dialling
        await asyncio.gather(ours.close(), theirs.close())

    asyncio.run(scenario())


def test_what_comes_from_a_relay_that_was_announced_is_known_to_be_relayed() -> None:
    async def scenario() -> None:
        ours = connection()
        near = StunProtocol(ours._ice)
        near.local_candidate = aioice.Candidate("h", 1, "udp", 1, "192.0.2.2", 4000, "host")
        far = aioice.Candidate("p", 1, "udp", 1, "192.0.2.7", 50_000, "prflx")
        ours._ice._nominated = {1: CandidatePair(near, far)}
        assert ours.path == "host"
        ours.announce([Candidate("r", 1, "192.0.2.7", 50_000, "relay")])
        assert ours.path == "relay"
        assert ours.wants_relay
        ours.announce([Candidate("h", 1, "192.0.2.2", 9, "host")])
        assert not ours.wants_relay
        ours._ice._nominated = {}
        await ours.close()

    asyncio.run(scenario())


def test_closing_twice_or_unused_is_harmless() -> None:
    async def scenario() -> None:
        ours = connection()
        await ours.close()
        await ours.close()
        assert ours.path is None

    asyncio.run(scenario())


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_close_that_is_given_up_while_aiortc_closes_as_well_leaves_nothing_behind(steps: int) -> None:
    """The peer's goodbye makes aiortc close by itself; ours comes upon it, is cancelled, and is asked for again."""

    async def scenario() -> list[str]:
        unhandled: list[str] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(str(context)))
        states: asyncio.Queue[str] = asyncio.Queue()
        theirs_states: asyncio.Queue[str] = asyncio.Queue()
        ours, theirs = connection(states.put_nowait), connection(theirs_states.put_nowait)
        offer = sdp.parse("offer", await ours.offer())
        answer = sdp.parse("answer", await theirs.answer(offer))
        await ours.apply(answer)
        await asyncio.gather(ours.dial(answer.candidates), theirs.dial(offer.candidates))
        assert [await states.get(), await theirs_states.get()] == ["connected"] * 2
        async with asyncio.timeout(30):
            await theirs.close()
            assert await states.get() == "broken"
            closing = asyncio.create_task(ours.close())
            for _ in range(steps):
                await asyncio.sleep(0)
            closing.cancel()
            await asyncio.wait((closing,))
            await ours.close()
        gc.collect()  # a task says so when it goes that nobody asked how it ended
        return unhandled

    assert asyncio.run(scenario()) == []
