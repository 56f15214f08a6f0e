"""A port of TLS: a handshake begins once its first message is there, one a turn of the event loop.

asyncio makes ready for TLS, with a task and a buffer of 256 KiB, for whoever connects, and then waits for a byte. Here
who says nothing, or a byte a second, costs a descriptor; and of those who are ready each address has its turn, however
many wait of another.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from jambridge.door import client_hello
from jambridge.door.listener import Counted, Listener
from jambridge.door.turns import Turns
from jambridge.errors import WireError

_ACCEPTED_A_TURN = 16


class Handshakes:
    """Use `open_handshakes`."""

    def __init__(
        self, listener: Listener, tls: ssl.SSLContext, make: Callable[[], asyncio.Protocol], patience_s: float
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._listener = listener
        self._tls = tls
        self._make = make
        self._patience_s = patience_s
        self._silent: dict[Counted, asyncio.TimerHandle] = {}
        self._ready: Turns[Counted] = Turns()
        self._begun: set[asyncio.Task[None]] = set()

    def open(self) -> None:
        self._listener.setblocking(False)
        self._listener.listen()
        self._loop.add_reader(self._listener, self._accept)

    async def close(self) -> None:
        """Send everybody away whose handshake is not over."""
        self._loop.remove_reader(self._listener)
        self._listener.close()
        for one in tuple(self._silent):
            self._forget(one)
            one.close()
        while self._ready:
            self._ready.take().close()
        for task in self._begun:
            task.cancel()
        await asyncio.gather(*self._begun, return_exceptions=True)

    def _accept(self) -> None:
        for _ in range(_ACCEPTED_A_TURN):
            try:
                one, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            one.setblocking(False)
            self._silent[one] = self._loop.call_later(self._patience_s, self._drop, one)
            self._loop.add_reader(one, self._look, one, 1)

    def _look(self, one: Counted, at_least: int) -> None:
        """See whether its first message is there; it was to be woken for so many bytes."""
        try:
            seen = one.recv(client_hello.MOST_BYTES, socket.MSG_PEEK)
            size = client_hello.size(seen)
            is_short = len(seen) < size and size > at_least
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size if is_short else 1)
        except BlockingIOError:
            return
        except (OSError, WireError):
            self._drop(one)
            return
        if not seen:
            self._drop(one)
        elif is_short:
            self._loop.add_reader(one, self._look, one, size)
        else:  # also where the system wakes us for less: then it waits as it would without us
            self._forget(one)
            if not self._ready:
                self._loop.call_soon(self._begin)
            self._ready.put(one.address, one)

    def _begin(self) -> None:
        if not self._ready:
            return  # closed meanwhile
        task = self._loop.create_task(self._shake_hands(self._ready.take()))
        self._begun.add(task)
        task.add_done_callback(self._begun.discard)
        if self._ready:
            self._loop.call_soon(self._begin)

    async def _shake_hands(self, one: Counted) -> None:
        with suppress(OSError):  # of TLS as well: whoever it is has seen its end
            await self._loop.connect_accepted_socket(
                self._make, one, ssl=self._tls, ssl_handshake_timeout=self._patience_s
            )

    def _drop(self, one: Counted) -> None:
        self._forget(one)
        one.close()

    def _forget(self, one: Counted) -> None:
        self._silent.pop(one).cancel()
        self._loop.remove_reader(one)


@asynccontextmanager
async def open_handshakes(
    listener: Listener, tls: ssl.SSLContext, make: Callable[[], asyncio.Protocol], patience_s: float
) -> AsyncIterator[None]:
    """Listen; `make` is asked for the protocol of each connection that begins its handshake.

    Args:
        listener: bound; from now on ours.
        tls: of a server.
        make: for the other side of TLS.
        patience_s: for the first message, and for the handshake.
    """
    handshakes = Handshakes(listener, tls, make, patience_s)
    handshakes.open()
    try:
        yield
    finally:
        await handshakes.close()
