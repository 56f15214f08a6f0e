"""The sound cards alone: one process plays chirps, another hears them over a cable. Two, as in the bridge: JACK then
gives them the same order, and a card the same streams.

Both know the moments of their callbacks on the clock that all processes share. Each prints lines of JSON: that it is
ready, then its result, or a problem.
"""

import json
import os
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from jambridge import realtime
from jambridge.audio.card import cards
from jambridge.audio.card.cards import Card, Direction
from jambridge.errors import DeviceError
from jambridge.latency import chirp
from jambridge.latency.chirp import Pace
from jambridge.units import SAMPLE_RATE_HZ

LEAD_S = 1.0
"""Of silence: a sound server settles."""

_PRIORITY = 20  # as the processes of the cards
_STARTS_WITHIN_S = 3.0
_LONGEST_S = 60.0  # the player's start included
_LOOK_S = 0.02
_JACK_NAMES = {Direction.INPUT: "jambridge-hears", Direction.OUTPUT: "jambridge-plays"}


@dataclass(frozen=True, slots=True)
class Played:
    """When each chirp was handed to the card."""

    card: str
    moments_s: list[float]


@dataclass(frozen=True, slots=True)
class HeardAgain:
    """How much later each chirp came from the card; only those that did."""

    card: str
    delays_ms: list[float]
    gain: float
    """Of the cable, in the louder channel, the typical one; 0 where nothing was heard."""
    rate_hz: int
    block_frames: int
    is_jack: bool


@dataclass(slots=True)
class _Log:
    """Where each callback began, and when."""

    rate_hz: float = SAMPLE_RATE_HZ
    at: int = 0
    positions: list[int] = field(default_factory=list)
    moments_s: list[float] = field(default_factory=list)

    def note(self, frames: int) -> int:
        before = self.at
        self.moments_s.append(time.monotonic())
        self.positions.append(before)
        self.at += frames
        return before

    @property
    def pace(self) -> Pace:
        count = len(self.positions)  # the card goes on meanwhile
        return Pace(self.positions[:count], self.moments_s[:count], self.rate_hz)


class Player:
    """Plays chirps for `seconds`, after a lead."""

    def __init__(self, wanted: str | None, block_frames: int, seconds: float) -> None:
        self._log = _Log()
        self._seconds = seconds
        self._sound = np.zeros(0, np.float32)
        self._begins: list[int] = []
        self._card = _found(wanted, Direction.OUTPUT)
        self._stream = cards.open_stream(self._card, Direction.OUTPUT, block_frames, self._begin, self._play)

    def run(self) -> Played:
        """Raises DeviceError if the card stands still."""
        while self._log.at < len(self._sound):
            time.sleep(_LOOK_S)
            _watch(self._card, self._log)
        pace = self._log.pace
        return Played(self._card.name, [pace.moment_s(begin) for begin in self._begins])

    def _begin(self, rate_hz: float) -> None:
        self._log.rate_hz = rate_hz
        self._log.moments_s.clear()
        self._sound, self._begins = chirp.plan(LEAD_S, self._seconds, rate_hz)
        realtime.stop_collecting()

    def _play(self, block: Any, frames: int, _moment: Any, _flags: Any) -> None:
        at = self._log.note(frames)
        out = np.frombuffer(block, np.float32).reshape(frames, -1)
        sound = self._sound[at : at + frames]
        out[: len(sound)] = sound[:, np.newaxis]
        out[len(sound) :] = 0


class Hearer:
    """Records what the card hears, from the start on."""

    def __init__(self, wanted: str | None, block_frames: int) -> None:
        self._log = _Log()
        self._card = _found(wanted, Direction.INPUT)
        self._recording = np.zeros((0, 0), np.float32)
        self._stream = cards.open_stream(self._card, Direction.INPUT, block_frames, self._begin, self._hear)
        began = time.monotonic()
        while not self._log.at:
            time.sleep(_LOOK_S)
            _watch(self._card, self._log, began)

    def find(self, moments_s: list[float]) -> HeardAgain:
        """The chirps that were played then. Raises DeviceError if the card stands still."""
        latest = max(moments_s, default=0.0) + 2 * chirp.REACH_S
        while time.monotonic() < latest:
            time.sleep(_LOOK_S)
        _watch(self._card, self._log)
        rate_hz, pace = self._log.rate_hz, self._log.pace
        found = [echo for echo in chirp.round_trips(moments_s, self._recording, pace) if echo]
        return HeardAgain(
            self._card.name,
            [round(1000 * echo.position / rate_hz, 3) for echo in found],
            round(float(np.median([echo.gain for echo in found])), 4) if found else 0.0,
            round(rate_hz),
            int(np.median(np.diff(self._log.positions))),
            self._card.is_jack,
        )

    def _begin(self, rate_hz: float) -> None:
        self._log.rate_hz = rate_hz
        channels = self._card.channels(Direction.INPUT)
        self._recording = np.zeros((int(_LONGEST_S * rate_hz), channels), np.float32)
        realtime.stop_collecting()

    def _hear(self, block: Any, frames: int, _moment: Any, _flags: Any) -> None:
        at = self._log.note(frames)
        room = self._recording[at : at + frames]
        room[:] = np.frombuffer(block, np.float32).reshape(frames, -1)[: len(room)]


def _found(wanted: str | None, direction: Direction) -> Card:
    with suppress(DeviceError):  # the look says so
        cards.call_yourself(_JACK_NAMES[direction])
    cards.look()
    card = cards.find(wanted, direction)
    if card is None:
        raise DeviceError(f"there is no sound card with {direction.article}: plug one in")
    return card


def _watch(card: Card, log: _Log, began: float = 0.0) -> None:
    newest = log.moments_s[-1] if log.moments_s else began or time.monotonic()
    if time.monotonic() - newest > _STARTS_WITHIN_S:
        raise DeviceError(f"{card.name} is open, but stands still: unplug it and plug it in again")


def _tell(answer: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> None:
    """Arguments: `hear`, card, block; or `play`, card, block, seconds. An empty name is the system's card.

    Who hears is told the moments on standard input, a list in JSON.
    """
    role, wanted, block_frames, *seconds = arguments
    realtime.be_punctual(_PRIORITY)
    try:
        if role == "hear":
            hearer = Hearer(wanted or None, int(block_frames))
            _tell({})
            _tell(asdict(hearer.find(json.loads(sys.stdin.readline()))))
        else:
            _tell(asdict(Player(wanted or None, int(block_frames), float(seconds[0])).run()))
    except DeviceError as exc:
        _tell({"problem": str(exc)})
    os._exit(0)  # without waiting for a card that does not let go


if __name__ == "__main__":
    main(sys.argv[1:])
