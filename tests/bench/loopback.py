"""What passes on this machine's own wire, its loopback: when, between which ports, how long. UDP over IPv4 and IPv6."""

import socket
import struct
import threading
import time
from collections import Counter

import numpy as np
from numpy.typing import NDArray

CLICK_BYTES = 20
"""What the Opus packets of a click are longer than those of silence, at least."""
MOST_S = 0.06
"""Between a click and its datagram."""
_ETH_P_ALL, _IPV6 = 3, 6  # linux/if_ether.h; RFC 8200 section 3

Times = NDArray[np.float64]


class Wire:
    """`seen` grows until it is closed: time.monotonic(), source and target port, bytes."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, tuple[int, int], int]] = []
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL))
        self._socket.bind(("lo", _ETH_P_ALL))
        self._socket.settimeout(0.2)
        self._closing = False
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def close(self) -> None:
        self._closing = True
        self._thread.join()
        self._socket.close()

    def sent_s(self, clicks_s: Times) -> Times:
        """When the datagram with each click passed, NaN where that is not clear: the browser's are longer then."""
        flows = Counter(flow for _, flow, _ in self.seen)
        best = np.full(len(clicks_s), np.nan)
        for flow, count in flows.items():
            if count < len(clicks_s):
                continue
            times, lengths = np.array([(at, length) for at, one, length in self.seen if one == flow]).T
            found = np.array([_first_longer(times, lengths, at) for at in clicks_s])
            if np.isfinite(found).sum() > np.isfinite(best).sum():
                best = found
        return best

    def _listen(self) -> None:
        while not self._closing:
            try:
                packet, (_, _, direction, *_) = self._socket.recvfrom(65_535)
            except TimeoutError:
                continue
            now = time.monotonic()
            is_6 = packet[0] >> 4 == _IPV6
            protocol, start = (packet[6], 40) if is_6 else (packet[9], 4 * (packet[0] & 15))
            if direction != socket.PACKET_OUTGOING and protocol == socket.IPPROTO_UDP:
                source, target, length = struct.unpack_from("!HHH", packet, start)
                self.seen.append((now, (source, target), length))


def _first_longer(times: Times, lengths: Times, click_s: float) -> float:
    """The first datagram after `click_s` that is clearly longer than the flow's usual ones, within 60 ms."""
    first, last = np.searchsorted(times, [click_s, click_s + MOST_S])
    longer = np.flatnonzero(lengths[first:last] > np.median(lengths) + CLICK_BYTES)
    return float(times[first + longer[0]]) if len(longer) else float("nan")
