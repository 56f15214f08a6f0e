"""Clock offset from request/reply exchanges, as in NTP. Pure.

Source: RFC 5905 section 8 (on-wire protocol): t1 sent, t2 received there, t3 sent there, t4 received back.
"""

from dataclasses import dataclass
from typing import NewType

from jambridge.units import LocalSeconds

RemoteSeconds = NewType("RemoteSeconds", float)
"""The other end's monotonic clock."""


@dataclass(frozen=True, slots=True)
class Exchange:
    t1: LocalSeconds
    t2: RemoteSeconds
    t3: RemoteSeconds
    t4: LocalSeconds

    @property
    def delay_s(self) -> float:
        return (self.t4 - self.t1) - (self.t3 - self.t2)

    @property
    def offset_s(self) -> float:
        """Their time minus ours; wrong by at most half of `delay_s`."""
        return ((self.t2 - self.t1) + (self.t3 - self.t4)) / 2
