"""`jambridge midi`."""

import http.client
import json
import queue
import time
from typing import Annotated

import typer

from jambridge import realtime
from jambridge.commands.options import ConfigOption, JsonOption, configuration
from jambridge.errors import DeviceError, UnavailableError, UsageError
from jambridge.units import LocalSeconds

instruments = typer.Typer(help="Instruments that speak MIDI.", no_args_is_help=True)

_TIMEOUT_S = 3.0
_LOOK_S = 0.5
_MOST_WAITING = 4096
_SETTLE_S = 0.3  # a JACK server takes a period to tell
_AFTER_S = 0.1


@instruments.command("list")
def midi_list(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Every port there is, and whether the daemon of this configuration would use it."""
    from jambridge.midi import choice, ports

    section = configuration(config).midi
    realtime.silence_libraries()
    found = dict(zip(("inputs", "outputs"), ports.present(), strict=True))
    wanted = {"inputs": section.wanted_inputs, "outputs": section.wanted_outputs}
    used = {direction: choice.choose(names, wanted[direction]).ports for direction, names in found.items()}
    if as_json:
        rows = {way: [{"name": one, "used": one in used[way]} for one in names] for way, names in found.items()}
        typer.echo(json.dumps(rows, indent=2))
        return
    for direction, names in found.items():
        typer.echo(direction.capitalize())
        for name in names:
            typer.echo(f"  {name}{'' if name in used[direction] else '  (not used)'}")
        if not names:
            typer.echo("  none")
        for part in choice.choose(names, wanted[direction]).missing:
            typer.echo(f"  {part!r} is asked for and not there")


@instruments.command("panic")
def midi_panic(config: ConfigOption = None) -> None:
    """End every note: through the daemon, or at the outputs themselves where none runs."""
    settings = configuration(config)
    if _ask_daemon(settings.http.bind, settings.http.port):
        typer.echo("The daemon has ended every note, here and at the others.")
        return
    from jambridge.midi import choice
    from jambridge.midi.merge import silence
    from jambridge.midi.ports import Ports

    realtime.silence_libraries()
    ports = Ports(lambda _source, _data, _at: None)
    present = ports.present()[1]
    chosen = choice.choose(present, settings.midi.wanted_outputs)
    names = ports.take_outputs(chosen.ports)
    if not names:
        complaint = choice.complaint("output", chosen.missing, present)
        raise UnavailableError(f"no daemon answers, and {complaint or 'there is no MIDI output'}")
    time.sleep(_SETTLE_S)
    for message in silence():
        ports.send(message)
    time.sleep(_AFTER_S)
    typer.echo(f"Every note has ended at {', '.join(names)}.")


@instruments.command("monitor")
def midi_monitor(
    name: Annotated[str, typer.Argument(metavar="[PORT]", help="Part of an input's name; all without.")] = "",
    as_json: JsonOption = False,
) -> None:
    """What the inputs send, until stopped (Ctrl-C): beside a running daemon, or without."""
    from jambridge.midi import choice
    from jambridge.midi.described import describe
    from jambridge.midi.message import Parser
    from jambridge.midi.ports import Ports

    came: queue.Queue[tuple[int, bytes, LocalSeconds]] = queue.Queue(_MOST_WAITING)

    def take(source: int, data: bytes, at: LocalSeconds) -> None:
        if not came.full():
            came.put_nowait((source, data, at))

    realtime.silence_libraries()
    ports, parsers = Ports(take), dict[int, Parser]()
    chosen = choice.choose(ports.present()[0], (name,))
    if name and not chosen.ports:
        raise UsageError(str(choice.complaint("input", chosen.missing, ports.present()[0])))
    ports.take_inputs(chosen.ports)
    if not as_json:
        typer.echo(f"Listening to {', '.join(ports.inputs) or 'nothing yet: no input is there'}", err=True)
    while True:
        try:
            source, data, at = came.get(timeout=_LOOK_S)
        except queue.Empty:
            ports.take_inputs(choice.choose(ports.present()[0], (name,)).ports)
            continue
        port = ports.numbers.get(source, "")
        for message in parsers.setdefault(source, Parser()).feed(data):
            line = {"time": round(at, 4), "port": port, "data": list(message), "text": describe(message)}
            typer.echo(json.dumps(line) if as_json else f"{at:12.3f}  {port}  {describe(message)}")


def _ask_daemon(bind: str, port: int) -> bool:
    """False where none answers."""
    daemon = http.client.HTTPConnection("127.0.0.1" if bind == "0.0.0.0" else bind, port, timeout=_TIMEOUT_S)
    try:
        daemon.request("POST", "/api/midi/panic", "{}", {"Content-Type": "application/json"})
        answer = daemon.getresponse()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        daemon.close()
    if answer.status != http.client.OK:
        raise DeviceError(f"the daemon refuses: {answer.status} {answer.reason}")
    return True
