"""Whether the room is also open on the LAN hub, while Supabase is configured and cannot be reached. Pure.

Source: the project's contract, "The hub": after 10 s at the start, 60 s later; left when Supabase is back and the LAN
room is empty of others. Of others that would be lost, that is: who is in both rooms stays with us in the one.
"""

from dataclasses import dataclass

from jambridge.units import LocalSeconds


@dataclass(frozen=True, slots=True)
class Patience:
    """How long Supabase is away at the start, and later, before the LAN room is opened; and back before it is left."""

    at_start_s: float = 10.0
    later_s: float = 60.0
    settled_s: float = 5.0


class Fallback:
    def __init__(self, started: LocalSeconds, patience: Patience) -> None:
        self.is_open = False
        self._patience = patience
        self._ever_connected = False
        self._is_connected = False
        self._since = started

    def wanted(self, *, connected: bool, only_here: int, now: LocalSeconds) -> bool:
        """Whether to sit at the LAN hub.

        Args:
            connected: whether Supabase's room is joined.
            only_here: members of the LAN room, without us, who are not in Supabase's.
            now: rising from call to call.
        """
        if connected != self._is_connected:
            self._is_connected, self._since = connected, now
        self._ever_connected |= connected
        lasted_s = now - self._since
        if not connected:
            self.is_open |= lasted_s >= (self._patience.later_s if self._ever_connected else self._patience.at_start_s)
        elif lasted_s >= self._patience.settled_s and not only_here:
            self.is_open = False
        return self.is_open
