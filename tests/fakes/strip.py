"""Controllers without a network: one that reassembles DDP the way WLED does, one that keeps universes."""

import struct
from collections.abc import Iterable

from jambridge.light import e131


class FakeStrip:
    """Collects pixels and keeps what it showed at each PUSH; `fails` is raised by the next sends, if set."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self.shown: list[bytes] = []
        self.releases = 0
        self.closed = False
        self.fails: OSError | None = None

    def send(self, packets: Iterable[bytes]) -> None:
        if self.fails:
            raise self.fails
        for packet in packets:
            flags, _, _, _, offset, length = struct.unpack_from("!BBBBIH", packet)
            assert len(packet) == 10 + length, "WLED drops packets shorter than their header says"
            self._bytes[offset : offset + length] = packet[10:]
            if flags & 0x01:
                self.shown.append(bytes(self._bytes))

    def release(self) -> None:
        self.releases += 1

    def close(self) -> None:
        self.closed = True


class FakeUniverses:
    """Collects what is sent of each universe, and `said`: "frame", "end" or "release", in order."""

    def __init__(self) -> None:
        self.newest: dict[int, e131.Packet] = {}
        self.said: list[str] = []

    def send(self, packets: Iterable[bytes]) -> None:
        sent = list(packets)
        self.newest |= {one.universe: one for one in map(e131.decode, sent)}
        self.said.append("end" if all(one[112] & 0x40 for one in sent) else "frame")

    def release(self) -> None:
        self.said.append("release")

    def close(self) -> None:
        self.said.append("closed")
