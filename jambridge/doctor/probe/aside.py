"""Work that must not hold up the other checks: on a thread, or by another program. Whoever gives up just leaves."""

import asyncio
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from jambridge import child, strict_json
from jambridge.errors import DeviceError, WireError
from jambridge.strict_json import JsonObject

MAX_BYTES = 1024 * 1024
_CRASHED = "a library crashes in it"
_MOST_NAMES = 32  # at once

T = TypeVar("T")


class Impatient(ThreadPoolExecutor):
    """For names to be looked up in: a name server that does not answer holds a thread for half a minute.

    Nobody waits for those threads when all is told.
    """

    def __init__(self) -> None:
        super().__init__(_MOST_NAMES, thread_name_prefix="names")

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002  as its base has it
        super().shutdown(wait=False, cancel_futures=True)


async def thread(work: Callable[[], T]) -> T:
    """What `work` returns or raises; a disk that does not answer is left alone with its thread."""
    worker = ThreadPoolExecutor(1, thread_name_prefix="doctor")
    try:
        return await asyncio.get_running_loop().run_in_executor(worker, work)
    finally:
        worker.shutdown(wait=False)


async def program(command: Sequence[str], environment: Mapping[str, str] | None = None) -> tuple[int, str] | None:
    """Exit status and the beginning of what it printed; None where there is no such program."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=environment,
        )
    except OSError:
        return None
    try:
        assert process.stdout is not None  # noqa: S101  asked for above
        said = bytearray()
        while len(said) < MAX_BYTES and (more := await process.stdout.read(MAX_BYTES)):
            said += more
        if len(said) >= MAX_BYTES:
            process.kill()
        return await process.wait(), said.decode(errors="replace")
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def ours(module: str, *arguments: str) -> JsonObject:
    """The JSON object that a module of ours prints, run as a program: drivers may hang or crash, and list cards once.

    Raises:
        DeviceError: it printed none.
    """
    said = await program([sys.executable, "-m", module, *arguments], {**os.environ, **child.ONE_THREAD})
    try:
        return strict_json.loads_object(said[1] if said else "", MAX_BYTES)
    except WireError as exc:
        raise DeviceError(f"{module} says nothing: {_CRASHED}") from exc
