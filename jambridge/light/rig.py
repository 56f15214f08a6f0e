"""All WLEDs that the light process drives."""

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from jambridge.light.colour import Colours
from jambridge.light.control import LightSettings, OutputReport
from jambridge.light.link import Link
from jambridge.light.output import Clock, Output
from jambridge.light.patterns import Pattern
from jambridge.light.safety import FlashLimiter
from jambridge.light.wled import Controller
from jambridge.units import LocalSeconds

_END_READ_S = 0.005  # a release that is read before the end of a stream would be undone by it


@dataclass(frozen=True, slots=True)
class _Trial:
    controller: Controller
    pattern: Pattern
    since: LocalSeconds


class Rig:
    """Outputs by MAC. One that is no longer wanted is released at once."""

    def __init__(self, connect: Callable[[Controller], Link]) -> None:
        self._connect = connect
        self._settings = LightSettings()
        self._phase_s = self._hold_s = 0.0
        self.lead_s = 0.0
        """By how much the earliest of all strips, by its offset, is ahead of one without an offset."""
        self._wanted: dict[str, Controller] = {}
        self._trials: dict[str, _Trial] = {}
        self._outputs: dict[str, Output] = {}
        self._limiter = FlashLimiter()

    def set_settings(self, settings: LightSettings) -> None:
        self._settings = settings
        for output in self._outputs.values():
            output.set(settings)

    def set_phase(self, phase_s: float) -> None:
        """How far room time is ahead of ours, whole ticks apart."""
        self._phase_s = phase_s
        for output in self._outputs.values():
            output.set_phase(phase_s)

    def set_controllers(self, controllers: Iterable[Controller]) -> None:
        self._wanted = {controller.mac: controller for controller in controllers}
        self._rewire()

    def set_hold(self, hold_s: float) -> None:
        """Send every frame so much later than it is made."""
        self._hold_s = hold_s
        self._delay()

    def begin_trial(self, controller: Controller, pattern: Pattern, now: LocalSeconds) -> None:
        """Show `pattern` on it instead of anything else, to its end."""
        self._trials[controller.mac] = _Trial(controller, pattern, now)
        self._rewire()

    def due(self, urgent_at: LocalSeconds, *, sounding: bool, drives: bool = True) -> LocalSeconds:
        """When the next frame may leave for any of them; without `drives` only trials are shown."""
        soonest = LocalSeconds(math.inf)
        for mac, output in self._outputs.items():
            if drives or mac in self._trials:
                soonest = min(soonest, self._due(output, urgent_at, sounding), output.send_due())
        return soonest

    def show(
        self,
        draw: Callable[[Controller], Colours],
        clock: Clock,
        urgent_at: LocalSeconds,
        *,
        sounding: bool,
        drives: bool = True,
        again: bool = True,
    ) -> bool:
        """Send a frame to every WLED that can take one now; whether any could. `again`: see `Output.prepare`."""
        now = clock()
        pictures = self._trial_pictures(now)
        ready = [
            output
            for mac, output in self._outputs.items()
            if (drives or mac in pictures) and self._due(output, urgent_at, sounding) <= now
        ]
        for output in ready:
            picture = pictures.get(output.controller.mac)
            if picture is None:
                output.prepare(draw(output.controller), now, again=again)
            else:
                output.prepare(picture, now)
        for output in self._outputs.values():  # one behind the other: they show the same moment
            output.send(clock)
        return bool(ready)

    def release(self) -> None:
        """All but trials."""
        _release(output for mac, output in self._outputs.items() if mac not in self._trials)

    def close(self) -> None:
        """Release all, trials as well."""
        self._trials.clear()
        self.release()

    def report(self, now: LocalSeconds) -> tuple[OutputReport, ...]:
        return tuple(output.report(now) for output in self._outputs.values())

    def previews(self) -> dict[str, str]:
        """What each strip shows now, by MAC."""
        return {mac: output.preview() for mac, output in self._outputs.items()}

    def _due(self, output: Output, urgent_at: LocalSeconds, sounding: bool) -> LocalSeconds:
        sounding = sounding or output.controller.mac in self._trials
        return output.due(sounding=sounding, urgent=output.drawn_at < urgent_at)

    def _trial_pictures(self, now: LocalSeconds) -> dict[str, Colours]:
        pictures = {
            mac: trial.pattern(now - trial.since, self._outputs[mac].controller.pixels)
            for mac, trial in self._trials.items()
        }
        shown = {mac: picture for mac, picture in pictures.items() if picture is not None}
        if len(shown) < len(pictures):
            self._trials = {mac: trial for mac, trial in self._trials.items() if mac in shown}
            self._rewire()
        return shown

    def _rewire(self) -> None:
        """Make the outputs those that are wanted or tried."""
        tried = {mac: trial.controller for mac, trial in self._trials.items()}
        wanted = {mac: one for mac, one in {**tried, **self._wanted}.items() if mac in tried or not one.yielded}
        for mac in self._outputs.keys() - wanted.keys():
            output = self._outputs.pop(mac)
            if mac not in self._wanted:  # else somebody else streams to it
                _release([output])
            output.close()
        for mac, controller in wanted.items():
            before = self._outputs.get(mac)
            if before is None:
                self._outputs[mac] = Output(controller, self._connect(controller), self._settings, self._limiter)
                self._outputs[mac].set_phase(self._phase_s)
            elif before.controller != controller:
                before.rewire(controller, self._connect(controller), self._settings)
        self.lead_s = max(0.0, -min((one.offset_s for one in wanted.values()), default=0.0))
        self._delay()

    def _delay(self) -> None:
        for output in self._outputs.values():
            output.set_delay(output.controller.offset_s + self.lead_s + self._hold_s)


def _release(outputs: Iterable[Output]) -> None:
    ending = list(outputs)
    if sum([output.end_stream() for output in ending]):
        time.sleep(_END_READ_S)
    for output in ending:
        output.release()
