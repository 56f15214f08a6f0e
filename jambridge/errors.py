"""Every error jambridge raises on purpose, and the texts that people read. Anything else escaping is a bug."""

import enum


class JambridgeError(Exception):
    """Root of the deliberate errors."""


class UsageError(JambridgeError):
    """The command line asks for something impossible; exit status 64."""


class UnavailableError(JambridgeError):
    """What was asked for is not there; exit status 69."""


class OccupiedError(UnavailableError):
    """A new room was asked for, and somebody is in it."""


class ConfigError(JambridgeError):
    """The configuration cannot be used; the process exits with status 78."""


class WireError(JambridgeError):
    """Bytes from outside do not follow their protocol; the message is dropped."""


class DeviceError(JambridgeError):
    """A sound card, MIDI port or controller failed; its service restarts."""


class LinkError(JambridgeError):
    """The room or a peer cannot be reached; its service restarts."""


class AwayError(LinkError):
    """The other side has left as it should, and another takes its place: worth a warning only if that takes long."""


class ExitStatus(enum.IntEnum):
    """sysexits.h, as far as it is used."""

    OK = 0
    USAGE = 64
    UNAVAILABLE = 69
    SOFTWARE = 70
    IO = 74
    PERMISSION = 77
    CONFIG = 78


class Text(enum.StrEnum):
    """The contract's exact sentences, as far as their causes exist yet; the name is the alert's code."""

    NO_CONNECTION = "Could not connect to session"
    RECONNECTING = "Connection lost, reconnecting..."
    NOT_FOUND = "Session not found"
    FULL = "Session is full"
    INVALID_CODE = "Invalid room code"
    MICROPHONE = "Microphone access required for jamming"
    NO_INPUT = "No audio input detected, check microphone"
    NO_OUTPUT = "No audio output, check loudspeaker"
    HOWLING = "Microphone and loudspeaker feed back, the loudspeaker is turned down"
    DIRECT_RETRYING = "Direct audio connection failed, retrying..."
    DIRECT_RELAY = "Direct audio connection failed, using relay mode"
    LIMITED = "Limited connectivity, audio may be delayed"
    HIGH_LATENCY = "Latency over 100 ms"
    FALLBACK = "Supabase cannot be reached, the room is also open on the local network"
    RESTORE_FAILED = "Failed to restore session. Starting with default configuration."
    MODULES_FAILED = "Some modules could not be loaded. Check console for details."
