"""What to do about each alert, in a sentence. Pure."""

from collections.abc import Mapping
from types import MappingProxyType

from jambridge.errors import Text

_REMEDIES: Mapping[Text, str] = MappingProxyType(
    {
        Text.NO_CONNECTION: "Check the box's network cable or Wi-Fi; it tries again by itself.",
        Text.RECONNECTING: "Nothing to do if it lasts a few seconds; else check the network.",
        Text.NOT_FOUND: "Check the room code.",
        Text.FULL: "Ask somebody to leave, or start the box in another room.",
        Text.INVALID_CODE: "A code is six letters or digits, as ABC123, or WORD-42.",
        Text.MICROPHONE: "Plug the sound card in, or name another under audio.input; jambridge devices lists them.",
        Text.NO_INPUT: "Check the cable, the instrument's volume and the card's input gain.",
        Text.NO_OUTPUT: "Plug the loudspeaker's card in, or name another under audio.output.",
        Text.HOWLING: "Move the microphone away from the loudspeaker, or turn one of them down.",
        Text.DIRECT_RETRYING: "It tries again by itself; if it stays, a TURN server helps (webrtc.ice_servers).",
        Text.DIRECT_RELAY: "Sound works, with a little more delay; nothing needs to be done.",
        Text.LIMITED: "Use a cable instead of Wi-Fi, or move closer to the access point.",
        Text.HIGH_LATENCY: "Use a cable, and see jambridge latency for what would help most.",
        Text.FALLBACK: "Check the internet connection; the room goes back by itself.",
        Text.RESTORE_FAILED: "Set tempo, key and lights again; they are stored from now on.",
        Text.MODULES_FAILED: "What was not loaded is named in the log; the rest is as it was.",
    }
)


def of(code: str) -> str:
    """By the alert's code; empty where there is nothing to say."""
    return _REMEDIES.get(Text[code.upper()], "") if code.upper() in Text.__members__ else ""
