"""What is plugged in or found: sound cards, MIDI ports, WLEDs; each a list, or the reason why there is none."""

import asyncio
from collections.abc import Collection
from dataclasses import asdict

from jambridge.audio.card import probe
from jambridge.config import LightConfig
from jambridge.edges import Latest
from jambridge.errors import DeviceError
from jambridge.light.discovery import Found, open_discovery
from jambridge.midi import ports
from jambridge.strict_json import JsonObject

LOOK_S = 3.5  # mDNS answers within a second or two, and then the WLED over HTTP


async def find_lights(section: LightConfig, adopted: Collection[str]) -> tuple[Found, ...]:
    """Every WLED seen within a few seconds, with what would be done with it; none is driven."""
    async with open_discovery(section, lambda: adopted, Latest(())) as discovery:
        looking = asyncio.create_task(discovery.run())
        await asyncio.wait({looking}, timeout=LOOK_S)
        looking.cancel()
        return discovery.found.value


async def inventory(section: LightConfig, adopted: Collection[str]) -> JsonObject:
    """All of it as JSON; what could not be looked at has its reason under `problems`."""
    found: JsonObject = {"cards": [], "midi": {"inputs": [], "outputs": []}, "lights": [], "problems": []}
    try:
        found["cards"] = [asdict(card) for card in await probe.cards()]
    except DeviceError as exc:
        found["problems"].append(str(exc))
    try:
        found["midi"] = dict(zip(("inputs", "outputs"), ports.present(), strict=True))
    except DeviceError as exc:
        found["problems"].append(str(exc))
    found["lights"] = [asdict(light) for light in await find_lights(section, adopted)]
    return found


def as_text(found: JsonObject) -> str:
    lines = ["Sound cards"]
    lines += [f"  {one['name']}  in {one['inputs']}, out {one['outputs']}" for one in found["cards"]] or ["  none"]
    for direction in ("inputs", "outputs"):
        lines += [f"MIDI {direction}"] + ([f"  {name}" for name in found["midi"][direction]] or ["  none"])
    lines += ["WLED", *(lights_as_text(found["lights"]))]
    return "\n".join([*lines, *found["problems"]])


def lights_as_text(lights: list[JsonObject]) -> list[str]:
    return [line for one in lights for line in _light_as_text(one)] or ["  none found in this network"]


def _light_as_text(one: JsonObject) -> list[str]:
    size = f"{one['pixels']} pixels over {one['protocol']}"
    line = f"  {one['name']}  {one['mac'] or '-'}  {one['host']}  {size}  {one['state']}: {one['reason']}"
    return [line, *(f"    {warning}" for warning in one["warnings"])]
