"""The shape of /status as JSON Schema. Pure. More keys than these may come."""

from collections.abc import Mapping
from typing import Any, get_args

from jambridge.light import consent
from jambridge.light.syncmode import Wanted
from jambridge.room.edges import Connection
from jambridge.supervise import State

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
COUNT: Schema = {"type": "integer", "minimum": 0}
BOOLEAN: Schema = {"type": "boolean"}
LAMP: Schema = {"enum": ["green", "yellow", "red"]}
CONNECTION: Schema = {"enum": list(get_args(Connection))}


def record(properties: Mapping[str, Schema]) -> Schema:
    """An object with all of these, and perhaps more."""
    return {"type": "object", "properties": dict(properties), "required": list(properties)}


def array(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def mapping(values: Schema) -> Schema:
    """An object with any keys."""
    return {"type": "object", "additionalProperties": values}


def or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def schemas() -> Schema:
    """By name, to be referred to."""
    sections = {
        "room": _room(),
        "audio": _audio(),
        "notes": _notes(),
        "light": _light(),
        "midi": _midi(),
        "state": {"$ref": "#/components/schemas/State"},
        "clock": record({"host_id": or_null(TEXT), "room_ms": NUMBER, "delay_ms": or_null(NUMBER)}),
        "store": record({"backend": TEXT, "saved_at": or_null(TEXT)}),
        "services": mapping(
            record(
                {
                    "state": {"enum": [state.value for state in State]},
                    "restarts": COUNT,
                    "last_error": or_null(TEXT),
                }
            )
        ),
        "alerts": array(record({"code": TEXT, "text": TEXT, "cause": TEXT, "remedy": TEXT, "since": or_null(TEXT)})),
    }
    return {"Status": record({"schema_version": {"const": 1}, "version": TEXT, "uptime_s": NUMBER, **sections})}


def _room() -> Schema:
    member = {
        "id": TEXT,
        "name": TEXT,
        "instrument": TEXT,
        "sends": BOOLEAN,
        "is_host": BOOLEAN,
        "session": CONNECTION,
        "audio": or_null(CONNECTION),
        "joined_at": or_null(TEXT),
        "self": BOOLEAN,
    }
    return record(
        {
            "code_hint": TEXT,
            "code": TEXT,
            "link": or_null(TEXT),
            "state": {"enum": ["joined", "joining", "local"]},
            "connection": CONNECTION,
            "light": LAMP,
            "may_change": BOOLEAN,
            "host_id": or_null(TEXT),
            "participants": array(record(member)),
        }
    )


def _audio() -> Schema:
    card = {
        "card": or_null(TEXT),
        "problem": or_null(TEXT),
        "muted": BOOLEAN,
        "peak_dbfs": NUMBER,
        "level_dbfs": NUMBER,
    }
    latency = {part: or_null(NUMBER) for part in ("network", "jitter", "playout")}
    peer = {
        "id": TEXT,
        "name": TEXT,
        "state": CONNECTION,
        "connection": or_null(TEXT),
        "path": or_null({"enum": ["host", "srflx", "relay"]}),
        "latency_ms": record(latency),
        "loss": {"type": "number", "minimum": 0, "maximum": 1},
        "level_dbfs": NUMBER,
        "gain": {"type": "number", "minimum": 0, "maximum": 2},
        "muted": BOOLEAN,
    }
    volume: Schema = {"type": "number", "minimum": 0, "maximum": 1}
    return record(
        {
            "input": record(card | {"sends": BOOLEAN, "waiting": BOOLEAN}),
            "output": record(card | {"volume": volume}),
            "light": LAMP,
            "peers": array(record(peer)),
        }
    )


def _notes() -> Schema:
    source = {"id": TEXT, "name": TEXT, "notes": array(TEXT), "onset": BOOLEAN, "level_dbfs": NUMBER}
    return record({"chord": or_null(TEXT), "sources": array(record(source))})


def _light() -> Schema:
    controller = {
        "name": TEXT,
        "mac": TEXT,
        "host": TEXT,
        "pixels": COUNT,
        "protocol": TEXT,
        "state": {"enum": list(get_args(consent.State))},
        "reason": TEXT,
        "fps_sent": or_null(NUMBER),
        "fps_shown": NUMBER,
    }
    zone = {
        "player": TEXT,
        "controller": TEXT,
        "start": COUNT,
        "stop": or_null(COUNT),
        "effect": or_null(TEXT),
        "problem": or_null(TEXT),
    }
    return record(
        {
            "mode": TEXT,
            "wanted": {"enum": list(get_args(Wanted))},
            "effect": TEXT,
            "brightness": {"type": "number", "minimum": 0, "maximum": 1},
            "zones": array(record(zone)),
            "controllers": array(record(controller)),
        }
    )


def _midi() -> Schema:
    return record(
        {
            "inputs": array(TEXT),
            "outputs": array(TEXT),
            "problem": or_null(TEXT),
            "sent": COUNT,
            "received": COUNT,
            "sent_per_s": NUMBER,
            "received_per_s": NUMBER,
        }
    )
