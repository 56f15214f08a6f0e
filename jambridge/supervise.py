"""Keep one service running, whatever happens to it. The only broad `except`."""

import asyncio
import enum
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from jambridge.errors import AwayError, JambridgeError, UnavailableError

log = logging.getLogger(__name__)

FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 30.0
SETTLED_S = 60.0  # a service up this long has earned a fresh start
AWAY_S = 15.0  # another hub is up in less


class Service(Protocol):
    async def run(self) -> None:
        """Work until cancelled. Returning early counts as a failure."""


class State(enum.Enum):
    STARTING = "starting"
    RUNNING = "running"
    WAITING = "waiting"


@dataclass(slots=True)
class Health:
    """What the status page shows of one service."""

    name: str
    state: State = State.STARTING
    restarts: int = 0
    last_error: str | None = None
    told: str | None = None
    """The last error that was logged since it ran for long."""
    is_missed: bool = False
    """It was logged that it failed, and not yet that it runs again."""
    running_since_s: float | None = None
    away_since_s: float | None = None


async def supervise(
    health: Health,
    open_service: Callable[[], AbstractAsyncContextManager[Service]],
    *,
    longest_delay_s: float = LONGEST_DELAY_S,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> None:
    """Open, run and close a service again and again, until cancelled.

    Raises:
        UnavailableError: from the service: what was asked for is not there, and trying again would not help.
    """
    task = asyncio.current_task()
    assert task is not None  # noqa: S101  a coroutine runs in a task
    delay_s = FIRST_DELAY_S
    while True:
        started_s = monotonic()
        health.state = State.STARTING
        try:
            # In a task of its own: on 3.11 a TaskGroup that failed leaves its task looking as if it were being stopped.
            await asyncio.create_task(_run_once(health, open_service, monotonic))
            _report(health, JambridgeError("ended by itself"), monotonic())
        except asyncio.CancelledError as exc:
            if task.cancelling():
                raise  # we are being stopped
            _report(health, exc, monotonic())  # leaked from a library: a failure like any other
        except UnavailableError:
            raise
        except Exception as exc:  # noqa: BLE001  the one place that isolates failures
            _report(health, exc, monotonic())
        if task.cancelling():
            raise asyncio.CancelledError  # the service failed while we were being stopped
        if monotonic() - started_s >= SETTLED_S:
            delay_s = FIRST_DELAY_S
        health.state, health.running_since_s = State.WAITING, None
        health.restarts += 1
        await sleep(delay_s)
        delay_s = min(2 * delay_s, longest_delay_s)


async def _run_once(
    health: Health, open_service: Callable[[], AbstractAsyncContextManager[Service]], monotonic: Callable[[], float]
) -> None:
    async with open_service() as service:
        health.state, health.running_since_s = State.RUNNING, monotonic()
        health.away_since_s = None
        if health.is_missed:
            health.is_missed = False
            log.info("service runs again name=%s", health.name)
        await service.run()


def _report(health: Health, exc: BaseException, now_s: float) -> None:
    """Log a deliberate error as one line, a bug with its traceback, who has left as it should only after a while."""
    while isinstance(exc, BaseExceptionGroup) and len(exc.exceptions) == 1:
        exc = exc.exceptions[0]
    group = exc if isinstance(exc, BaseExceptionGroup) else BaseExceptionGroup("", [exc])
    _, unexpected = group.split(JambridgeError)
    health.last_error = str(exc) if isinstance(exc, JambridgeError) else f"{type(exc).__name__}: {exc}"
    if isinstance(exc, AwayError):
        health.away_since_s = now_s
        log.info("%s name=%s", exc, health.name)
        return
    if health.running_since_s is not None and now_s - health.running_since_s >= SETTLED_S:
        health.told = None  # the same once more, but another time
    is_awaited = health.away_since_s is not None and now_s - health.away_since_s < AWAY_S and not unexpected
    if is_awaited or health.last_error == health.told:
        log.debug("service failed again name=%s", health.name)
        return
    health.told, health.is_missed = health.last_error, True
    if unexpected:
        log.error("service failed name=%s error=%r", health.name, exc, exc_info=exc)
    else:
        log.warning("service failed name=%s error=%s", health.name, exc)
