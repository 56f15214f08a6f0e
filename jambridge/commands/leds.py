"""`jambridge leds identify`, `test`, `preview` and `calibrate`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from jambridge.commands.options import ConfigOption, JsonOption, configuration
from jambridge.errors import UsageError

if TYPE_CHECKING:
    from jambridge.light.patterns import PatternName

NameArgument = Annotated[str, typer.Argument(metavar="NAME|MAC|HOST")]


def show_which(name: NameArgument, config: ConfigOption = None) -> None:
    """Which one is it? It swells in white for six seconds; its first pixel is green, its last one red."""
    _show(name, "identify", config)


def show_all(name: NameArgument, config: ConfigOption = None) -> None:
    """Red, green, blue, white, then a light from the first pixel to the last: colour order, length and direction."""
    _show(name, "test", config)


def preview(
    effect: Annotated[str, typer.Argument(metavar="EFFECT")],
    sound: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="Your own music instead of Bach's.")] = None,
    pixels: Annotated[int, typer.Option(min=1, max=1000)] = 120,
    seconds: Annotated[float | None, typer.Option(min=0, help="Only so long.")] = None,
    config: ConfigOption = None,
) -> None:
    """An effect, drawn here as a strip would show it: notes, roll, chord, wash, spectrum, vu, beat or scroll."""
    from jambridge import preview_command
    from jambridge.light.effects import EFFECTS

    known = next((name for name in EFFECTS if name == effect), None)
    if known is None:
        raise UsageError(f"there is no effect {effect[:40]!r}: {', '.join(EFFECTS)}")
    preview_command.run(known, sound, configuration(config), pixels, seconds)


def calibrate(
    recording: Annotated[Path, typer.Argument(metavar="FILE", help="A film, or sound of two channels.")],
    name: Annotated[str | None, typer.Argument(metavar="[NAME|MAC|HOST]", help="Whose offset_ms it is.")] = None,
    light: Annotated[str, typer.Option(metavar="left|right", help="The channel of the photodiode.")] = "right",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """How far light is behind sound, and the offset_ms that follows: clap ten times before microphone and strip.

    FILE is what a phone films of it, or a microphone on one channel and a photodiode on the other.
    """
    from jambridge import calibrate_command

    if light not in ("left", "right"):
        raise UsageError(f"--light takes left or right, not {light[:40]!r}")
    side: Literal["left", "right"] = "left" if light == "left" else "right"
    found = calibrate_command.measure(recording, side, configuration(config).light, name)
    typer.echo(json.dumps(found) if as_json else calibrate_command.as_text(found, name))


def _show(name: str, pattern: "PatternName", config: Path | None) -> None:
    """By the daemon if one runs here, for it may drive that WLED."""
    from jambridge import identity, leds_command
    from jambridge.status import view

    settings = configuration(config)
    state = identity.state_directory()
    if identity.is_claimed(state):
        shown = view.show_pattern(settings.http.bind, settings.http.port, name, pattern)
        typer.echo(
            f"{shown['controller']} ({shown['mac']}) shows it for {shown['seconds']:.0f} s, by the running daemon"
        )
    else:
        typer.echo(leds_command.run(settings.light, identity.adopted(state), name, pattern))
