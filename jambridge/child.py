"""A process of ours beside the main one: started, told what changes, listened to, ended.

It has one socket of packets for both directions, and ends when that does: nothing outlives the main process.
"""

import asyncio
import logging
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

from jambridge.errors import DeviceError
from jambridge.typed_json import MAX_BYTES

log = logging.getLogger(__name__)

FIRST_WORD_WITHIN_S = 20.0  # a Pi reads numpy from its card for a while
WORD_WITHIN_S = 3.0
_LEAVE_WITHIN_S = 1.0
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # numpy's own would wait spinning, and take memory


class Child:
    """Use `open_child`. Its failures are DeviceErrors that call it `name`."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, control: socket.socket, farewell: bytes) -> None:
        self._name = name
        self._process = process
        self._control = control
        self._farewell = farewell
        self._sending = asyncio.Lock()
        self._leaving = False
        self._word_within_s = FIRST_WORD_WITHIN_S

    @property
    def pid(self) -> int:
        return self._process.pid

    async def tell(self, message: bytes) -> None:
        """Raises DeviceError if it is gone, unless it was asked to."""
        async with self._sending:
            try:
                await asyncio.get_running_loop().sock_sendall(self._control, message)
            except OSError as exc:
                if not self._leaving:
                    raise DeviceError(f"the {self._name} process is gone") from exc

    def post(self, message: bytes) -> bool:
        """Send at once or not at all: False where it does not read, or is gone."""
        try:
            self._control.send(message)
        except OSError:
            return False
        return True

    async def hear(self) -> bytes:
        """The next message; DeviceError if it ended, or has said nothing for too long."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._word_within_s):
                message = await loop.sock_recv(self._control, MAX_BYTES)
        except TimeoutError:
            raise DeviceError(f"the {self._name} process has not reported for {self._word_within_s:.0f} s") from None
        except OSError:
            message = b""
        if not message and self._leaving:
            await asyncio.Event().wait()  # as asked: no failure, and nothing more to do
        if not message:
            raise DeviceError(f"the {self._name} process ended")
        self._word_within_s = WORD_WITHIN_S
        return message

    def leave(self) -> None:
        """Ask it to end, at once and without waiting."""
        self._leaving = True
        with suppress(OSError):
            self._control.send(self._farewell)

    async def ended(self) -> int:
        """Its exit status, as soon as there is one."""
        return await self._process.wait()

    async def close(self, on_kill: Callable[[], None]) -> None:
        """Ask it to end, and insist after a second; `on_kill` does what one killed or crashed could not do any more."""
        self.leave()
        try:
            async with asyncio.timeout(_LEAVE_WITHIN_S):
                await self._process.wait()
        except TimeoutError:
            log.warning("the %s process does not leave and is killed pid=%d", self._name, self.pid)
        finally:
            if self._process.returncode is None:
                with suppress(ProcessLookupError):
                    self._process.kill()
            if self._process.returncode != 0:
                on_kill()
            await self._process.wait()


@asynccontextmanager
async def open_child(
    name: str,
    command: Sequence[str],
    descriptors: Sequence[int],
    farewell: bytes,
    on_kill: Callable[[], None] = lambda: None,
) -> AsyncIterator[Child]:
    """Start `command`, with the number of its end of the socket as one more argument; end it.

    Args:
        name: as people read it.
        command: what to start.
        descriptors: what it inherits.
        farewell: the message that asks it to end.
        on_kill: called if it had to be killed, or has not ended well.

    Raises:
        DeviceError: it cannot be started.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours:
        with theirs:
            ours.setblocking(False)
            try:
                process = await asyncio.create_subprocess_exec(
                    *command,
                    str(theirs.fileno()),
                    pass_fds=(*descriptors, theirs.fileno()),
                    env={**os.environ, **ONE_THREAD},
                    start_new_session=True,
                )
            except OSError as exc:
                raise DeviceError(f"the {name} process cannot be started: {exc}") from exc
        child = Child(name, process, ours, farewell)
        try:
            yield child
        finally:
            await child.close(on_kill)


def module(name: str) -> tuple[str, ...]:
    """The command that runs a module of ours."""
    return (sys.executable, "-m", name)
