"""One WLED as the light process drives it: limited, encoded, sent in one burst, counted, released."""

import math
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from jambridge.light import colour, ddp
from jambridge.light.colour import Colours
from jambridge.light.control import LightSettings, OutputReport
from jambridge.light.pacing import Pace
from jambridge.light.safety import FlashLimiter
from jambridge.light.wled import RELEASE, Controller
from jambridge.units import LocalSeconds

_RELEASES = 3  # in one burst: a lost one would be two and a half seconds of a frozen picture


Clock = Callable[[], LocalSeconds]


class Link(Protocol):
    """The datagrams' way to one WLED. Nothing of it blocks; sending raises OSError."""

    def send(self, packet: bytes) -> None: ...

    def release(self) -> None: ...

    def close(self) -> None: ...


class UdpLink:
    """Its socket is connected, so that what the network says of the address comes back, and anew after an error."""

    def __init__(self, controller: Controller) -> None:
        self._family = socket.AF_INET6 if ":" in controller.host else socket.AF_INET
        self._data = (controller.host, controller.data_port)
        self._udp = (controller.host, controller.udp_port)
        self._socket: socket.socket | None = None

    def send(self, packet: bytes) -> None:
        try:
            if self._socket is None:
                self._socket = self._open()
                self._socket.connect(self._data)
            self._socket.send(packet)
        except BlockingIOError:
            raise
        except OSError:
            self.close()
            raise

    def release(self) -> None:
        with self._open() as sender:
            for _ in range(_RELEASES):
                sender.sendto(RELEASE, self._udp)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _open(self) -> socket.socket:
        return socket.socket(self._family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)


class Output:
    """The newest picture wins: a frame that cannot leave now is dropped and counted, never queued."""

    def __init__(self, controller: Controller, link: Link, settings: LightSettings) -> None:
        self.controller = controller
        self._link = link
        self._limiter = FlashLimiter()
        self._driving = False
        self.sent_at = LocalSeconds(-math.inf)
        self._tick = -1
        self._frames_sent = self._skipped = self._errors = 0
        self._error: str | None = None
        self._frames_before = 0
        self.set(settings)

    def set(self, settings: LightSettings) -> None:
        controller = self.controller
        fps = min(settings.max_fps, controller.max_fps)
        self._pace = Pace(controller.interval_s, fps, controller.keepalive_s)
        self._brightness = settings.brightness * controller.brightness
        self._limiter.set_rate(settings.flashes_per_s)

    def rewire(self, controller: Controller, link: Link, settings: LightSettings) -> None:
        """The same WLED in another way; what it has shown still counts for the flashes to come."""
        self._link.close()
        self.controller, self._link = controller, link
        self.set(settings)

    def due(self, *, sounding: bool, urgent: bool) -> LocalSeconds:
        return self._pace.due(self.sent_at, self._tick, sounding=sounding, urgent=urgent)

    def show(self, colours: Colours, clock: Clock) -> None:
        """Send `colours`, shape (pixels, 3), 0..1, as one burst."""
        now = clock()
        controller = self.controller
        safe = self._limiter.limit(colours * self._brightness, now)
        frame = colour.encode(safe, controller.channels, controller.gamma)
        self._tick, self._driving = self._pace.tick(now, self._tick), True
        try:
            for packet in ddp.encode(frame, self._frames_sent):
                self._link.send(packet)
        except BlockingIOError:
            self._skipped += 1  # the interface is busy: the next frame says more
        except OSError as exc:
            self._errors += 1
            self._error = exc.strerror or str(exc)
        else:
            self._frames_sent += 1
            self._error = None
        self.sent_at = clock()  # the strip's time begins when the frame has left, however long that took

    def release(self) -> None:
        """Give the WLED its own state back, without a black frame; nothing if it was not driven."""
        if self._driving:
            self._driving = False
            self.sent_at = LocalSeconds(-math.inf)
            with suppress(OSError):
                self._link.release()

    def close(self) -> None:
        """End without a word: releases nothing."""
        self._link.close()

    def report(self, elapsed_s: float) -> OutputReport:
        """`elapsed_s`: since the last report."""
        fps = (self._frames_sent - self._frames_before) / elapsed_s if elapsed_s > 0 else 0.0
        self._frames_before = self._frames_sent
        return OutputReport(
            self.controller.mac, self._frames_sent, round(fps, 1), self._skipped, self._errors, self._error
        )
