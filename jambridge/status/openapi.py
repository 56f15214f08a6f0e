"""`/openapi.json`: the local HTTP, described. Pure. Source: OpenAPI 3.1.0."""

from typing import Any, get_args

from jambridge import __version__
from jambridge.config import LightConfig
from jambridge.light.syncmode import Wanted
from jambridge.lighting import CHANGEABLE, PAUSED
from jambridge.room.state import COLOR_MODES, MAX_SCALE, TEMPO_BPM
from jambridge.status import access, status_schema
from jambridge.status.control import MAX_KEY, MOST_SESSIONS
from jambridge.status.status_schema import BOOLEAN, NUMBER, TEXT, Schema, array, mapping, record


def document() -> Schema:
    """The whole description."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "jambridge",
            "version": __version__,
            "description": "The box in the corner of the rehearsal room. From another machine everything but health, "
            "the page and this description takes the token.",
            "license": {"name": "see the repository", "identifier": "LicenseRef-jambridge"},
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}, {"cookie": []}, {}],
        "tags": [{"name": name} for name in ("status", "control", "page")],
        "paths": {**_reading(), **_changing(), **_pages()},
        "components": {
            "schemas": {**status_schema.schemas(), **_schemas()},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": access.COOKIE},
            },
        },
    }


def _reading() -> Schema:
    text, limit = {"text/plain": {"schema": TEXT}}, {"type": "integer", "minimum": 1, "maximum": MOST_SESSIONS}
    conditional = _header("If-None-Match", "Answered 304 where nothing but the time has changed.")
    unchanged = {"description": "Nothing has changed but the time."}
    return {
        "/healthz": {"get": _get("Whether every loop ticks.", text, {"503": _plain("What does not.")})},
        "/readyz": {"get": _get("Whether the box is in its room.", text, {"503": _plain("It is not.")})},
        "/status": {
            "get": _get("The whole box at this moment.", _json("Status"), {"304": unchanged}, parameters=[conditional])
        },
        "/events": {
            "get": _get(
                "The status as it changes: the events `status`, `patch` (RFC 7396) and `strips`.",
                {"text/event-stream": {"schema": TEXT}},
                {"403": _refused("Asked by a page of another site."), "503": _refused("Too many look.")},
            )
        },
        "/metrics": {"get": _get("For Prometheus.", text)},
        "/qr.svg": {
            "get": _get(
                "The room's link as a QR code.",
                {"image/svg+xml": {"schema": TEXT}},
                {"404": _refused("There is no link at the moment.")},
            )
        },
        "/openapi.json": {"get": _get("This description.", {"application/json": {"schema": {"type": "object"}}})},
        "/api/stats": {"get": _get("Figures for a dashboard: no names, no codes.", _json("Stats"))},
        "/api/sessions": {
            "get": _get(
                "The sessions stored here, the newest first.",
                _json("Sessions"),
                {"400": _refused("No such limit."), "503": _refused("They cannot be read at the moment.")},
                parameters=[
                    {"name": "limit", "in": "query", "schema": {**limit, "default": 10}},
                    {
                        "name": "brief",
                        "in": "query",
                        "description": "1: without what is stored of instruments and lights.",
                        "schema": {"enum": ["0", "1"]},
                    },
                ],
            )
        },
    }


def _changing() -> Schema:
    state = _header("If-Match", "An ETag, or a revision in quotes: 409 where the state is another by now.")
    return {
        "/api/state": {
            "get": _get("What the room agrees on.", _json("State")),
            "post": _post(
                "Change it.",
                "StateChange",
                "State",
                {"409": {"description": "It has changed meanwhile.", "content": _json("State")}},
                parameters=[state],
            ),
        },
        "/api/audio": {
            "get": _get("Volumes and mutes.", _json("Audio")),
            "post": _post("Change some of them.", "AudioChange", "Audio"),
        },
        "/api/light": {
            "get": _get("The lights' settings.", _json("Light")),
            "post": _post("Change some of them until the next start.", "LightChange", "Light"),
        },
        "/api/light/try": {
            "post": _post(
                "Show a pattern on one WLED.",
                "Try",
                "Tried",
                {"409": _refused("It cannot be shown now.")},
                done="202",
            )
        },
        "/api/midi/panic": {"post": _post("End every note.", "Nothing", "Nothing")},
        "/api/sessions/resume": {
            "post": _post(
                "Go on with a stored session: in its room, or in a new one after 24 hours.",
                "Resume",
                "Resuming",
                {
                    "404": _refused("There is no such session."),
                    "409": _refused("The box is leaving already."),
                    "503": _refused("Sessions cannot be read at the moment."),
                },
                done="202",
            )
        },
        "/api/leave": {"post": _post("End the daemon.", "Nothing", "Leaving", done="202")},
        "/api/login": {
            "post": {
                **_post("Show the token; the cookie of the answer stands for it.", "Login", "Nothing"),
                "parameters": [],
                "security": [],
            }
        },
    }


def _pages() -> Schema:
    page = {"text/html": {"schema": TEXT}}
    name = {"name": "name", "in": "path", "required": True, "schema": TEXT}
    file = {"*/*": {"schema": TEXT}}
    missing = {"404": _refused("There is no such file.")}
    return {
        "/": {"get": _get("The page.", page, tag="page")},
        "/login": {"get": _get("The page, which takes the token behind #.", page, tag="page")},
        "/page/{name}": {"get": _get("A file of the page.", file, missing, parameters=[name], tag="page")},
    }


def _schemas() -> Schema:
    light = LightConfig.model_json_schema(ref_template="#/components/schemas/{model}")
    settings = {PAUSED: BOOLEAN, **{name: light["properties"][name] for name in CHANGEABLE}}
    modes = {"mode": {"enum": [one for one in get_args(Wanted) if one != "off"]}}
    unit, gain = {"type": "number", "minimum": 0, "maximum": 1}, {"type": "number", "minimum": 0, "maximum": 2}
    fields: Schema = {
        "tempo": {"type": "number", "minimum": TEMPO_BPM[0], "maximum": TEMPO_BPM[1]},
        "key": {"type": "string", "pattern": "^[A-G][#b]?$"},
        "scale": {"type": "string", "minLength": 1, "maxLength": MAX_SCALE},
        "colorMode": {"enum": list(COLOR_MODES)},
        "isPlaying": BOOLEAN,
    }
    volumes: Schema = {"masterVolume": unit, "muted": BOOLEAN, "inputMuted": BOOLEAN}
    fader: Schema = {"gain": gain, "muted": BOOLEAN}
    name = {"type": "string", "minLength": 1, "maxLength": 64}
    return {
        "ZoneConfig": light["$defs"]["ZoneConfig"],
        "Error": record({"error": TEXT}),
        "Nothing": {"type": "object"},
        "State": record({**fields, "revision": {"type": "integer", "minimum": 0}}),
        "StateChange": _some(fields),
        "Audio": record({**volumes, "players": mapping(record(fader)), "absent": array(TEXT)}),
        "AudioChange": _some(volumes | {"players": {**mapping(_some(fader)), "propertyNames": {"maxLength": 64}}}),
        "Light": record(settings),
        "LightChange": {**_some(settings | modes), "minProperties": 0},
        "Try": {**record({"controller": name, "pattern": {"enum": ["identify", "test"]}})},
        "Tried": record({"controller": TEXT, "mac": TEXT, "pattern": TEXT, "seconds": NUMBER}),
        "Resume": record({"id": name}),
        "Resuming": record({"resuming": TEXT}),
        "Leaving": record({"leaving": BOOLEAN}),
        "Login": record({"token": {"type": "string", "maxLength": 512}}),
        "Sessions": record({"sessions": array(record({"id": TEXT, "created_at": TEXT, "state": {"type": "object"}}))}),
        "Stats": record(
            {
                "active_sessions": NUMBER,
                "participants": NUMBER,
                "uptime_minutes": NUMBER,
                "reconnections": NUMBER,
                "reconnections_per_hour": NUMBER,
            }
        ),
    }


def _some(properties: Schema) -> Schema:
    """At least one of them, and nothing else."""
    return {"type": "object", "properties": properties, "additionalProperties": False, "minProperties": 1}


def _get(about: str, content: Schema, others: Schema | None = None, *, tag: str = "status", **more: Any) -> Schema:
    return {"summary": about, "tags": [tag], "responses": _responses("200", content, others), **more}


def _post(
    about: str, body: str, answer: str, others: Schema | None = None, *, done: str = "200", parameters: Any = ()
) -> Schema:
    refusals = {
        "400": _refused("It makes no sense, and nothing is changed."),
        "403": _refused("Not ours to change, or asked by a page of another site."),
        "408": _refused("The body came too slowly."),
        "413": _refused("The body is too long."),
        "415": _refused("The body is no application/json."),
        "422": _refused("The Idempotency-Key was used for something else."),
    }
    key = _header(
        "Idempotency-Key",
        "The same key again within 24 h, and before the next start, is answered as before, and nothing is done, unless "
        "it was refused.",
    )
    key["schema"] = {"type": "string", "maxLength": MAX_KEY}
    return {
        "summary": about,
        "tags": ["control"],
        "parameters": [key, *parameters],
        "requestBody": {"required": True, "content": _json(body)},
        "responses": _responses(done, _json(answer), refusals | (others or {})),
    }


def _responses(done: str, content: Schema, others: Schema | None) -> Schema:
    always = {
        "401": _refused("The token is missing or wrong."),
        "421": _refused("The Host is not ours: see http.allowed_hosts."),
    }
    return {done: {"description": "Done.", "content": content}, **(others or {}), **always}


def _header(name: str, about: str) -> Schema:
    return {"name": name, "in": "header", "description": about, "schema": TEXT}


def _json(name: str) -> Schema:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}


def _refused(about: str) -> Schema:
    return {"description": about, "content": _json("Error")}


def _plain(about: str) -> Schema:
    return {"description": about, "content": {"text/plain": {"schema": TEXT}}}
