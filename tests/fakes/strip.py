"""A controller that reassembles DDP the way WLED does."""

import struct


class FakeStrip:
    """Collects pixels and keeps what it showed at each PUSH; `fails` is raised by the next sends, if set."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self.shown: list[bytes] = []
        self.releases = 0
        self.closed = False
        self.fails: OSError | None = None

    def send(self, packet: bytes) -> None:
        if self.fails:
            raise self.fails
        flags, _, _, _, offset, length = struct.unpack_from("!BBBBIH", packet)
        assert len(packet) == 10 + length, "WLED drops packets shorter than their header says"
        self._bytes[offset : offset + length] = packet[10:]
        if flags & 0x01:
            self.shown.append(bytes(self._bytes))

    def release(self) -> None:
        self.releases += 1

    def close(self) -> None:
        self.closed = True
