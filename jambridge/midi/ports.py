"""MIDI ports, over python-rtmidi: the only module that knows it. Its errors become DeviceError here.

ALSA's sequencer where the kernel has one that this user may use, else a JACK server. A port that has gone says nothing,
neither does a server: ports are told by their names in the list, and a JACK server by a pulse that has to come back.
"""

import os
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import rtmidi

from jambridge.errors import DeviceError
from jambridge.midi import choice
from jambridge.midi.choice import OWN
from jambridge.midi.message import ACTIVE_SENSING, MAX_SYSEX, MAX_SYSEX_JACK
from jambridge.units import LocalSeconds

ALSA = Path("/dev/snd/seq")
NONE = "no MIDI: neither an ALSA sequencer (/dev/snd/seq) nor a JACK server is there"
NOT_ALLOWED = "no MIDI: no permission for the ALSA sequencer (/dev/snd/seq), and no JACK server is there"
CLIENT = f"{OWN}-midi"
PULSE_S = 2.0  # a JACK server that does not give it back so long has ended or is frozen
_PULSE = f"pulse {os.getpid()}"

OnBytes = Callable[[int, bytes, LocalSeconds], None]
"""Takes what came into an input, on a thread of the driver: the input's number, the bytes, and when."""


class Ports:
    """Ports in use by their names. Raises DeviceError where there is no MIDI at all."""

    def __init__(self, on_bytes: OnBytes) -> None:
        self._on_bytes = on_bytes
        self._inputs: dict[str, tuple[int, Any]] = {}
        self._outputs: dict[str, Any] = {}
        self._numbers = 0
        self._api, self._sources, self._sinks = _open_system()
        self._pulse = Pulse(self._sources, self._sinks) if self._api == rtmidi.API_UNIX_JACK else None

    @property
    def inputs(self) -> tuple[str, ...]:
        return tuple(self._inputs)

    @property
    def outputs(self) -> tuple[str, ...]:
        return tuple(self._outputs)

    @property
    def longest(self) -> int:
        """Bytes of a message that the outputs take."""
        return MAX_SYSEX if self._pulse is None else MAX_SYSEX_JACK

    @property
    def numbers(self) -> dict[int, str]:
        """The inputs in use by their numbers."""
        return {number: name for name, (number, _) in self._inputs.items()}

    def present(self) -> tuple[list[str], list[str]]:
        """All inputs and all outputs that there are.

        Raises:
            DeviceError: the JACK server has gone.
        """
        if self._pulse is not None and not self._pulse.beats():
            raise DeviceError("the JACK server has stopped")
        return self._sources.get_ports(), self._sinks.get_ports()

    def take_inputs(self, names: Iterable[str]) -> list[int]:
        """Use these and no others; the numbers of those that were given up."""
        wanted = list(names)
        gone = [name for name in self._inputs if name not in wanted]
        numbers = [self._inputs[name][0] for name in gone]
        for name in gone:
            _close(self._inputs.pop(name)[1])
        for name in wanted:
            if name not in self._inputs:
                self._open_input(name)
        return numbers

    def take_outputs(self, names: Iterable[str]) -> list[str]:
        """Use these and no others; the names of those that are new."""
        wanted = list(names)
        for name in [name for name in self._outputs if name not in wanted]:
            _close(self._outputs.pop(name))
        return [name for name in wanted if name not in self._outputs and self._open_output(name)]

    def send(self, message: bytes, names: Iterable[str] | None = None) -> None:
        """To all outputs in use, or to those named. One that fails is given up, and found again if it is there."""
        for name in tuple(self._outputs) if names is None else names:
            try:
                self._outputs[name].send_message(message)
            except (rtmidi.RtMidiError, ValueError):
                _close(self._outputs.pop(name))

    def _open_input(self, name: str) -> None:
        self._numbers += 1
        number = self._numbers
        port = _open(rtmidi.MidiIn, self._api)
        port.ignore_types(sysex=False, timing=False, active_sense=False)
        port.set_callback(lambda event, _: self._on_bytes(number, bytes(event[0]), LocalSeconds(time.monotonic())))
        if _connect(port, name):
            self._inputs[name] = number, port

    def _open_output(self, name: str) -> bool:
        port = _open(rtmidi.MidiOut, self._api)
        if _connect(port, name):
            self._outputs[name] = port
        return name in self._outputs


class Pulse:
    """A message that a JACK server brings back to us while it lives, from one client of ours to another."""

    def __init__(self, receiver: Any, sender: Any) -> None:
        self._back: deque[float] = deque([time.monotonic()], maxlen=1)
        self._out = sender
        receiver.ignore_types(active_sense=False)
        receiver.set_callback(lambda _event, _data: self._back.append(time.monotonic()))
        receiver.open_virtual_port(_PULSE)
        own = [name for name in sender.get_ports() if name.endswith(f":{_PULSE}")]
        _connect(sender, own[-1] if own else "")

    def beats(self) -> bool:
        self._out.send_message((ACTIVE_SENSING,))
        return time.monotonic() - self._back[0] < PULSE_S


def present() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of all inputs and outputs but our own, for whoever asks once.

    Raises:
        DeviceError: there is no MIDI at all.
    """
    _, receiver, sender = _open_system()
    try:
        return choice.choose(receiver.get_ports(), ("",)).ports, choice.choose(sender.get_ports(), ("",)).ports
    finally:
        receiver.delete()
        sender.delete()


def _open_system() -> tuple[int, Any, Any]:
    """Which there is, and a client for each direction. A sequencer's node may be there without a driver behind it."""
    may_use_alsa = os.access(ALSA, os.R_OK | os.W_OK)
    for api in (*((rtmidi.API_LINUX_ALSA,) if may_use_alsa else ()), rtmidi.API_UNIX_JACK):
        with suppress(rtmidi.RtMidiError):
            return api, rtmidi.MidiIn(api, name=CLIENT), rtmidi.MidiOut(api, name=CLIENT)
    raise DeviceError(NONE if may_use_alsa or not ALSA.exists() else NOT_ALLOWED)


def _open(kind: Any, api: int) -> Any:
    try:
        return kind(api, name=CLIENT)
    except rtmidi.RtMidiError as exc:
        raise DeviceError(NONE) from exc


def _connect(port: Any, name: str) -> bool:
    """False where it has just gone."""
    try:
        port.open_port(port.get_ports().index(name), name.replace(":", " ")[:32])
    except (ValueError, rtmidi.RtMidiError):
        port.delete()
        return False
    return True


def _close(port: Any) -> None:
    with suppress(rtmidi.RtMidiError):
        port.delete()
