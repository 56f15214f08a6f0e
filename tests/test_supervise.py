"""Supervision: failures are isolated, retried and reported."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from jambridge.errors import AwayError, DeviceError, LinkError, UnavailableError
from jambridge.supervise import Health, State, supervise


class FailsTwice:
    def __init__(self, error: BaseException) -> None:
        self.error = error
        self.opened = self.closed = 0
        self.settled = asyncio.Event()

    @asynccontextmanager
    async def open(self) -> AsyncIterator["FailsTwice"]:
        self.opened += 1
        try:
            yield self
        finally:
            self.closed += 1

    async def run(self) -> None:
        if self.opened <= 2:
            raise self.error
        self.settled.set()
        await asyncio.Event().wait()


@pytest.mark.parametrize(
    "error",
    [DeviceError("unplugged"), KeyError("bug"), asyncio.CancelledError("leaked")],
    ids=repr,
)
def test_a_failing_service_is_closed_and_reopened_with_growing_delays(
    error: BaseException,
) -> None:
    slept: list[float] = []

    async def sleep(delay_s: float) -> None:
        slept.append(delay_s)

    async def scenario() -> None:
        health, service = Health("led"), FailsTwice(error)
        task = asyncio.create_task(supervise(health, service.open, sleep=sleep, monotonic=lambda: 0.0))
        async with asyncio.timeout(2):
            await service.settled.wait()

        assert (health.state, health.restarts) == (State.RUNNING, 2)
        assert slept == [0.5, 1.0]

        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert service.closed == 3

    asyncio.run(scenario())


def test_one_failing_service_leaves_the_other_running() -> None:
    enough = asyncio.Event()

    class Audio:
        async def run(self) -> None:
            for _ in range(50):
                await asyncio.sleep(0)
            enough.set()
            await asyncio.Event().wait()

    @asynccontextmanager
    async def audio() -> AsyncIterator[Audio]:
        yield Audio()

    @asynccontextmanager
    async def lights() -> AsyncIterator[Audio]:
        raise RuntimeError("bug")
        yield Audio()

    async def scenario() -> None:
        led = Health("led")
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(supervise(Health("audio"), audio)),
                group.create_task(supervise(led, lights)),
            ]
            await enough.wait()
            for task in tasks:
                task.cancel()
        assert led.last_error == "RuntimeError: bug"

    asyncio.run(scenario())


def test_what_is_not_there_ends_the_process_instead_of_being_tried_again() -> None:
    @asynccontextmanager
    async def room() -> AsyncIterator[FailsTwice]:
        raise UnavailableError("Session not found")
        yield FailsTwice(KeyError())

    with pytest.raises(UnavailableError):
        asyncio.run(supervise(Health("room"), room))


def test_a_service_that_fails_while_being_stopped_is_not_restarted() -> None:
    class Stubborn:
        async def run(self) -> None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                raise DeviceError("would not let go") from None

    @asynccontextmanager
    async def stubborn() -> AsyncIterator[Stubborn]:
        yield Stubborn()

    async def scenario() -> None:
        health = Health("room")
        task = asyncio.create_task(supervise(health, stubborn))
        while health.state != State.RUNNING:  # noqa: ASYNC110  the service's own progress
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        async with asyncio.timeout(2):
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(scenario())


def test_who_left_as_it_should_is_only_warned_of_once_it_has_been_away_for_long(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now_s = [0.0]
    failures = [AwayError("the hub has gone"), *[LinkError("no hub answers")] * 3]

    class Room:
        async def run(self) -> None:
            raise failures.pop(0)

    @asynccontextmanager
    async def room() -> AsyncIterator[Room]:
        if len(failures) < 4:
            raise failures.pop(0) if failures else UnavailableError("the end")
        yield Room()

    async def sleep(_delay_s: float) -> None:
        now_s[0] += 10

    with caplog.at_level(logging.INFO), pytest.raises(UnavailableError):
        asyncio.run(supervise(Health("room"), room, sleep=sleep, monotonic=lambda: now_s[0]))
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", "the hub has gone name=room"),
        ("WARNING", "service failed name=room error=no hub answers"),
    ]


def test_each_outage_is_two_lines_however_long_it_flaps(caplog: pytest.LogCaptureFixture) -> None:
    now_s = [0.0]
    lasts_s = [0.0, 0.0, 100.0, 0.0, 70.0]

    class Link:
        async def run(self) -> None:
            now_s[0] += lasts_s.pop(0)
            raise LinkError("no answer")

    @asynccontextmanager
    async def link() -> AsyncIterator[Link]:
        if not lasts_s:
            raise UnavailableError("the end")
        yield Link()

    with caplog.at_level(logging.INFO), pytest.raises(UnavailableError):
        asyncio.run(
            supervise(Health("mqtt"), link, sleep=lambda _delay_s: asyncio.sleep(0), monotonic=lambda: now_s[0])
        )
    outage = ["service failed name=mqtt error=no answer", "service runs again name=mqtt"]
    assert [record.getMessage() for record in caplog.records] == [*outage, *outage, outage[0]]


class FailsInAGroup(FailsTwice):
    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(super().run())


def test_a_failing_task_group_is_a_failure_and_not_a_request_to_stop() -> None:
    async def scenario() -> None:
        health, service = Health("led"), FailsInAGroup(DeviceError("unplugged"))
        task = asyncio.create_task(supervise(health, service.open, sleep=lambda _: asyncio.sleep(0)))
        async with asyncio.timeout(2):
            await service.settled.wait()

        assert (health.state, health.restarts) == (State.RUNNING, 2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())
