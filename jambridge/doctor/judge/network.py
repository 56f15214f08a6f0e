"""The network of this machine: its addresses, its Wi-Fi, and whether mDNS passes. Pure.

Source: proc(5) /proc/net/wireless as the kernel writes it (net/wireless/wext-proc.c); RFC 6762 section 18 and RFC 6763
section 9 for the question.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from jambridge.doctor.finding import Finding, failure, good, note, warning

NETWORK, MDNS = "network", "mDNS"
WEAK_DBM = -70
"""Below, Wi-Fi repeats so much that sound stutters."""
_CABLE = "a cable; else move it, or the access point, closer, and use 5 GHz"
_FIREWALL = "let UDP port 5353 in and out through this machine's firewall, as: sudo ufw allow 5353/udp"
_ISOLATION = (
    "if there are WLEDs or other boxes: switch off client isolation (guest mode) and multicast filtering in the access "
    "point, or name them (light.controllers, hub.url)"
)
_HEADER = struct.Struct("!6H")
_RESPONSE = 0x8000
_PTR, _TXT, _IN = 12, 16, 1
_EVERY_SERVICE = "_services._dns-sd._udp.local"


@dataclass(frozen=True, slots=True)
class Mdns:
    """`came_back`: whether our own question was heard here; `others`: addresses that answered it.

    `problem`: why it could not even be asked.
    """

    came_back: bool
    others: tuple[str, ...] = ()
    problem: str | None = None


def network(addresses: Sequence[str], wireless: str) -> list[Finding]:
    """`wireless` is /proc/net/wireless."""
    if not addresses:
        return [warning(NETWORK, "this machine has no address: nobody can join from elsewhere", "plug in a cable")]
    signals = _signals_dbm(wireless)
    found = [good(NETWORK, f"reachable at {', '.join(addresses[:4])}")]
    for interface, dbm in signals:
        if dbm < WEAK_DBM:
            found.append(warning(NETWORK, f"the Wi-Fi of {interface} is weak: {dbm} dBm", _CABLE))
        else:
            found.append(note(NETWORK, f"Wi-Fi ({interface}, {dbm} dBm): a cable is sooner, and never uneven"))
    return found


def mdns(facts: Mdns, *, is_needed: bool) -> Finding:
    """`is_needed`: whether lights or a hub are to be found by it."""
    bad = warning if not is_needed else failure
    if facts.problem is not None:
        return bad(MDNS, f"it cannot be spoken here: {facts.problem}", _FIREWALL)
    if not facts.came_back:
        return bad(MDNS, "blocked on this machine: what is said to the group is not heard", _FIREWALL)
    if not facts.others:
        return warning(MDNS, "it works here, but nobody else answers: nobody is there, or it is blocked", _ISOLATION)
    count = len(facts.others)
    return good(MDNS, f"{count} other{'s' if count > 1 else ''} answer{'' if count > 1 else 's'}")


def question(nonce: str) -> bytes:
    """Which services are there? And a second question, by which we know it again; `nonce` is a label, 1..63 bytes."""
    names = ((_EVERY_SERVICE, _PTR), (f"{nonce}.local", _TXT))
    header = _HEADER.pack(0, 0, len(names), 0, 0, 0)
    return header + b"".join(_name(name) + struct.pack("!2H", kind, _IN) for name, kind in names)


def is_answer(packet: bytes) -> bool:
    return len(packet) > _HEADER.size and bool(_HEADER.unpack_from(packet)[1] & _RESPONSE)


def _name(dotted: str) -> bytes:
    labels = [label.encode() for label in dotted.split(".")]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def _signals_dbm(wireless: str) -> list[tuple[str, int]]:
    """Of lines as ` wlan0: 0000   54.  -56.  -256        0 ...`; two lines of titles precede them."""
    found = []
    for line in wireless.splitlines()[2:]:
        interface, _, rest = line.partition(":")
        words = rest.split()
        level = words[2].rstrip(".") if len(words) > 2 else ""  # noqa: PLR2004  status, link, level
        if level.lstrip("-").isdigit() and int(level) < 0:
            found.append((interface.strip(), int(level)))
    return found
