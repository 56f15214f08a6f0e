"""How long the first message of a TLS connection is, told by its first bytes. Pure.

Source: RFC 8446 section 5.1: a record is a type, a version, the length of what follows, and that.
"""

import struct

from jambridge.errors import WireError

_HEAD = struct.Struct("!BBBH")
_HANDSHAKE = 22
_MAJOR = 3
_LONGEST = 2**14
MOST_BYTES = _HEAD.size + _LONGEST


def size(seen: bytes) -> int:
    """Bytes of the record that begins with `seen`; of its head, while that is not all there.

    Raises:
        WireError: it is no handshake.
    """
    if len(seen) < _HEAD.size:
        return _HEAD.size
    kind, major, _, length = _HEAD.unpack_from(seen)
    if (kind, major) != (_HANDSHAKE, _MAJOR) or not 0 < length <= _LONGEST:
        raise WireError(f"no TLS: {seen[:20]!r}")
    return _HEAD.size + int(length)
