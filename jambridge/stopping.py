"""When the daemon ends: at a signal, or with the process that started it."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

from jambridge.errors import ExitStatus

EXIT_WITHIN_S = 2.7


def stop() -> None:
    """End as at a SIGTERM."""
    signal.raise_signal(signal.SIGTERM)


def let_go() -> None:
    """Between two runs a signal ends the process at once: there is nothing to say goodbye to."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: os._exit(ExitStatus.OK))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def on_signals(*, with_parent: bool, reload: Callable[[], None]) -> asyncio.Future[None]:
    """Done at the first signal; whatever hangs then, the process is gone in time. SIGHUP calls `reload` in the loop.

    Not the event loop's own handlers: these run between two lines of whatever keeps the loop from running.
    """
    loop = asyncio.get_running_loop()
    stopped: asyncio.Future[None] = loop.create_future()
    asked = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            os._exit(ExitStatus.OK)  # once more: at once
        asked = True
        signal.setitimer(signal.ITIMER_REAL, EXIT_WITHIN_S)
        loop.call_soon_threadsafe(stopped.set_result, None)

    def read_parent() -> None:
        if not os.read(sys.stdin.fileno(), 64):
            loop.remove_reader(sys.stdin.fileno())
            stop(signal.SIGTERM, None)

    signal.signal(signal.SIGALRM, lambda _number, _frame: os._exit(ExitStatus.OK))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    if with_parent:
        loop.add_reader(sys.stdin.fileno(), read_parent)
    signal.signal(signal.SIGHUP, lambda _number, _frame: loop.call_soon_threadsafe(reload))
    return stopped
