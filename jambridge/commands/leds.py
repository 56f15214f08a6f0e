"""`jambridge leds identify`, `test` and `preview`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jambridge.commands.options import ConfigOption, configuration
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
