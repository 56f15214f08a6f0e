"""What is taken of what others broadcast. Pure: time is a parameter.

Over hosted Supabase anybody who has the key and the code can say anything in anybody's name: what can be told without
a signature is who claims to be nobody here, and who claims to be us.
"""

import json
from collections.abc import Callable

from jambridge.room import flood, messages
from jambridge.room.budget import LED_EVENT
from jambridge.room.flood import RoomGuard
from jambridge.strict_json import JsonObject
from jambridge.units import LocalSeconds, PeerId

MAX_SIGNAL_BYTES = 32 * 1024
MAX_BYTES = 16 * 1024


class Arrivals:
    def __init__(self, me: PeerId, is_member: Callable[[PeerId], bool], *, hosted: bool) -> None:
        self._me = me
        self._is_member = is_member
        self._hosted = hosted
        self._guard = RoomGuard()
        self._led_guard = self._guard if hosted else RoomGuard(flood.LED_RATE, flood.LED_BURST)

    def refusal(self, event: str, payload: JsonObject, now: LocalSeconds) -> str | None:
        """Why this is not looked at; None where it may be."""
        sender = payload.get("fromPeerId")
        is_signal = event == messages.SIGNAL_EVENT
        if sender == self._me:
            return "spoofed"
        guard = self._led_guard if event == LED_EVENT else self._guard
        if not guard.admit(str(sender)[: messages.MAX_TEXT], now):
            return "flood"
        if len(json.dumps(payload)) > (MAX_SIGNAL_BYTES if is_signal else MAX_BYTES):
            return "too-large"
        if self._hosted and not is_signal and sender is not None and not self._is_known(sender):
            return "stranger"
        return None

    def _is_known(self, sender: object) -> bool:
        return isinstance(sender, str) and self._is_member(PeerId(sender))


def sender_of(payload: JsonObject) -> PeerId:
    """Who says so; nobody where an older app leaves it out."""
    sender = payload.get("fromPeerId")
    return PeerId(sender[: messages.MAX_TEXT] if isinstance(sender, str) else "")
