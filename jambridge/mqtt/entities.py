"""What Home Assistant is told of this box, and what it may ask of it. Pure.

Source: Home Assistant, "MQTT", "Device discovery payload" (one retained message describes a device with all its
entities; from 2024.11 on), and the pages of its platforms switch, select, number and sensor.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import get_args

from jambridge import strict_json
from jambridge.errors import WireError
from jambridge.light.effects import EffectName
from jambridge.strict_json import JsonObject

ONLINE, OFFLINE = "online", "offline"
MAX_BYTES = 64
"""Of a command; each is a word or a number."""

_ON, _OFF = "ON", "OFF"
_SWITCHES = ("paused", "playing")


@dataclass(frozen=True, slots=True)
class Broker:
    """Where MQTT is spoken."""

    host: str
    port: int
    tls: bool = False
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    discovery_prefix: str = "homeassistant"


@dataclass(frozen=True, slots=True)
class Box:
    """Who speaks. `id` is of letters and digits, and stays the same over restarts; `name` is for people."""

    id: str
    name: str
    version: str

    @property
    def topic(self) -> str:
        return f"jambridge/{self.id}"

    @property
    def state(self) -> str:
        return f"{self.topic}/state"

    @property
    def availability(self) -> str:
        return f"{self.topic}/availability"

    @property
    def commands(self) -> str:
        """What to subscribe to."""
        return f"{self.topic}/set/+"

    def discovery(self, prefix: str) -> str:
        return f"{prefix}/device/jambridge_{self.id}/config"


def describe(box: Box) -> str:
    """The payload of the discovery topic, to be retained."""
    entities: dict[str, JsonObject] = {
        "paused": {"platform": "switch", "name": "Pause", "icon": "mdi:pause"},
        "playing": {"platform": "switch", "name": "Play", "icon": "mdi:metronome"},
        "effect": {
            "platform": "select",
            "name": "Effect",
            "icon": "mdi:led-strip-variant",
            "options": list(get_args(EffectName)),
        },
        "brightness": {
            "platform": "number",
            "name": "Brightness",
            "icon": "mdi:brightness-6",
            "min": 0,
            "max": 100,
            "step": 1,
            "unit_of_measurement": "%",
            "mode": "slider",
        },
        "tempo": {
            "platform": "number",
            "name": "Tempo",
            "icon": "mdi:metronome",
            "min": 40,
            "max": 300,
            "step": 1,
            "unit_of_measurement": "bpm",
            "mode": "box",
        },
        "peers": {"platform": "sensor", "name": "Musicians", "icon": "mdi:account-music"},
    }
    for name, entity in entities.items():
        entity["unique_id"] = f"jambridge_{box.id}_{name}"
        entity["value_template"] = f"{{{{ value_json.{name} }}}}"
        if entity["platform"] != "sensor":
            entity["command_topic"] = f"{box.topic}/set/{name}"
    return json.dumps(
        {
            "device": {
                "identifiers": [f"jambridge_{box.id}"],
                "name": box.name,
                "manufacturer": "jambridge",
                "sw_version": box.version,
            },
            "origin": {"name": "jambridge", "sw_version": box.version},
            "components": entities,
            "state_topic": box.state,
            "availability_topic": box.availability,
        }
    )


def state(values: Mapping[str, object]) -> str:
    """The payload of the state topic.

    Args:
        values: `paused`, `playing`, `effect`, `brightness` 0..1, `tempo` in bpm, `peers`: how many others.
    """
    told = dict(values)
    told |= {name: _ON if values[name] else _OFF for name in _SWITCHES}
    told["brightness"] = round(float(str(values["brightness"])) * 100)
    return json.dumps(told)


def command(box: Box, topic: str, payload: bytes) -> tuple[str, object]:
    """Which value of `state` is to become what.

    Raises:
        WireError: no command of ours, or its payload is none; what the value may be is for who takes it to say.
    """
    name = topic.removeprefix(f"{box.topic}/set/")
    if len(payload) > MAX_BYTES:
        raise WireError(f"{name[:20]}: a command has at most {MAX_BYTES} bytes")
    text = payload.decode("utf-8", "replace")
    if name in _SWITCHES:
        if text not in (_ON, _OFF):
            raise WireError(f"{name} is {_ON} or {_OFF}")
        return name, text == _ON
    if name == "effect":
        return name, text
    if name in ("brightness", "tempo"):
        number = strict_json.loads(text, MAX_BYTES)
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise WireError(f"{name} is a number")
        return name, number / 100 if name == "brightness" else number
    raise WireError(f"nothing here is called {name[:20]!r}")
