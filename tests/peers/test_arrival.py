import asyncio
import random
import socket
import struct
from typing import Any

from aioice import stun

from jambridge.peers import sdp
from jambridge.peers.arrival import MOST_WAITING, Arrival
from jambridge.peers.channels import SYNC
from jambridge.peers.connection import Connection
from jambridge.peers.ice_servers import IceServers
from tests.fakes.waiting import until


class Ice:
    def __init__(self) -> None:
        self._queue: asyncio.Queue[bytes] = asyncio.Queue()

    def data_received(self, data: bytes, component: int) -> None:
        assert component == 1
        self._queue.put_nowait(data)


class Transport:
    """As much of aiortc's as is followed."""

    def __init__(self, ice: Any) -> None:
        self._connection = ice
        self._recv = ice._queue.get


def test_a_datagram_is_dated_when_it_comes_and_not_when_it_is_taken_up() -> None:
    now = 10.0

    async def scenario() -> None:
        nonlocal now
        ice = Ice()
        transport: Any = Transport(ice)
        arrival = Arrival(transport, lambda: now)
        ice.data_received(b"one", 1)
        now = 11.0
        ice.data_received(b"two", 1)
        now = 12.0
        taken: list[tuple[bytes, float | None]] = [(await transport._recv(), arrival.at) for _ in range(2)]
        assert taken == [(b"one", 10.0), (b"two", 11.0)]

    asyncio.run(scenario())


def test_a_library_that_has_changed_inside_says_no_moment() -> None:
    class Changed:
        pass

    changed: Any = Changed()

    assert Arrival(changed).at is None


PRIORITY = 0x0024
WRONG_LENGTH = struct.pack("!HHI12sHH4s", 0x0001, 8, stun.COOKIE, bytes(12), PRIORITY, 3, b"123")


def wounded(rng: random.Random) -> bytes:
    """A Binding request with some bytes changed, of the length that its header says."""
    request = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    request.attributes |= {"USERNAME": "we:they", "PRIORITY": 1, "ICE-CONTROLLING": 1, "OTHER-ADDRESS": ("::1", 1)}
    request.add_message_integrity(b"nothing that we know")
    data = bytearray(bytes(request))
    for _ in range(rng.randint(1, 6)):
        data[rng.randrange(stun.HEADER_LENGTH, len(data))] = rng.randrange(256)
    return bytes(data)


def test_a_stranger_who_reaches_the_port_fills_no_memory_ends_nothing_and_is_no_traceback() -> None:
    texts: list[str] = []
    unhandled: list[str] = []
    rng = random.Random(0)

    async def scenario(stranger: socket.socket) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(str(context)))
        ours, theirs = (
            Connection(IceServers(), None, None, lambda _: None, lambda _, text, __: texts.append(text), receives=True)
            for _ in range(2)
        )
        offer = sdp.parse("offer", await ours.offer())
        address = next((one.host, one.port) for one in offer.candidates if ":" not in one.host)
        while ours.dropped < 100:
            stranger.sendto(b"\x80" + bytes(200), address)
            await asyncio.sleep(0)
        assert ours._ice._queue.qsize() == MOST_WAITING

        answer = sdp.parse("answer", await theirs.answer(offer))
        await ours.apply(answer)
        await asyncio.gather(ours.dial(answer.candidates), theirs.dial(offer.candidates))
        await until(lambda: ours.channels.is_open(SYNC) and theirs.channels.is_open(SYNC))
        dropped = ours.dropped
        for datagram in [b"", WRONG_LENGTH, *(wounded(rng) for _ in range(200))]:
            stranger.sendto(datagram, address)
            await asyncio.sleep(0)
        await until(lambda: ours.dropped >= dropped + 2)
        assert theirs.channels.send(SYNC, "I am still here")
        await until(lambda: texts == ["I am still here"])
        await asyncio.gather(ours.close(), theirs.close())

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        asyncio.run(asyncio.wait_for(scenario(stranger), 60))
    assert unhandled == []
