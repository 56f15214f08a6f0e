"""Whether the room is also open on the LAN hub, while Supabase is configured and cannot be reached. Pure.

Source: the project's contract, "The hub": after 10 s at the start, 60 s later; left when Supabase is back and the LAN
room is empty of others. Of others that would be lost, that is: who is in both rooms stays with us in the one.
"""

from jambridge.units import LocalSeconds

AT_START_S = 10.0
LATER_S = 60.0
SETTLED_S = 5.0  # Supabase is back for that long before the LAN room is left


class Fallback:
    def __init__(self, started: LocalSeconds) -> None:
        self.is_open = False
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
            self.is_open |= lasted_s >= (LATER_S if self._ever_connected else AT_START_S)
        elif lasted_s >= SETTLED_S and not only_here:
            self.is_open = False
        return self.is_open
