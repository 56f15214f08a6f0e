"""What the daemon that runs here says of itself, and how late it is. Pure."""

from collections.abc import Sequence

from jambridge.doctor.finding import Finding, failure, good, note, quoted, warning
from jambridge.latency.budget import Verdict, Way
from jambridge.strict_json import JsonObject

DAEMON, LATENCY = "jambridge", "latency"
_LOG = "its log says more: journalctl -u jambridge, or where it was started"
_START = "start it, and ask again: then sound and light are looked at while they work"


def daemon(status: JsonObject | None, *, is_claimed: bool) -> list[Finding]:
    """`status` is /status; `is_claimed`: somebody holds the state directory."""
    if status is None and is_claimed:
        reason = "it runs with this state directory, and does not answer (http.port)"
        return [warning(DAEMON, reason, "is it started with another configuration? Name that with --config")]
    if status is None:
        return [note(DAEMON, "it does not run now", _START)]
    services, alerts = status["services"], status["alerts"]
    ill = [(name, one) for name, one in services.items() if one["state"] != "running" and one["last_error"]]
    found = [_service(name, one["state"], one["last_error"]) for name, one in ill]
    found += [warning(DAEMON, f"{quoted(one['text'])}: {quoted(one['cause'])}", _LOG) for one in alerts]
    room, members = status["room"]["connection"], len(status["room"]["participants"])
    reason = f"runs for {status['uptime_s']:.0f} s, {room}, {members} in the room"
    return [good(DAEMON, reason), *found] if room == "connected" else [warning(DAEMON, reason, _LOG), *found]


def latency(ways: Sequence[Way], *, is_running: bool) -> list[Finding]:
    if not ways:
        reason = "nobody plays with it now" if is_running else "it is measured while jambridge runs"
        return [note(LATENCY, reason, "jambridge latency; over a cable from line-out to line-in: --loopback")]
    return [_way(way) for way in ways]


def _service(name: str, state: str, error: str) -> Finding:
    return failure(DAEMON, f"its service {name} is {state}: {quoted(error)}", _LOG)


def _way(way: Way) -> Finding:
    name = f"{LATENCY} {way.kind.value} {quoted(way.who)[:40]}"
    known = "not known" if way.sum_ms is None else f"{way.sum_ms:.0f} ms of {way.bar_ms:.0f}"
    match way.verdict:
        case Verdict.GOOD:
            return good(name, known)
        case Verdict.TOO_LONG:
            return failure(name, f"{known}: too late to play in time", way.remedy or _LOG)
        case Verdict.ACCEPTABLE:
            return warning(name, known, way.remedy or _LOG)
    return note(name, quoted(way.doubt or known))
