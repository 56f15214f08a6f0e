"""Sound cards, as PortAudio sees them: found by name and opened in one direction; its errors as sentences that help.

PortAudio lists the cards once, when it starts. Looking anew starts it anew, which ends every stream of the process.
"""

import ctypes
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from types import ModuleType
from typing import Any, Protocol

from jambridge.audio.card import kernel
from jambridge.errors import DeviceError
from jambridge.units import SAMPLE_RATE_HZ

NO_DEVICE = "none"
DEFAULT_NAMES = ("default", "sysdefault", "pulse", "pipewire")
OUR_JACK_NAMES = "jambridge-"  # what all begin with
MOST_CHANNELS = 2
OTHER_RATE_HZ = 44_100

_LONGEST_S = 2.0
_BUSY = -9985  # paDeviceUnavailable
_BAD_RATE = -9997  # paInvalidSampleRate
_names: list[ctypes.Array[ctypes.c_char]] = []  # PortAudio keeps the pointers

Callback = Callable[[Any, int, Any, Any], None]
"""PortAudio's own: a buffer of float32, channel beside channel, frames, time, flags."""


class Direction(Enum):
    """Of sound, seen from the card; `value` is the configuration's key."""

    INPUT = "input"
    OUTPUT = "output"

    @property
    def article(self) -> str:
        return f"an {self.value}"


@dataclass(frozen=True, slots=True)
class Card:
    """A card as PortAudio numbers it now; `inputs` and `outputs` are channels."""

    number: int
    name: str
    inputs: int
    outputs: int
    is_jack: bool = False

    def channels(self, direction: Direction) -> int:
        return min(MOST_CHANNELS, self.inputs if direction is Direction.INPUT else self.outputs)


class Stream(Protocol):
    """What is used of a sounddevice stream."""

    latency: float
    samplerate: float

    def start(self) -> None: ...


def look() -> None:
    """See what was plugged in or out since; it ends every stream of this process.

    Raises:
        DeviceError: PortAudio is missing, or cannot look.
    """
    with portaudio() as sounddevice, _quiet():
        with suppress(sounddevice.PortAudioError):  # it did not start the last time
            sounddevice._terminate()  # noqa: SLF001  the only way to see a card that came later
        sounddevice._initialize()  # noqa: SLF001


def cards() -> tuple[Card, ...]:
    """Every sound card, as of the latest `look`; in JACK also other programs, but none of ours.

    Raises:
        DeviceError: as above.
    """
    with portaudio() as sounddevice:
        hosts = [str(host["name"]) for host in sounddevice.query_hostapis()]
        found = (
            Card(
                number,
                str(one["name"]),
                int(one["max_input_channels"]),
                int(one["max_output_channels"]),
                hosts[one["hostapi"]].startswith("JACK"),
            )
            for number, one in enumerate(sounddevice.query_devices())
        )
        return tuple(card for card in found if not (card.is_jack and card.name.startswith(OUR_JACK_NAMES)))


def find(wanted: str | None, direction: Direction) -> Card | None:
    """The card whose name contains `wanted`; without that the system's default, None where there is no card at all.

    Raises:
        DeviceError: there is no such card, or none may be used.
    """
    found = [card for card in cards() if card.channels(direction)]
    if wanted is None:
        return _default(found, direction)
    named = [card for card in found if wanted.lower() in card.name.lower()]
    if named:
        return min(named, key=lambda card: card.name.lower() != wanted.lower())
    raise DeviceError(_absent(wanted, direction, [card.name for card in found]))


def _default(found: Sequence[Card], direction: Direction) -> Card | None:
    """JACK's where its server runs: then the card is in its hands."""
    if not found and (reason := kernel.not_permitted()):
        raise DeviceError(reason)
    with portaudio() as sounddevice:
        number = sounddevice.default.device[direction is Direction.OUTPUT]
    jack = [card for card in found if card.is_jack and card.name == "system"]
    return min(jack or found, key=lambda card: card.number != number, default=None)


def open_stream(
    card: Card,
    direction: Direction,
    block_frames: int,
    begin: Callable[[float], None],
    callback: Callback,
    jack_frames: int = 0,
) -> Stream:
    """A started stream of float32 at 48 kHz, or at 44.1 kHz where the card knows only that.

    `begin` is told the rate before the first `callback`. JACK has a period of its own, which is taken as it is: with
    `jack_frames` so many are collected of it, or played ahead.

    Raises:
        DeviceError: it is in use, knows neither rate, or fails.
    """
    for rate_hz in (SAMPLE_RATE_HZ, OTHER_RATE_HZ):
        try:
            stream = _opened(card, direction, jack_frames if card.is_jack else block_frames, callback, rate_hz)
        except _RateRefusedError:
            continue
        begin(rate_hz)
        with portaudio():
            stream.start()
        return stream
    key = f"audio.{direction.value}"
    raise DeviceError(f"{card.name} takes neither 48 kHz nor 44.1 kHz: set it to 48 kHz, or name another card ({key})")


def latency_s(stream: Stream) -> float:
    """As the driver says; 0 where that makes no sense, as some say of JACK."""
    return stream.latency if 0 <= stream.latency < _LONGEST_S else 0.0


class _RateRefusedError(Exception):
    pass


def _opened(card: Card, direction: Direction, block_frames: int, callback: Callback, rate_hz: int) -> Stream:
    with portaudio() as sounddevice, _quiet():
        kind = sounddevice.RawInputStream if direction is Direction.INPUT else sounddevice.RawOutputStream
        try:
            stream: Stream = kind(
                samplerate=rate_hz,
                blocksize=block_frames,
                device=card.number,
                channels=card.channels(direction),
                dtype="float32",
                latency="low",
                callback=callback,
            )
        except sounddevice.PortAudioError as exc:
            code = exc.args[1] if len(exc.args) > 1 else 0
            if code == _BAD_RATE:
                raise _RateRefusedError from exc
            raise DeviceError(_cannot_open(card, direction, code, str(exc.args[0]))) from exc
    return stream


def call_yourself(name: str) -> None:
    """The name of this process in JACK's graph, from the next `look` on.

    Raises:
        DeviceError: PortAudio is missing.
    """
    with portaudio() as sounddevice, suppress(AttributeError):  # a PortAudio without JACK
        _names.append(ctypes.create_string_buffer(name.encode()))
        ctypes.CDLL(sounddevice._libname).PaJack_SetClientName(_names[-1])  # noqa: SLF001  sounddevice does not offer it


@contextmanager
def portaudio() -> Iterator[ModuleType]:
    """The library, with its errors as ours."""
    try:
        with _quiet():
            import sounddevice
    except OSError as exc:
        raise DeviceError("PortAudio is missing: sudo apt install libportaudio2") from exc
    try:
        yield sounddevice
    except (sounddevice.PortAudioError, ValueError) as exc:
        raise DeviceError(f"PortAudio fails: {exc}") from exc


def _absent(wanted: str, direction: Direction, names: Sequence[str]) -> str:
    if reason := kernel.not_permitted():
        return reason
    if owner := kernel.in_use(wanted, is_input=direction is Direction.INPUT):
        return _busy(wanted, direction, owner)
    there = f"there are: {', '.join(names)}" if names else f"there is no card with {direction.article} at all"
    return f"no sound card with {direction.article} is called {wanted!r} (audio.{direction.value}); {there}"


def _cannot_open(card: Card, direction: Direction, code: int, said: str) -> str:
    if reason := kernel.not_permitted():
        return reason
    if code == _BUSY or "busy" in said.lower() or "unavailable" in said.lower():
        owner = kernel.in_use(card.name, is_input=direction is Direction.INPUT)
        return _busy(card.name, direction, owner or "another program")
    return f"{card.name} cannot be opened (audio.{direction.value}): {said}"


def _busy(name: str, direction: Direction, owner: str) -> str:
    return f"{name} is in use by {owner}: end that, or name another card (audio.{direction.value})"


@contextmanager
def _quiet() -> Iterator[None]:
    """ALSA and JACK write what they did not find to standard error, dozens of lines."""
    saved, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    os.close(nothing)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
