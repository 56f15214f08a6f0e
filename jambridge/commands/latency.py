"""`jambridge latency`."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jambridge.commands.options import ConfigOption, JsonOption, configuration
from jambridge.errors import DeviceError, UnavailableError, UsageError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from jambridge.config import Config
    from jambridge.latency.budget import Way
    from jambridge.strict_json import JsonObject

WATCHED_S = 2.0  # between two readings of the status: 200 packets, or 100 of 20 ms

LoopbackOption = Annotated[bool, typer.Option("--loopback", help="Measure over a cable from line-out to line-in.")]
HistoryOption = Annotated[bool, typer.Option("--history", help="What was measured before.")]
SecondsOption = Annotated[float, typer.Option("--seconds", min=2, max=120, help="How long --loopback listens.")]


def latency(
    loopback: LoopbackOption = False,
    history: HistoryOption = False,
    seconds: SecondsOption = 10.0,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """How late sound and light are, path by path, against 50 ms on one network and 100 ms at most."""
    from jambridge import identity

    if loopback and history:
        raise UsageError("either --loopback or --history")
    settings, state = configuration(config), identity.state_directory()
    if history:
        _show_history(state, as_json=as_json)
    elif loopback:
        _measure_loopback(settings, state, seconds, as_json=as_json)
    else:
        _measure_ways(settings, state, as_json=as_json)


def _measure_ways(settings: "Config", state: Path, *, as_json: bool) -> None:
    """Of the daemon that runs here."""
    from jambridge.latency import compose, tables
    from jambridge.status import view

    http = settings.http
    before, began = view.fetch(http.bind, http.port), time.monotonic()
    time.sleep(WATCHED_S)
    now, passed_s = view.fetch(http.bind, http.port), time.monotonic() - began
    ways = compose.ways(before, now, passed_s, settings.audio, settings.light)
    _tell({}, ways, tables.ways(ways), state, as_json=as_json)


def _measure_loopback(settings: "Config", state: Path, seconds: float, *, as_json: bool) -> None:
    """Without a daemon: the cards are needed."""
    from jambridge import identity
    from jambridge.latency import loopback, tables

    if identity.is_claimed(state) or _answers(settings):
        raise DeviceError(
            "jambridge is running here and holds the sound cards: stop it first (Ctrl-C, or sudo systemctl stop "
            "jambridge), measure, and start it again; without --loopback it is measured while it plays"
        )
    with identity.claimed(state):
        measured = loopback.measure(settings.audio, seconds, lambda line: typer.echo(line, err=True))
    _tell(loopback.as_json(measured), [measured.way], tables.loopback(measured), state, as_json=as_json)


def _answers(settings: "Config") -> bool:
    """Whether a daemon runs here whose state directory is another, as a system service's is."""
    from jambridge.status import view

    try:
        return bool(view.fetch(settings.http.bind, settings.http.port))
    except UnavailableError:
        return False


def _tell(
    more: "JsonObject", ways: "list[Way] | tuple[Way, ...]", drawn: "RenderableType", state: Path, *, as_json: bool
) -> None:
    """Show a measurement, and keep it."""
    from rich.console import Console

    from jambridge.latency import budget, history

    at = datetime.now(UTC).isoformat(timespec="seconds")
    if as_json:
        told = {"at": at, "ways": [budget.as_json(way) for way in ways], **more}
        typer.echo(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        Console().print(drawn)
    if ways:
        _keep(state, history.entry(at, ways))


def _keep(state: Path, entry: "JsonObject") -> None:
    from jambridge.latency import history

    try:
        history.add(state, entry)
    except DeviceError as exc:  # it was measured all the same
        typer.echo(f"not kept in the history: {exc}", err=True)


def _show_history(state: Path, *, as_json: bool) -> None:
    from rich.console import Console

    from jambridge.latency import history, tables

    entries = history.read(state)
    if as_json:
        typer.echo(json.dumps(entries, indent=2, ensure_ascii=False))
    else:
        Console().print(tables.history(entries, history.series(entries)))
