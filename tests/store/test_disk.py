"""A disk that hangs is shown, and holds up nobody."""

import asyncio
import threading

import pytest

from jambridge.errors import DeviceError
from jambridge.store.disk import Disk


def test_a_disk_that_hangs_is_shown_while_others_go_on() -> None:
    async def scenario() -> None:
        disk, answers = Disk(slow_s=0.05), threading.Event()
        saving = asyncio.create_task(disk.call(answers.wait))
        async with asyncio.timeout(20):
            while disk.trouble.reason is None:  # noqa: ASYNC110  the disk's own silence
                await asyncio.sleep(0.01)
            assert disk.trouble.reason == "the disk has not answered for 0.05 s"
            assert not saving.done()
            answers.set()
            assert await saving
        disk.close(lambda: None)

    asyncio.run(scenario())


def test_what_nobody_waits_for_any_more_is_still_done_and_then_closed() -> None:
    done: list[str] = []

    async def scenario() -> None:
        disk, answers = Disk(), threading.Event()

        def work() -> None:
            answers.wait(20)
            done.append("saved")
            raise DeviceError("too late for anyone to hear")

        closed = threading.Event()
        saving = asyncio.create_task(disk.call(work))
        await asyncio.sleep(0)
        saving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await saving
        disk.close(closed.set)
        answers.set()
        assert await asyncio.to_thread(closed.wait, 20)

    asyncio.run(scenario())
    assert done == ["saved"]


def test_what_failed_is_shown_until_something_was_written() -> None:
    async def scenario() -> None:
        disk = Disk()

        def fail() -> None:
            raise DeviceError("the disk is full")

        with pytest.raises(DeviceError):
            await disk.call(fail)
        assert await disk.call(lambda: "read") == "read"
        assert disk.trouble.reason == "the disk is full"
        disk.trouble.healed()
        assert disk.trouble.reason is None
        disk.close(lambda: None)

    asyncio.run(scenario())
