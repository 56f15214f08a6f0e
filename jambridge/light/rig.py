"""All WLEDs that the light process drives."""

import math
import time
from collections.abc import Callable, Iterable

from jambridge.light.colour import Colours
from jambridge.light.control import LightSettings, OutputReport
from jambridge.light.link import Link
from jambridge.light.output import Clock, Output
from jambridge.light.wled import Controller
from jambridge.units import LocalSeconds

_END_READ_S = 0.005  # a release that is read before the end of a stream would be undone by it


class Rig:
    """Outputs by MAC. One that is no longer wanted is released at once."""

    def __init__(self, connect: Callable[[Controller], Link]) -> None:
        self._connect = connect
        self._settings = LightSettings()
        self._outputs: dict[str, Output] = {}

    def set_settings(self, settings: LightSettings) -> None:
        self._settings = settings
        for output in self._outputs.values():
            output.set(settings)

    def set_controllers(self, controllers: Iterable[Controller]) -> None:
        wanted = {controller.mac: controller for controller in controllers}
        for mac, output in list(self._outputs.items()):
            controller = wanted.get(mac)
            if controller == output.controller:
                continue
            if controller is None:
                _release([output])
            if controller is None or controller.yielded:
                output.close()
                del self._outputs[mac]
        for mac, controller in wanted.items():
            if not controller.yielded:
                self._drive(mac, controller)

    def due(self, urgent_at: LocalSeconds, *, sounding: bool) -> LocalSeconds:
        """When the next frame may leave for any of them."""
        return min(
            (output.due(sounding=sounding, urgent=output.sent_at < urgent_at) for output in self._outputs.values()),
            default=LocalSeconds(math.inf),
        )

    def show(self, draw: Callable[[int], Colours], clock: Clock, urgent_at: LocalSeconds, *, sounding: bool) -> bool:
        """Send a frame to every WLED that can take one now; whether any did. `draw` is given a number of pixels."""
        now = clock()
        ready = [
            output
            for output in self._outputs.values()
            if output.due(sounding=sounding, urgent=output.sent_at < urgent_at) <= now
        ]
        pictures = {pixels: draw(pixels) for pixels in {output.controller.pixels for output in ready}}
        for output in ready:
            output.prepare(pictures[output.controller.pixels], now)
        for output in ready:  # one behind the other: they show the same moment
            output.send(clock)
        return bool(ready)

    def release(self) -> None:
        _release(self._outputs.values())

    def report(self, now: LocalSeconds) -> tuple[OutputReport, ...]:
        return tuple(output.report(now) for output in self._outputs.values())

    def _drive(self, mac: str, controller: Controller) -> None:
        before = self._outputs.get(mac)
        if before and before.controller == controller:
            return
        link = self._connect(controller)
        if before:
            before.rewire(controller, link, self._settings)
        else:
            self._outputs[mac] = Output(controller, link, self._settings)


def _release(outputs: Iterable[Output]) -> None:
    driven = [output for output in outputs if output.is_driven]
    if sum([output.end_stream() for output in driven]):
        time.sleep(_END_READ_S)
    for output in driven:
        output.release()
