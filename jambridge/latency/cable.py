"""Both processes of `round_trip`, started and asked: what a cable and the cards at its ends take."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from jambridge import strict_json
from jambridge.config import AudioConfig
from jambridge.errors import DeviceError, WireError
from jambridge.latency.round_trip import LEAD_S, HeardAgain, Played
from jambridge.strict_json import JsonObject

PLAYED_S = 5.0
"""How long chirps are played."""

_STARTS_WITHIN_S = 20.0  # a Pi starts Python, and looks for cards
_MOST_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """From the output's callback to the input's: per chirp, only those that were heard again."""

    input: str
    output: str
    delays_ms: list[float]
    played: int
    gain: float
    rate_hz: int
    """Of the input, as `block_frames`."""
    block_frames: int
    is_jack: bool = False


async def measure(section: AudioConfig) -> RoundTrip:
    """Raises DeviceError: a card cannot be opened, or fails."""
    block = str(section.block_frames)
    async with _process("hear", section.input or "", block) as hearing:
        await _answer(hearing)
        async with _process("play", section.output or "", block, str(PLAYED_S)) as playing:
            played = _parsed(Played, await _answer(playing, LEAD_S + PLAYED_S))
        assert hearing.stdin is not None  # noqa: S101  a pipe, as asked for
        with suppress(ConnectionError):  # then its answer is missing
            hearing.stdin.write(json.dumps(played.moments_s).encode() + b"\n")
            await hearing.stdin.drain()
        heard = _parsed(HeardAgain, await _answer(hearing))
    return RoundTrip(
        heard.card,
        played.card,
        heard.delays_ms,
        len(played.moments_s),
        heard.gain,
        heard.rate_hz,
        heard.block_frames,
        heard.is_jack,
    )


@asynccontextmanager
async def _process(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "jambridge.latency.round_trip", *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=_MOST_BYTES,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _answer(process: asyncio.subprocess.Process, later_s: float = 0.0) -> JsonObject:
    assert process.stdout is not None  # noqa: S101  a pipe, as asked for
    try:
        async with asyncio.timeout(_STARTS_WITHIN_S + later_s):
            answer = strict_json.loads_object(await process.stdout.readline(), _MOST_BYTES)
    except TimeoutError:
        raise DeviceError("the sound cards do not open in time: unplug them and plug them in again") from None
    except (WireError, ValueError) as exc:
        raise DeviceError("the measurement of the sound cards ended without a result") from exc
    if "problem" in answer:
        raise DeviceError(str(answer["problem"]))
    return answer


def _parsed(kind: Any, answer: JsonObject) -> Any:
    try:
        return kind(**answer)
    except TypeError as exc:
        raise DeviceError("the measurement of the sound cards ended without a result") from exc
