"""/status for people at a terminal."""

import http.client
import json
import urllib.error
import urllib.request
from collections import Counter
from datetime import datetime

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from jambridge import strict_json
from jambridge.errors import UnavailableError, WireError
from jambridge.strict_json import JsonObject

_MAX_BYTES = 1024 * 1024
_TIMEOUT_S = 3.0
_ON_THIS_MACHINE = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_COLOURS = {
    "connected": "green",
    "running": "green",
    "driven": "green",
    "reconnecting": "yellow",
    "starting": "yellow",
    "waiting": "yellow",
    "disconnected": "red",
    "absent": "red",
}


def fetch(bind: str, port: int) -> JsonObject:
    """Ask the daemon on this machine.

    Raises:
        UnavailableError: none answers.
    """
    status = _ask(_address(bind, port), "/status")
    if "schema_version" not in status:
        raise UnavailableError(
            f"what answers on {_address(bind, port)} is not jambridge: set http.port to a port of its own"
        )
    return status


def show_pattern(bind: str, port: int, controller: str, pattern: str) -> JsonObject:
    """Have the daemon on this machine show it.

    Raises:
        UnavailableError: none answers, or it cannot, and why.
    """
    return _ask(_address(bind, port), "/api/light/try", {"controller": controller, "pattern": pattern})


def _address(bind: str, port: int) -> str:
    """Of the daemon on this machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bind, bind)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _ask(address: str, path: str, body: JsonObject | None = None) -> JsonObject:
    """GET, or POST of `body`."""
    posted = None if body is None else json.dumps(body).encode()
    url = f"http://{address}{path}"
    request = urllib.request.Request(url, posted, {"Content-Type": "application/json"})
    try:
        with _ON_THIS_MACHINE.open(request, timeout=_TIMEOUT_S) as answer:
            return strict_json.loads_object(answer.read(_MAX_BYTES), _MAX_BYTES)
    except urllib.error.HTTPError as exc:
        raise UnavailableError(_reason(exc)) from exc
    except (urllib.error.URLError, http.client.HTTPException, OSError, WireError) as exc:
        raise UnavailableError(
            f"no jambridge answers on {address}: is it running? Start it with: jambridge --room ABC123"
        ) from exc


def _reason(refusal: urllib.error.HTTPError) -> str:
    try:
        return str(strict_json.loads_object(refusal.read(_MAX_BYTES), _MAX_BYTES).get("error", refusal.reason))
    except (OSError, WireError):
        return str(refusal.reason)


def render(status: JsonObject) -> RenderableType:
    """Room, sound, light and services, each a table; what is wrong comes first."""
    room, alerts = status["room"], status["alerts"]
    lines: list[RenderableType] = [
        Text.from_markup(f"[bold]{escape(alert['text'])}[/]: {escape(alert['cause'])}", style="red") for alert in alerts
    ]
    lines.append(
        Text.from_markup(
            f"Room [bold]{escape(room['code'])}[/]  {_light(room['connection'])}  up {status['uptime_s']:.0f} s"
            f"  {escape(room['link'] or '')}"
        )
    )
    lines.append(Text(_music(status)))
    lines.append(Text(_cards(status["audio"])))
    lines.append(Text(_midi(status["midi"])))
    lit = _controllers(status) if status["light"]["controllers"] else Text("No light found: see jambridge leds list")
    return Group(*lines, Text(), _people(status), Text(), lit, Text(), _services(status))


def _music(status: JsonObject) -> str:
    """Tempo and key, and whether they are kept."""
    state, saved_at = status["state"], status["store"]["saved_at"]
    music = f"{state['tempo']:g} bpm  {state['key']} {state['scale']}  {state['colorMode']}"
    playing = "playing" if state["isPlaying"] else "stopped"
    return f"{music}  {playing}  {f'saved {_clock(saved_at)}' if saved_at else 'not saved here'}"


def _cards(audio: JsonObject) -> str:
    """Both sound cards: which, how loud, and whether they are heard."""
    line_in, line_out = audio["input"], audio["output"]
    volume = "muted" if line_out["muted"] else f"volume {100 * line_out['volume']:.0f} %"
    return f"In: {_card(line_in, _hearing(line_in))}   Out: {_card(line_out, volume)}"


def _hearing(line_in: JsonObject) -> str:
    """Who hears it."""
    if line_in["waiting"]:
        return "heard by nobody: others play already"
    return "muted" if line_in["muted"] else "sent to all" if line_in["sends"] else "for the light only"


def _midi(midi: JsonObject) -> str:
    """Its ports, and what went through them."""
    ports = f"MIDI in: {', '.join(midi['inputs']) or 'none'}   out: {', '.join(midi['outputs']) or 'none'}"
    known = [peer["latency_ms"] for peer in midi["peers"] if peer["latency_ms"] is not None]
    late = f", {max(known):.0f} ms" if known else ""
    ways = ", ".join(f"{midi[way]} {way} ({midi[f'{way}_per_s']:.0f}/s)" for way in ("sent", "received"))
    counts = f"   {ways}{late}" if midi["inputs"] or midi["outputs"] else ""
    return f"{ports}{counts}{'   ' + midi['problem'] if midi['problem'] else ''}"


def _card(one: JsonObject, how: str) -> str:
    return f"{one['card']} {one['peak_dbfs']:.0f} dBFS, {how}" if one["card"] else one["problem"] or "no card"


def _delay(peer: JsonObject) -> str:
    """Network and playout together, as far as they are known."""
    known = [one for one in (peer["latency_ms"]["network"], peer["latency_ms"]["playout"]) if one is not None]
    return f"{sum(known):.0f}" if known else "-"


def _people(status: JsonObject) -> Table:
    table = Table(
        "Musician",
        "Instrument",
        "Joined",
        "Sound",
        "Path",
        "Delay ms",
        "Level dBFS",
        "Loss",
        "Notes",
        box=None,
        pad_edge=False,
    )
    names = Counter(member["name"] for member in status["room"]["participants"])
    peers = {peer["id"]: peer for peer in status["audio"]["peers"]}
    sources = {source["id"]: source for source in status["notes"]["sources"]}
    for member in status["room"]["participants"]:
        peer, source = peers.get(member["id"]), sources.get(member["id"])
        marks = (" (host)" if member["is_host"] else "") + (" (this box)" if member["self"] else "")
        twin = f" ·{member['id'][:4]}" if names[member["name"]] > 1 else ""
        table.add_row(
            escape(member["name"] + twin + marks),
            escape(member["instrument"]),
            _clock(member["joined_at"]),
            _light(peer["state"]) if peer else "-",
            peer["path"] or "-" if peer else "-",
            _delay(peer) if peer else "-",
            f"{peer['level_dbfs']:.0f}" if peer else "-",
            f"{100 * peer['loss']:.1f} %" if peer else "-",
            " ".join(source["notes"]) if source else "-",
        )
    return table


def _controllers(status: JsonObject) -> Table:
    table = Table("Light", "Address", "Pixels", "State", "Frames/s", "Why", box=None, pad_edge=False)
    for one in status["light"]["controllers"]:
        sent = "-" if one["fps_sent"] is None else f"{one['fps_sent']:.0f}"
        table.add_row(
            escape(one["name"]), one["host"], str(one["pixels"]), _light(one["state"]), sent, escape(one["reason"])
        )
    return table


def _services(status: JsonObject) -> Table:
    table = Table("Service", "State", "Restarts", "Last error", box=None, pad_edge=False)
    for name, one in status["services"].items():
        table.add_row(name, _light(one["state"]), str(one["restarts"]), escape(one["last_error"] or ""))
    return table


def _clock(moment: str | None) -> str:
    """Hours and minutes here, of an ISO 8601 time."""
    return f"{datetime.fromisoformat(moment).astimezone():%H:%M}" if moment else "-"


def _light(state: str) -> str:
    return f"[{_COLOURS.get(state, 'default')}]● {escape(state)}[/]"
