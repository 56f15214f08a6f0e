"""What a host writes into its session's state, and what it leaves alone. Pure.

Ours are the music's known keys, the hardware that we have, our own modules and the counts. Everything else, a browser's
studio above all, is carried over from what is there.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jambridge.room.state import RoomState
from jambridge.store import record, session
from jambridge.store.session import MUSIC_KEYS
from jambridge.strict_json import JsonObject

OWN_MODULES = "jambridge-"
"""Instances whose id begins so are ours."""
_DEFAULT_MUSIC: JsonObject = {**RoomState().values(), "masterVolume": 0.8}

_HIGHEST = 2**53 - 1  # what JavaScript counts exactly
_ADDRESSES = frozenset({"ip", "host", "address", "ipAddress", "url"})


@dataclass(frozen=True, slots=True)
class Setup:
    """What this box has beside the room's state; None and empty mean "nothing to say", and keep what is stored.

    `wled_devices` are objects `{id, name, ip, …}`, `modules` objects `{instanceId, moduleId, label, color, settings}`.
    """

    master_volume: float | None = None
    midi_input: str | None = None
    midi_output: str | None = None
    midi_connected: bool | None = None
    wled_devices: tuple[JsonObject, ...] = ()
    active_wled: str | None = None
    modules: tuple[JsonObject, ...] = ()
    active_module: str | None = None


@dataclass(frozen=True, slots=True)
class Moment:
    """The room as it is when it is saved. `music` is empty while nobody has touched the room's state."""

    music: Mapping[str, Any]
    participants: int
    setup: Setup
    minutes: int
    """Whole minutes that the session has lasted, by the monotonic clock."""
    wall: datetime


def minutes_between(started_s: float, now_s: float) -> int:
    """Whole minutes on the monotonic clock, never negative."""
    return max(0, int((now_s - started_s) // 60))


def duration(state: JsonObject | None) -> int:
    """The minutes that a session has lasted, as stored."""
    return _count(_block(state or {}, "metadata"), "durationMinutes")


def snapshot(previous: JsonObject | None, moment: Moment, *, device_ips: bool = True) -> JsonObject | None:
    """The state to store after `previous`, or None when nothing of it would be new."""
    old = previous or {}
    state = {
        **old,
        "music": {**_DEFAULT_MUSIC, **_block(old, "music"), **_music(moment)},
        "studio": _studio(_block(old, "studio"), moment.setup),
        "hardware": _hardware(_block(old, "hardware"), moment.setup, device_ips=device_ips),
    }
    changed = any(state[name] != old.get(name) for name in ("music", "studio", "hardware"))
    metadata = _block(old, "metadata")
    counts = {
        "participantCount": moment.participants,
        "totalStateChanges": _count(metadata, "totalStateChanges") + (changed and session.revision(old) is not None),
        "durationMinutes": max(moment.minutes, _count(metadata, "durationMinutes")),
    }
    if not changed and previous is not None and all(metadata.get(name) == value for name, value in counts.items()):
        return None
    stamps = {"updatedAt": record.to_text(moment.wall), "revision": _count(metadata, "revision") + 1}
    return {**state, "metadata": {**metadata, **counts, **stamps}}


def merge(ours: JsonObject, theirs: JsonObject) -> JsonObject:
    """Our own blocks over theirs, one revision later than both."""
    music, hardware = _block(ours, "music"), _block(ours, "hardware")
    metadata, known = _block(ours, "metadata"), _block(theirs, "metadata")
    counts = {
        name: max(_count(metadata, name), _count(known, name)) for name in ("totalStateChanges", "durationMinutes")
    }
    kept = {name: metadata[name] for name in ("participantCount", "updatedAt") if name in metadata}
    number = max(_count(metadata, "revision"), _count(known, "revision") + 1)
    own_music = {key: music[key] for key in MUSIC_KEYS if key in music}
    blocks = {
        "music": {**music, **_block(theirs, "music"), **own_music},
        "studio": _merged_studio(_block(ours, "studio"), _block(theirs, "studio")),
        "hardware": {**hardware, **_block(theirs, "hardware"), **_merged_hardware(hardware, theirs)},
    }
    return {
        **ours,
        **theirs,
        **{name: block for name, block in blocks.items() if block},
        "metadata": {**metadata, **known, **counts, **kept, "revision": number},
    }


def merge_untouched(ours: JsonObject, theirs: JsonObject) -> JsonObject:
    """As `merge`, while nobody has touched the room's state: the music stored there is worth more than our defaults."""
    merged = merge(ours, theirs)
    return {**merged, "music": {**_block(merged, "music"), **_block(theirs, "music")}}


def numbered_as(state: JsonObject, *others: JsonObject) -> JsonObject:
    """`state` with the highest revision of `others`: nothing was written by bringing them together."""
    number = max(session.revision(other) or 0 for other in others)
    return {**state, "metadata": {**_block(state, "metadata"), "revision": number}}


def renamed(state: JsonObject, session_name: str) -> JsonObject:
    """The beginning of a new session from an old one's state: its counts start again."""
    counts = ("participantCount", "totalStateChanges", "durationMinutes", "updatedAt", "revision")
    kept = {key: value for key, value in _block(state, "metadata").items() if key not in counts}
    return {**state, "metadata": {**kept, "sessionName": session_name}}


def _block(state: Mapping[str, Any], name: str) -> JsonObject:
    value = state.get(name)
    return value if isinstance(value, dict) else {}


def _count(metadata: JsonObject, name: str) -> int:
    return _counted(metadata.get(name))


def _counted(value: Any) -> int:
    """0 for what is no count, or so high that only a liar wrote it: it begins again instead of ending all saving."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _HIGHEST else 0


def _said(**values: Any) -> JsonObject:
    return {name: value for name, value in values.items() if value is not None}


def _music(moment: Moment) -> JsonObject:
    values = {key: _number(moment.music[key]) for key in MUSIC_KEYS if key in moment.music}
    return {**values, **_said(masterVolume=moment.setup.master_volume)}


def _number(value: Any) -> Any:
    """140, not 140.0: as JavaScript writes it."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _studio(stored: JsonObject, setup: Setup) -> JsonObject:
    studio = {"loadedModules": [], "activeModuleId": None, **stored, **_said(activeModuleId=setup.active_module)}
    if setup.modules:
        ids = {module.get("instanceId") for module in setup.modules}
        foreign = [entry for entry in _entries(stored) if not _is_own(entry) and _id(entry) not in ids]
        studio["loadedModules"] = [*foreign, *setup.modules]
    return studio


def _merged_studio(ours: JsonObject, theirs: JsonObject) -> JsonObject:
    studio = {**ours, **theirs}
    own = [entry for entry in _entries(ours) if _is_own(entry)]
    if own:
        studio["loadedModules"] = [*(entry for entry in _entries(theirs) if not _is_own(entry)), *own]
    return studio


def _entries(studio: JsonObject) -> list[Any]:
    value = studio.get("loadedModules")
    return value if isinstance(value, list) else []


def _id(entry: Any) -> str | None:
    value = entry.get("instanceId") if isinstance(entry, dict) else None
    return value if isinstance(value, str) else None


def _is_own(entry: Any) -> bool:
    return (_id(entry) or "").startswith(OWN_MODULES)


def _hardware(stored: JsonObject, setup: Setup, *, device_ips: bool) -> JsonObject:
    midi = {"inputDevice": None, "outputDevice": None, "connected": False, **_block(stored, "midi")}
    wled = {"devices": [], "activeDeviceId": None, **_block(stored, "wled")}
    if setup.wled_devices:
        wled["devices"] = list(setup.wled_devices)
    if not device_ips:
        wled["devices"] = without_addresses(wled["devices"])
    return {
        **stored,
        "midi": {
            **midi,
            **_said(inputDevice=setup.midi_input, outputDevice=setup.midi_output, connected=setup.midi_connected),
        },
        "wled": {**wled, **_said(activeDeviceId=setup.active_wled)},
    }


def _merged_hardware(ours: JsonObject, theirs: JsonObject) -> JsonObject:
    known = _block(theirs, "hardware")
    both = {name: (_block(ours, name), _block(known, name)) for name in ("midi", "wled")}
    return {name: {**mine, **other, **_present(mine)} for name, (mine, other) in both.items() if mine}


def _present(block: JsonObject) -> JsonObject:
    """Without what is None or empty, which says nothing."""
    return {key: value for key, value in block.items() if value is not None and value != []}


def without_addresses(devices: Iterable[Any]) -> list[Any]:
    """The devices, their network addresses left out."""
    return [
        {key: value for key, value in device.items() if key not in _ADDRESSES} if isinstance(device, dict) else device
        for device in devices
    ]


def following(state: JsonObject, known: int | None) -> JsonObject:
    """`state`, its revision later than the one it replaces."""
    metadata = _block(state, "metadata")
    number = max(_count(metadata, "revision"), _counted(known) + 1)
    return {**state, "metadata": {**metadata, "revision": number}}


def same(one: JsonObject, other: JsonObject) -> bool:
    """Equal but for the revision."""
    return _unnumbered(one) == _unnumbered(other)


def _unnumbered(state: JsonObject) -> JsonObject:
    return {**state, "metadata": {key: value for key, value in _block(state, "metadata").items() if key != "revision"}}


def is_newer(theirs: JsonObject, ours: JsonObject) -> bool:
    """Whether theirs was written later, as far as the writers' clocks agree."""
    return str(_block(theirs, "metadata").get("updatedAt", "")) > str(_block(ours, "metadata").get("updatedAt", ""))
