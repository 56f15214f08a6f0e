"""What home automation sees of the box, and may change of it: over MQTT, where a broker is configured."""

from functools import partial

from jambridge import __version__
from jambridge.errors import WireError
from jambridge.identity import Identity
from jambridge.lighting import Lighting
from jambridge.mqtt.entities import Box, Broker
from jambridge.room.edges import RoomEdges
from jambridge.services import Services
from jambridge.strict_json import JsonObject

_OF_THE_LIGHT = ("paused", "effect", "brightness")
_OF_THE_ROOM = {"tempo": "tempo", "playing": "isPlaying"}


def start(services: Services, broker: Broker, own: Identity, name: str, room: RoomEdges, lighting: Lighting) -> None:
    """`name`: as the room calls us."""
    from jambridge.mqtt.service import open_mqtt  # its library need not be installed

    def values() -> JsonObject:
        light, state = lighting.describe(), room.state.value
        return {
            **{one: light[one] for one in _OF_THE_LIGHT},
            "playing": state.is_playing,
            "tempo": state.tempo,
            "peers": sum(member.id != room.me for member in room.members.value),
        }

    def change(what: str, wanted: object) -> None:
        if what in _OF_THE_LIGHT:
            lighting.change({what: wanted})
        elif what in _OF_THE_ROOM:
            room.change_all({_OF_THE_ROOM[what]: wanted})
        else:
            raise WireError(f"{what[:20]!r} cannot be changed")

    services.start("mqtt", partial(open_mqtt, broker, Box(own.id, name, __version__), values, change))
