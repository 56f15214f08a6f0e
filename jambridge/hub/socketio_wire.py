"""What a Socket.IO client may send, looked at before the library sees it. Pure.

The library's decoders raise whatever comes out of them, take binary attachments and any namespace, and its server is
not made for hostile peers. What clients of the older protocol send is little: it is all that passes.

Source: Engine.IO protocol 4 and Socket.IO protocol 5, https://github.com/socketio/socket.io-protocol.
"""

import re

from jambridge import strict_json
from jambridge.errors import WireError

MAX_BYTES = 16 * 1024
MAX_PACKETS = 16
_SEPARATOR = "\x1e"
_PLAIN = frozenset(("1", "2probe", "3", "3probe", "5", "6", "40", "41"))
_EVENT = re.compile(r"42([0-9]{0,9})(?=\[)")
_CONNECT = re.compile(r"40(?=\{)")
_NAME = re.compile(r"[a-z:-]{1,64}")
_MAX_ARGUMENTS = 4


def check_payload(text: str) -> None:
    """The body of a POST: packets in a row; WireError if one is not to be passed on."""
    packets = text.split(_SEPARATOR)
    if len(text) > MAX_BYTES or len(packets) > MAX_PACKETS:
        raise WireError("too much at once")
    for packet in packets:
        check(packet)


def check(packet: str) -> None:
    """One packet of either transport.

    Raises:
        WireError: it is none that a client of the older protocol sends.
    """
    if packet in _PLAIN:
        return
    if len(packet) > MAX_BYTES:
        raise WireError("a packet that is too long")
    if connect := _CONNECT.match(packet):
        strict_json.loads_object(packet[connect.end() :], MAX_BYTES)
        return
    event = _EVENT.match(packet)
    if event is None:
        raise WireError("no packet of a client")
    arguments = strict_json.loads(packet[event.end() :], MAX_BYTES)
    if not 0 < len(arguments) <= _MAX_ARGUMENTS:
        raise WireError("an event has a name and few arguments")
    if not isinstance(arguments[0], str) or not _NAME.fullmatch(arguments[0]):
        raise WireError("an event with an odd name")
    if arguments[0] in ("connect", "disconnect", "connect_error"):
        raise WireError("an event that is the library's own")
