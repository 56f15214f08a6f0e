"""The sound cards that are there, asked of a child: looking takes a moment, and must not disturb a stream of ours."""

import asyncio
import json
import sys
from dataclasses import asdict

from jambridge import strict_json
from jambridge.audio.card import cards as local
from jambridge.audio.card.cards import Card
from jambridge.errors import DeviceError, WireError

WITHIN_S = 5.0
_MOST_BYTES = 256 * 1024


async def cards(within_s: float = WITHIN_S) -> tuple[Card, ...]:
    """Every card that PortAudio sees now.

    Raises:
        DeviceError: PortAudio is missing or fails, or did not answer in time.
    """
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "jambridge.audio.card.probe",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(within_s):
            told, _ = await child.communicate()
    except TimeoutError:
        raise DeviceError("PortAudio does not list the sound cards") from None
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    try:
        answer = strict_json.loads_object(told, _MOST_BYTES)
    except WireError as exc:
        raise DeviceError("PortAudio fails when it lists the sound cards") from exc
    if "problem" in answer:
        raise DeviceError(str(answer["problem"]))
    return tuple(Card(**card) for card in answer["cards"])


def main() -> None:
    try:
        answer: dict[str, object] = {"cards": [asdict(card) for card in local.cards()]}
    except DeviceError as exc:
        answer = {"problem": str(exc)}
    print(json.dumps(answer))  # noqa: T201  read by our parent


if __name__ == "__main__":
    main()
