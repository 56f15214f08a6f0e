"""What a stored session says of this box's light. Pure. Not restored: strips are driven by their owner's leave."""

from collections.abc import Sequence

from jambridge.light.control import LightSettings
from jambridge.light.discovery import Found
from jambridge.strict_json import JsonObject


def devices(found: Sequence[Found]) -> tuple[JsonObject, ...]:
    """The WLEDs that we drive."""
    driven = [one for one in found if one.state == "driven"]
    return tuple({"id": one.mac, "name": one.name, "ip": one.host, "ledCount": one.pixels} for one in driven)


def module(settings: LightSettings) -> JsonObject:
    """The box among the modules of a studio."""
    return {
        "instanceId": "jambridge-leds-1",
        "moduleId": "led-bridge",
        "label": "LED bridge",
        "color": "bg-violet-500",
        "settings": {"mode": settings.mode, "colorMode": settings.color_mode, "brightness": settings.brightness},
    }
