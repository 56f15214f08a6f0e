"""The commands; each imports what it needs, so that `--version` and `check-config` are quick."""

import asyncio
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from jambridge import __version__
from jambridge.commands import leds, packaging
from jambridge.commands.doctor import doctors
from jambridge.commands.latency import latency
from jambridge.commands.midi import instruments
from jambridge.commands.options import (
    ConfigOption,
    JsonOption,
    ListenOption,
    NameOption,
    RoomOption,
    config_path,
    configuration,
    run_daemon,
)
from jambridge.commands.sessions import sessions
from jambridge.errors import (
    ConfigError,
    DeviceError,
    ExitStatus,
    JambridgeError,
    OccupiedError,
    UnavailableError,
    UsageError,
)
from jambridge.room import code as room_code

command = typer.Typer(
    name="jambridge",
    help="The box in the corner of the rehearsal room: joins a jam and lights the LEDs with the notes being played.",
    no_args_is_help=False,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
simulators = typer.Typer(help="Virtual devices, for trying things out without hardware.", no_args_is_help=True)
lights = typer.Typer(help="The LED controllers.", no_args_is_help=True)
command.add_typer(simulators, name="sim")
command.add_typer(sessions, name="sessions")
command.add_typer(doctors, name="doctor")
command.add_typer(lights, name="leds")
command.add_typer(instruments, name="midi")
command.command()(latency)
command.command()(packaging.completion)
command.command("man", hidden=True)(packaging.manual)
lights.command("identify")(leds.show_which)
lights.command("test")(leds.show_all)
lights.command("preview")(leds.preview)
lights.command("calibrate")(leds.calibrate)

_MOST_CODES = 5
_CLICK_USAGE = 2  # what the command-line library exits with
_STATUS_BY_ERROR: tuple[tuple[type[JambridgeError], ExitStatus], ...] = (
    (ConfigError, ExitStatus.CONFIG),
    (UsageError, ExitStatus.USAGE),
    (UnavailableError, ExitStatus.UNAVAILABLE),
    (DeviceError, ExitStatus.IO),
)


def run_command(arguments: Sequence[str]) -> int:
    """Run one command line; returns the exit status of the contract."""
    if packaging.COMPLETE in os.environ:
        packaging.answer_shells()
    try:
        command(args=list(arguments), prog_name="jambridge")
    except SystemExit as exc:
        return ExitStatus.USAGE if exc.code == _CLICK_USAGE else int(exc.code or 0)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except PermissionError as exc:
        typer.echo(f"jambridge: {exc.filename}: {exc.strerror}", err=True)
        return ExitStatus.PERMISSION
    except KeyboardInterrupt:
        typer.echo("", err=True)
    except JambridgeError as exc:
        typer.echo(str(exc), err=True)
        return next((status for kind, status in _STATUS_BY_ERROR if isinstance(exc, kind)), ExitStatus.UNAVAILABLE)
    except Exception:  # noqa: BLE001  a bug: told in full, with the status that says so
        traceback.print_exc()
        return ExitStatus.SOFTWARE
    return ExitStatus.OK


def _version(*, wanted: bool) -> None:
    if wanted:
        typer.echo(f"jambridge {__version__}")
        raise typer.Exit


@command.callback(invoke_without_command=True)
def main(
    context: typer.Context,
    room: RoomOption = None,
    name: NameOption = None,
    config: ConfigOption = None,
    listen_only: ListenOption = False,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True)] = False,  # noqa: ARG001
) -> None:
    """Without a command: the daemon, the same as `run`."""
    if context.invoked_subcommand is None:
        run(room, name, config, listen_only)


@command.command()
def run(
    room: RoomOption = None,
    name: NameOption = None,
    config: ConfigOption = None,
    listen_only: ListenOption = False,
    with_parent: Annotated[bool, typer.Option("--with-parent", hidden=True)] = False,
) -> None:
    """The daemon: join the room and light the LEDs until stopped (Ctrl-C)."""
    run_daemon(partial(configuration, config, room, name, listen_only=listen_only), with_parent=with_parent)


@command.command()
def create(
    name: NameOption = None,
    config: ConfigOption = None,
    listen_only: ListenOption = False,
    template: Annotated[
        str | None, typer.Option("--template", metavar="CODE", help="Begin as that stored session is.")
    ] = None,
) -> None:
    """The daemon in a new room; prints code, link and a QR code."""
    from jambridge.commands import stored_sessions

    wanted = room_code.parse(template) if template is not None else None

    def run_in_new_room() -> None:
        read = partial(configuration, config, room_code.generate(), name, listen_only=listen_only)
        resume = stored_sessions.resolve(read(), wanted, anew=True) if wanted else None
        run_daemon(read, new_room=True, resume=resume)

    for _ in range(_MOST_CODES - 1):
        with suppress(OccupiedError):  # one of a billion codes, and somebody has it
            run_in_new_room()
    run_in_new_room()


@command.command("check-config")
def check_config(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Say every problem of the configuration with its line."""
    from jambridge import config_sources, sections

    problem = None
    try:
        sections.check(configuration(config))
    except ConfigError as exc:
        if not as_json:
            raise
        problem = str(exc)
    file, overrides = config_path(config), list(config_sources.from_environment(os.environ).origins.values())
    if as_json:
        problems = problem.splitlines() if problem else []
        said = {"file": str(file) if file else None, "overrides": overrides, "problems": problems}
        typer.echo(json.dumps(said, indent=2))
        raise typer.Exit(ExitStatus.CONFIG if problems else ExitStatus.OK)
    but = f", but for {', '.join(overrides)}" if overrides else ""
    typer.echo(f"{file or 'no configuration file, the defaults are in force'}{but}: nothing to complain about")


@command.command("config")
def show_config(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """The configuration in force, secrets masked."""
    from jambridge import config_sources

    settings = configuration(config)
    typer.echo(settings.model_dump_json(indent=2) if as_json else config_sources.dump(settings), nl=as_json)


@command.command()
def status(
    config: ConfigOption = None,
    as_json: JsonOption = False,
    watch: Annotated[bool, typer.Option("--watch", help="Again every second, until stopped.")] = False,
) -> None:
    """What the running daemon sees and does."""
    from rich.console import Console
    from rich.live import Live

    from jambridge.status import view

    http = configuration(config).http
    if as_json:
        while True:
            typer.echo(json.dumps(view.fetch(http.bind, http.port), indent=None if watch else 2))
            if not watch:
                return
            time.sleep(1)
    console = Console()
    if not watch:
        console.print(view.render(view.fetch(http.bind, http.port)))
        return
    with Live(console=console, auto_refresh=False) as live:
        while True:
            live.update(view.render(view.fetch(http.bind, http.port)), refresh=True)
            time.sleep(1)


@command.command()
def devices(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Sound cards, MIDI ports and the WLED controllers found."""
    from jambridge import devices as found
    from jambridge import realtime

    section = configuration(config).light
    realtime.silence_libraries()
    inventory = asyncio.run(found.inventory(section, _adopted()))
    typer.echo(json.dumps(inventory, indent=2) if as_json else found.as_text(inventory))


@lights.command("list")
def leds_list(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Every WLED found, and why it would be driven or not."""
    from jambridge import devices as found

    seen = [asdict(one) for one in asyncio.run(found.find_lights(configuration(config).light, _adopted()))]
    typer.echo(json.dumps(seen, indent=2) if as_json else "\n".join(found.lights_as_text(seen)))


@lights.command("adopt")
def leds_adopt(name: Annotated[str, typer.Argument(metavar="NAME|MAC|all")], config: ConfigOption = None) -> None:
    """Hand a WLED over to this box, for good."""
    from jambridge import devices as found
    from jambridge import identity

    seen = [one for one in asyncio.run(found.find_lights(configuration(config).light, _adopted())) if one.mac]
    chosen = [one for one in seen if name in ("all", one.name, one.mac)]
    if name != "all" and len(chosen) > 1:
        raise UsageError(f"{len(chosen)} WLEDs are called {name}: adopt one by its MAC, as {chosen[0].mac}")
    if not chosen:
        names = ", ".join(one.name for one in seen) or "none"
        raise UnavailableError(f"no WLED called {name!r} was found; found: {names}")
    identity.adopt(identity.state_directory(), tuple(one.mac for one in chosen))
    typer.echo("\n".join(f"{one.name} ({one.mac}) is adopted" for one in chosen))
    typer.echo("A running daemon drives it within ten seconds.")


@command.command()
def demo(
    sound: Annotated[Path | None, typer.Argument(help="Your own music instead.", metavar="[FILE]")] = None,
    loop: Annotated[bool, typer.Option("--loop", help="Again and again.")] = False,
) -> None:
    """Everything at once, without hardware or account: music over real WebRTC, drawn as a strip in the terminal."""
    from jambridge.demo import stage

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        asyncio.run(stage.perform(sound, again=loop))


@command.command()
def listen(
    sound: Annotated[Path, typer.Argument(metavar="FILE")],
    as_json: JsonOption = False,
    to: Annotated[str | None, typer.Option("--to", metavar="HOST", help="Light the WLED at HOST.")] = None,
    realtime: Annotated[bool, typer.Option("--realtime", help="Keep the sound's own time.")] = False,
    config: ConfigOption = None,
) -> None:
    """A sound file through the live detector."""
    from jambridge import listen_command

    settings = configuration(config)
    listen_command.run(sound, settings, as_json=as_json, host=to, realtime=realtime or to is not None)


@simulators.command("wled")
def sim_wled(
    pixels: Annotated[int, typer.Option(min=1, max=16_384)] = 150,
    name: Annotated[str, typer.Option(help="As its user would call it.")] = "Virtual WLED",
    outputs: Annotated[str | None, typer.Option(help="Pixels of each output instead, as 300,300.")] = None,
    rgbw: Annotated[bool, typer.Option("--rgbw", help="Four channels a pixel.")] = False,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "0.0.0.0",
    http_port: Annotated[int | None, typer.Option(min=0, max=65_535, help="80, or a free one if not allowed.")] = None,
    data_port: Annotated[int, typer.Option(min=0, max=65_535, help="DDP; a daemon expects 4048.")] = 4048,
    udp_port: Annotated[int, typer.Option(min=0, max=65_535, help="Release.")] = 21_324,
    e131_port: Annotated[int, typer.Option(min=0, max=65_535, help="E1.31.")] = 5568,
    announce: Annotated[bool, typer.Option("--announce/--no-announce", help="By mDNS.")] = True,
    capture: Annotated[Path | None, typer.Option(help="Write every packet and picture, a JSON object a line.")] = None,
    draw: Annotated[bool, typer.Option("--draw/--no-draw", help="In the terminal.")] = True,
) -> None:
    """A WLED without hardware: HTTP, mDNS, DDP, E1.31 and release, by WLED's own rules."""
    from jambridge.sim import terminal

    try:
        each = tuple(int(text) for text in outputs.split(",")) if outputs else (pixels,)
    except ValueError:
        raise UsageError(
            f"--outputs takes numbers with commas between, as 300,300, not {str(outputs)[:40]!r}"
        ) from None
    raise typer.Exit(
        asyncio.run(
            terminal.show(
                draw=draw,
                pixels=sum(each),
                name=name,
                outputs=each,
                rgbw=rgbw,
                host=host,
                http_port=80 if http_port is None and os.geteuid() == 0 else http_port or 0,
                ddp_port=data_port,
                udp_port=udp_port,
                e131_port=e131_port,
                announce=announce,
                capture=capture,
            )
        )
    )


@command.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
def hub(arguments: Annotated[list[str] | None, typer.Argument()] = None) -> None:
    """A room for the LAN without an account, on its own; `jambridge hub --help` says its options."""
    from jambridge.hub.process import main as hub_main

    raise typer.Exit(hub_main(arguments or []))


@command.command(hidden=True)
def schema() -> None:
    """The JSON Schema of the configuration, which editors use."""
    from jambridge.config import Config

    typer.echo(json.dumps(Config.model_json_schema(), indent=2))


def _adopted() -> tuple[str, ...]:
    from jambridge import identity

    return identity.adopted(identity.state_directory())
