"""All WLEDs that the light process drives."""

import math
from collections.abc import Callable, Iterable

from jambridge.light.colour import Colours
from jambridge.light.control import LightSettings, OutputReport
from jambridge.light.output import Clock, Link, Output
from jambridge.light.wled import Controller
from jambridge.units import LocalSeconds


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
                output.release()
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
        pictures: dict[int, Colours] = {}
        sent = False
        for output in self._outputs.values():
            if output.due(sounding=sounding, urgent=output.sent_at < urgent_at) <= clock():
                pixels = output.controller.pixels
                if pixels not in pictures:
                    pictures[pixels] = draw(pixels)
                output.show(pictures[pixels], clock)
                sent = True
        return sent

    def release(self) -> None:
        for output in self._outputs.values():
            output.release()

    def report(self, elapsed_s: float) -> tuple[OutputReport, ...]:
        return tuple(output.report(elapsed_s) for output in self._outputs.values())

    def _drive(self, mac: str, controller: Controller) -> None:
        before = self._outputs.get(mac)
        if before and before.controller == controller:
            return
        link = self._connect(controller)
        if before:
            before.rewire(controller, link, self._settings)
        else:
            self._outputs[mac] = Output(controller, link, self._settings)
