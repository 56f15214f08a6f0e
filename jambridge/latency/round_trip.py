"""The process that measures the sound cards alone: what is played is heard again over a cable. Prints JSON, and ends.

Input and output are streams of their own, as in the processes of the bridge, with blocks as long as theirs.
"""

import json
import os
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from jambridge import realtime, strict_json
from jambridge.audio import cards
from jambridge.audio.cards import Card, Direction, Stream
from jambridge.errors import DeviceError, WireError
from jambridge.latency import chirp
from jambridge.units import SAMPLE_RATE_HZ

JACK_NAME = "jambridge-loopback"
LEAD_S = 1.0
"""Of silence: a sound server settles."""

_PRIORITY = 20  # as the processes of the cards
_STARTS_WITHIN_S = 3.0
_MORE_S = 0.2
_MOST_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """From the output's callback to the input's, per chirp; only those that were heard again."""

    input: str
    output: str
    delays_ms: list[float]
    played: int
    gain: float
    """Of the cable, in the louder channel, the typical one; 0 where nothing was heard."""


@dataclass(slots=True)
class _Log:
    """Where each callback began, and when."""

    rate_hz: float = SAMPLE_RATE_HZ
    at: int = 0
    positions: list[int] = field(default_factory=list)
    moments_s: list[float] = field(default_factory=list)

    def note(self, frames: int) -> int:
        before = self.at
        self.positions.append(before)
        self.moments_s.append(time.monotonic())
        self.at += frames
        return before

    def begin(self, rate_hz: float) -> None:
        self.rate_hz = rate_hz

    @property
    def pace(self) -> chirp.Pace:
        return chirp.Pace(self.positions, self.moments_s, self.rate_hz)


class Measurement:
    """Plays chirps on one card, and records what the other hears."""

    def __init__(self, wanted_input: str | None, wanted_output: str | None, block_frames: int, seconds: float) -> None:
        self._seconds = seconds
        self._block_frames = block_frames
        cards.look()
        self._input = _card(wanted_input, Direction.INPUT)
        self._output = _card(wanted_output, Direction.OUTPUT)
        self._heard, self._played = _Log(), _Log()
        self._sound = np.zeros(0, np.float32)
        self._recording = np.zeros((0, 0), np.float32)
        self._begins: list[int] = []

    def run(self) -> RoundTrip:
        """Raises DeviceError if a card cannot be opened, or stands still."""
        streams = [self._open(self._input, Direction.INPUT), self._open(self._output, Direction.OUTPUT)]
        self._await_end()
        del streams  # left as they are: a dead card may not let go, and this process ends
        echoes = chirp.round_trips(self._begins, self._played.pace, self._recording, self._heard.pace)
        there = [echo for echo in echoes if echo]
        frame_ms = 1000 / self._heard.rate_hz
        delays = [round(echo.position * frame_ms, 3) for echo in there]
        gain = float(np.median([echo.gain for echo in there])) if there else 0.0
        return RoundTrip(self._input.name, self._output.name, delays, len(echoes), round(gain, 4))

    def _open(self, card: Card, direction: Direction) -> Stream:
        if direction is Direction.INPUT:
            return cards.open_stream(card, direction, self._block_frames, self._begin_input, self._hear)
        return cards.open_stream(card, direction, self._block_frames, self._begin_output, self._play)

    def _begin_input(self, rate_hz: float) -> None:
        self._heard.begin(rate_hz)
        frames = int((LEAD_S + self._seconds + _STARTS_WITHIN_S + _MORE_S) * rate_hz)
        self._recording = np.zeros((frames, self._input.channels(Direction.INPUT)), np.float32)

    def _begin_output(self, rate_hz: float) -> None:
        self._played.begin(rate_hz)
        self._sound, self._begins = chirp.plan(LEAD_S, self._seconds, rate_hz)
        realtime.stop_collecting()

    def _hear(self, block: Any, frames: int, _moment: Any, _flags: Any) -> None:
        at = self._heard.note(frames)
        room = self._recording[at : at + frames]
        room[:] = np.frombuffer(block, np.float32).reshape(frames, -1)[: len(room)]

    def _play(self, block: Any, frames: int, _moment: Any, _flags: Any) -> None:
        at = self._played.note(frames)
        out = np.frombuffer(block, np.float32).reshape(frames, -1)
        sound = self._sound[at : at + frames]
        out[: len(sound)] = sound[:, np.newaxis]
        out[len(sound) :] = 0

    def _await_end(self) -> None:
        began, frames = time.monotonic(), len(self._sound)
        latest = LEAD_S + self._seconds + _STARTS_WITHIN_S
        while self._played.at < frames and time.monotonic() - began < latest:
            time.sleep(0.05)
            for card, log in ((self._input, self._heard), (self._output, self._played)):
                if time.monotonic() - (log.moments_s or [began])[-1] > _STARTS_WITHIN_S:
                    raise DeviceError(f"{card.name} is open, but stands still: unplug it and plug it in again")
        time.sleep(_MORE_S)


def parse(told: bytes) -> RoundTrip:
    """What the process has printed.

    Raises:
        DeviceError: it says that a card fails, or says nothing.
    """
    try:
        answer = strict_json.loads_object(told, _MOST_BYTES)
        if "problem" in answer:
            raise DeviceError(str(answer["problem"]))
        return RoundTrip(**answer)
    except (WireError, TypeError) as exc:
        raise DeviceError("the measurement of the sound cards ended without a result") from exc


def _card(wanted: str | None, direction: Direction) -> Card:
    card = cards.find(wanted, direction)
    if card is None:
        raise DeviceError(f"there is no sound card with {direction.article}: plug one in")
    return card


def main(arguments: list[str]) -> None:
    """Arguments: input, output, block and seconds; an empty name is the system's card."""
    wanted_input, wanted_output, block_frames, seconds = arguments
    realtime.be_punctual(_PRIORITY)
    with suppress(DeviceError):
        cards.call_yourself(JACK_NAME)
    try:
        measurement = Measurement(wanted_input or None, wanted_output or None, int(block_frames), float(seconds))
        answer: dict[str, object] = asdict(measurement.run())
    except DeviceError as exc:
        answer = {"problem": str(exc)}
    sys.stdout.write(json.dumps(answer))
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
