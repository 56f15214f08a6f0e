"""The shape of /status: the whole box at one moment, as JSON. Pure."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from jambridge import __version__
from jambridge.light.control import OutputReport, Report
from jambridge.light.discovery import Found
from jambridge.notes import chord
from jambridge.room.budget import Quota
from jambridge.room.edges import RoomView
from jambridge.room.messages import Participant
from jambridge.room.state import RoomState
from jambridge.status import remedies
from jambridge.status.alerts import Alert
from jambridge.store.service import StoreReport
from jambridge.strict_json import JsonObject
from jambridge.supervise import Health
from jambridge.sync.service import ClockReport
from jambridge.typed_json import plain
from jambridge.units import LocalSeconds, MidiNote, PeerId, RoomCode, note_name

SCHEMA_VERSION = 1
_LIGHTS = {"connected": "green", "reconnecting": "yellow", "disconnected": "red"}


def room(
    code: RoomCode,
    link: str | None,
    view: RoomView,
    self_id: PeerId,
    dropped: Mapping[str, int],
    *,
    quota: tuple[Quota, LocalSeconds] | None = None,
    may_meet: bool = True,
    may_change: bool = True,
) -> JsonObject:
    """`code` and `link` are keys to the room, `code_hint` tells rooms apart where those must not stand.

    `may_meet`: there may be a hub; `may_change`: tempo and key are ours to change; `quota` counts what hosted Supabase
    bills, up to that moment.
    """
    away = "joining" if may_meet else "local"
    return {
        "code_hint": f"{code[:2]}…{code[-1]}",
        "code": code,
        "link": link,
        "state": "joined" if view.connection == "connected" else away,
        "connection": view.connection,
        "light": _LIGHTS[view.connection],
        "seats": list(view.seats),
        "may_change": may_change,
        "quota": _quota(*quota) if quota else None,
        "host_id": view.host,
        "participants": [_participant(member, view, self_id) for member in view.members],
        "dropped": dict(dropped),
    }


def state(shared: RoomState) -> JsonObject:
    return {**shared.values(), "revision": shared.revision}


def clock(report: ClockReport, now: LocalSeconds) -> JsonObject:
    """The room clock at `now`: two boxes' readings are compared by these."""
    course = report.course
    room_s = course.room_s(now)
    return {
        "host_id": report.host,
        "monotonic_ms": round(now * 1000, 4),
        "room_ms": round(room_s * 1000, 4),
        "offset_ms": round((room_s - now) * 1000, 4),
        "delay_ms": None if report.delay_ms is None else round(report.delay_ms, 4),
        "rate_ppm": round(course.rate * 1e6, 2),
        "samples": report.samples,
        "steps": report.steps,
    }


def store(report: StoreReport | None) -> JsonObject:
    if report is None:
        return {"backend": "none", "saved_at": None}
    return {
        "backend": report.backend,
        "saved_at": report.saved_at,
        "pending": report.pending,
        "last_error": report.last_error,
        "minutes": report.minutes,
        "pool": plain(report.pool),
    }


def notes(report: Report | None) -> JsonObject:
    sounding = {MidiNote(note) for source in (report.sources if report else ()) for note in source.notes}
    return {
        "chord": chord.name(sounding),
        "sources": [
            {
                "id": source.id,
                "name": source.name,
                "notes": [note_name(MidiNote(note)) for note in source.notes],
                "onset": source.onset,
                "level_dbfs": round(source.level_dbfs, 1),
            }
            for source in (report.sources if report else ())
        ],
    }


def light(mode: str, seen: Sequence[Found], report: Report | None) -> JsonObject:
    """Every WLED seen, driven or not, with what was sent to it."""
    sent = {output.mac: output for output in (report.outputs if report else ())}
    return {
        "mode": mode,
        "process": None
        if report is None
        else {
            "pid": report.pid,
            "ticks": report.ticks,
            "late_ticks": report.late_ticks,
            "cpu_s": report.cpu_s,
            "detector_s": report.detector_s,
        },
        "controllers": [_controller(one, sent.get(one.mac)) for one in seen],
    }


def _controller(one: Found, output: OutputReport | None) -> JsonObject:
    return {
        "name": one.name,
        "mac": one.mac,
        "host": one.host,
        "pixels": one.pixels,
        "protocol": one.protocol,
        "state": one.state,
        "reason": one.reason,
        "warnings": list(one.warnings),
        "fps_sent": output.fps if output else None,
        "fps_shown": one.fps_shown,
        "frames_sent": output.frames_sent if output else 0,
        "skipped": output.skipped if output else 0,
        "errors": output.errors if output else 0,
        "error": output.error if output else None,
    }


def services(health: Mapping[str, Health]) -> JsonObject:
    return {
        name: {"state": one.state.value, "restarts": one.restarts, "last_error": one.last_error}
        for name, one in health.items()
    }


def alerts(active: Sequence[Alert]) -> list[JsonObject]:
    return [{**plain(alert), "remedy": remedies.of(alert.code), "since": _iso(alert.since)} for alert in active]


def stats(view: RoomView, health: Mapping[str, Health], uptime_s: float) -> JsonObject:
    """What a dashboard counts: no names, no codes."""
    tries = health["room"].restarts if "room" in health else 0
    return {
        "active_sessions": int(view.connection == "connected"),
        "participants": len(view.members),
        "uptime_minutes": int(uptime_s // 60),
        "reconnections": tries,
        "reconnections_per_hour": round(tries / max(uptime_s / 3600, 1.0), 2),
    }


def whole(uptime_s: float, room: JsonObject, audio: JsonObject, **sections: Any) -> JsonObject:
    """Each participant has the state of its sound beside that of its seat; None for who has none with this box."""
    heard = {peer["id"]: peer["state"] for peer in audio["peers"]}
    participants = [{**member, "audio": heard.get(member["id"])} for member in room["participants"]]
    return {
        "schema_version": SCHEMA_VERSION,
        "version": __version__,
        "uptime_s": round(uptime_s, 1),
        "room": {**room, "participants": participants},
        "audio": audio,
        **sections,
    }


def _participant(member: Participant, view: RoomView, self_id: PeerId) -> JsonObject:
    here = view.connection == "connected" and member.id not in view.missing
    return {
        "id": member.id,
        "name": member.name,
        "instrument": member.instrument,
        "sends": member.sends,
        "is_host": member.id == view.host,
        "session": "connected" if here else "reconnecting",
        "joined_at": _iso(member.joined_at),
        "self": member.id == self_id,
    }


def _quota(quota: Quota, now: LocalSeconds) -> JsonObject:
    days = quota.days(now)
    return {
        "messages_sent": quota.sent,
        "messages_received": quota.received,
        "days_left": None if days is None else round(days, 1),
    }


def _iso(moment: float) -> str | None:
    try:
        return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")
    except (OverflowError, ValueError):
        return None  # an implausible time of joining
