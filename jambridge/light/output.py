"""One WLED as the light process drives it: limited, encoded, sent in one burst, counted, released."""

import math
import socket
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from jambridge.light import colour, ddp, e131, preview
from jambridge.light.colour import Colours
from jambridge.light.control import LightSettings, OutputReport
from jambridge.light.link import Link
from jambridge.light.pacing import Pace
from jambridge.light.safety import FlashLimiter
from jambridge.light.wled import MOST_FPS, Controller
from jambridge.units import LocalSeconds

_FPS_OVER_S = 1.0
_HEALED_AFTER_S = 5.0  # a refusal comes with every second frame, an address that nobody has with the third second
_MOST_LATER = 80  # frames of the longest delay at the highest rate
_AGAIN_S = 0.045  # three ticks at 60 fps, less what sending takes: by then a lost frame is made good

Clock = Callable[[], LocalSeconds]


class Output:
    """The newest picture wins: a frame that cannot leave when it is due is dropped and counted, never queued."""

    def __init__(
        self, controller: Controller, link: Link, settings: LightSettings, limiter: FlashLimiter | None = None
    ) -> None:
        """`limiter`: that of all strips that are seen together; None where this is the only one."""
        self._limiter = limiter or FlashLimiter()
        self._frame: NDArray[np.uint8] | None = None
        self._prepared: NDArray[np.uint8] | None = None
        self._driving = False
        self._pace = Pace(MOST_FPS, keepalive_s=1.0)
        self._tick = -1
        self._frames_sent = self._skipped = self._errors = 0
        self._error: str | None = None
        self._failed_at = LocalSeconds(-math.inf)
        self._times: deque[LocalSeconds] = deque(maxlen=int(MOST_FPS * _FPS_OVER_S))
        self._later: deque[tuple[LocalSeconds, NDArray[np.uint8]]] = deque(maxlen=_MOST_LATER)
        self._delay_s = 0.0
        self.sent_at = self.drawn_at = LocalSeconds(-math.inf)
        """When the newest frame left, and when there was a picture, though it may have been left out."""
        self._set_way(controller, link)
        self.set(settings)

    def set(self, settings: LightSettings) -> None:
        controller = self.controller
        fps = min(settings.max_fps, controller.max_fps)
        if fps != self._pace.fps:
            self._tick = -1  # ticks of another rate have other numbers
        self._pace = Pace(fps, controller.keepalive_s, self._pace.phase_s)
        self._brightness = settings.brightness * controller.brightness
        self._limiter.set_rate(settings.flashes_per_s)

    def set_phase(self, phase_s: float) -> None:
        self._pace = replace(self._pace, phase_s=phase_s)

    def set_delay(self, delay_s: float) -> None:
        """Of each frame, 0..1.25; those that wait are dropped when it changes, for they must leave in order."""
        if delay_s != self._delay_s:
            self._delay_s = delay_s
            self._later.clear()
            self._prepared = None

    def rewire(self, controller: Controller, link: Link, settings: LightSettings) -> None:
        """The same WLED in another way; what it has shown still counts for the flashes to come."""
        self._link.close()
        self._set_way(controller, link)
        self.set(settings)

    def due(self, *, sounding: bool, urgent: bool) -> LocalSeconds:
        """When the next frame is to be prepared."""
        watched = not self.controller.overridden
        return self._pace.due(self.sent_at, self._tick, sounding=sounding and watched, urgent=urgent and watched)

    def send_due(self) -> LocalSeconds:
        """When a frame that was prepared is to be sent."""
        return self._later[0][0] if self._later else LocalSeconds(math.inf)

    def prepare(self, colours: Colours, now: LocalSeconds, *, again: bool = True) -> None:
        """Make `colours`, shape (pixels, 3), 0..1, a frame that `send` sends when it is due.

        Unless it is to be sent `again`, one like that before is left out for three ticks, and what is urgent meanwhile
        need not wait until the strip has shown it.
        """
        controller = self.controller
        seen = colours if self._brightness == 1.0 else colours * np.float32(self._brightness)
        frame = colour.encode(seen, controller.gamma)
        frame = self._limiter.limit(frame, now, controller.mac, controller.gamma)
        if controller.channels == 4:  # noqa: PLR2004  RGBW
            frame = colour.with_white(frame)
        self.drawn_at = now
        is_same = self._prepared is not None and np.array_equal(frame, self._prepared)
        if is_same and not again and now - self.sent_at < _AGAIN_S:
            self._tick = self._pace.tick(now, self._tick - 1)
            return
        self._prepared = frame
        self._later.append((LocalSeconds(now + self._delay_s), frame))
        self._tick = self._pace.tick(now, self._tick)
        self.sent_at = now

    def send(self, clock: Clock) -> None:
        """What is due, in one burst."""
        now = clock()
        due = [frame for at, frame in self._later if at <= now]
        if not due:
            return
        for _ in due:
            self._later.popleft()
        self._skipped += len(due) - 1
        self._frame, self._driving = due[-1], True
        try:
            self._link.send(self._packets(self._frame, self._frames_sent))
        except BlockingIOError:
            self._skipped += 1  # the interface is busy: the next frame says more
            self._prepared = None
        except OSError as exc:
            self._errors += 1
            self._error, self._failed_at, self._prepared = exc.strerror or str(exc), now, None
        else:
            self._frames_sent += 1
            if now - self._failed_at >= _HEALED_AFTER_S:
                self._error = None
            self._times.append(now)
        if not self._later:
            self.sent_at = clock()  # the strip's time begins when the frame has left, however long that took

    def end_stream(self) -> bool:
        """Say the end of the stream, where its protocol has one, by the last frame again; whether it was said."""
        if self._universes is None or self._frame is None:
            return False
        with suppress(OSError):
            for repeat in range(e131.TERMINATIONS):
                index = self._frames_sent + repeat
                self._link.send(self._universes.encode(self._frame, index, terminated=True))
        return True

    def release(self) -> None:
        """Give the WLED its own state back, without a black frame; nothing if it was not driven."""
        self._later.clear()
        self._frame = self._prepared = None
        if self._driving:
            self._driving = False
            self._limiter.darken(self.controller.mac, self.sent_at)
            self.sent_at = LocalSeconds(-math.inf)
            with suppress(OSError):
                self._link.release()

    def close(self) -> None:
        """End without a word: releases nothing."""
        self._link.close()

    def preview(self) -> str:
        """What the strip shows now."""
        return preview.of(self._frame, self.controller.gamma)

    def report(self, now: LocalSeconds) -> OutputReport:
        recent = sum(at > now - _FPS_OVER_S for at in self._times)
        return OutputReport(
            self.controller.mac, self._frames_sent, recent / _FPS_OVER_S, self._skipped, self._errors, self._error
        )

    def _set_way(self, controller: Controller, link: Link) -> None:
        self.controller, self._link = controller, link
        self._frame = self._prepared = None  # what was sent another way is no end of this one
        self._later.clear()
        self._universes = _universes(controller) if controller.protocol == "e131" else None

    def _packets(self, frame: NDArray[np.uint8], index: int) -> Iterator[bytes]:
        return ddp.encode(frame, index) if self._universes is None else self._universes.encode(frame, index)


def _universes(controller: Controller) -> e131.Encoder:
    host = socket.gethostname()
    cid = uuid.uuid5(uuid.NAMESPACE_DNS, f"{host} {controller.mac}").bytes
    sender = e131.Sender(cid, f"jambridge {host}", controller.priority)
    return e131.Encoder(sender, controller.universe, controller.pixels, controller.channels)
