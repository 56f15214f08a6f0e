"""What is plugged in: sound cards and MIDI ports, each a list or the reason why there is none."""

import logging
from dataclasses import dataclass

from jambridge.errors import DeviceError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Card:
    """A sound card as PortAudio names it; channels in each direction."""

    name: str
    inputs: int
    outputs: int


@dataclass(frozen=True, slots=True)
class MidiPorts:
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def cards() -> tuple[Card, ...]:
    """Every sound card.

    Raises:
        DeviceError: PortAudio is missing or cannot look.
    """
    try:
        import sounddevice
    except OSError as exc:
        raise DeviceError("PortAudio is missing: sudo apt install libportaudio2") from exc
    try:
        found = sounddevice.query_devices()
    except sounddevice.PortAudioError as exc:
        raise DeviceError(f"PortAudio cannot list the sound cards: {exc}") from exc
    return tuple(
        Card(str(one["name"]), int(one["max_input_channels"]), int(one["max_output_channels"])) for one in found
    )


def midi_ports() -> MidiPorts:
    """Every MIDI port.

    Raises:
        DeviceError: there is neither an ALSA sequencer nor JACK.
    """
    import rtmidi

    try:
        receiver, sender = rtmidi.MidiIn(), rtmidi.MidiOut()
    except rtmidi.SystemError as exc:
        raise DeviceError("no MIDI: neither an ALSA sequencer (/dev/snd/seq) nor a JACK server is there") from exc
    try:
        return MidiPorts(tuple(receiver.get_ports()), tuple(sender.get_ports()))
    finally:
        receiver.delete()
        sender.delete()
