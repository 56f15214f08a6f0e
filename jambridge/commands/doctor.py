"""`jambridge doctor`."""

import asyncio
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jambridge.commands.options import ConfigOption, JsonOption, config_path, configuration
from jambridge.errors import ConfigError, ExitStatus, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from jambridge.config import Config
    from jambridge.doctor.everything import Patient
    from jambridge.doctor.finding import Finding

doctors = typer.Typer(help="Checks, and what to do about each failure.", invoke_without_command=True)

_WIDTH = 20  # of the checks' names, longer ones take more

BundleOption = Annotated[
    Path | None,
    typer.Option("--bundle", metavar="FILE", help="Write a zip for whoever is to help: no secrets are in it."),
]


@doctors.callback()
def doctor(
    context: typer.Context,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    bundle: BundleOption = None,
) -> None:
    """Everything, from the configuration to the latency, and what to do about each failure."""
    if context.invoked_subcommand is None:
        raise typer.Exit(asyncio.run(_examine(config, bundle, as_json=as_json)))


@doctors.command("supabase")
def doctor_supabase(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Whether the Supabase project of the configuration, or a hub, is set up as jambridge needs it."""
    from jambridge import sections
    from jambridge.doctor import finding
    from jambridge.doctor import supabase as project

    section = configuration(config).supabase
    if section.url is None:
        raise UsageError("no Supabase project is configured: set supabase.url and supabase.anon_key_file")
    found = asyncio.run(project.check(section.url, sections.supabase_key_of(section)))
    typer.echo(json.dumps(finding.as_json(found), indent=2) if as_json else finding.as_text(found))
    raise typer.Exit(ExitStatus.UNAVAILABLE if finding.failed(found) else ExitStatus.OK)


async def _examine(path: Path | None, bundle: Path | None, *, as_json: bool) -> ExitStatus:
    from rich.console import Console

    from jambridge.doctor import bundle as bundles
    from jambridge.doctor import everything, finding
    from jambridge.doctor.probe import aside

    logging.getLogger("jambridge").addHandler(logging.NullHandler())  # what is to be told stands among the findings
    asyncio.get_running_loop().set_default_executor(aside.Impatient())
    console = Console(stderr=as_json, highlight=False)
    patient = await everything.meet(*_read(path))
    found = await _look(patient, console, shows=not as_json)
    if as_json:
        typer.echo(json.dumps(finding.as_json(found), indent=2, ensure_ascii=False))
    if bundle is not None:
        await bundles.write(bundle, patient, found, config_path(path))
        typer.echo(f"{bundle} is written: look through it before you hand it on", err=True)
    return _status(patient.problems, found)


def _status(problems: str | None, found: "Sequence[Finding]") -> ExitStatus:
    from jambridge.doctor import finding

    if problems is not None:
        return ExitStatus.CONFIG
    return ExitStatus.UNAVAILABLE if finding.failed(found) else ExitStatus.OK


async def _look(patient: "Patient", console: "Console", *, shows: bool) -> "list[Finding]":
    """All findings, each shown as soon as those before it are known; what still goes on stands below them."""
    from jambridge.doctor import everything
    from jambridge.doctor.examination import examine

    found: list[Finding] = []
    with console.status("") as status:

        def waiting(names: Sequence[str]) -> None:
            status.update(f"looking at {', '.join(names)}")

        async for some in examine(everything.checks(patient), waiting):
            found += some
            for one in some if shows else ():
                _show(one, console)
    return found


def _show(one: "Finding", console: "Console") -> None:
    from rich.text import Text

    from jambridge.doctor.finding import lines

    first, *others = lines(one, _WIDTH)
    console.print(Text.assemble((first[0], one.style), first[1:]), soft_wrap=True)
    for line in others:
        console.print(Text(line, "bold"), soft_wrap=True)


def _read(path: Path | None) -> tuple["Config", str, str | None]:
    """The configuration, where it stands and what is wrong with it: then the defaults are looked at."""
    from jambridge.config import Config

    try:
        settings = configuration(path)
    except ConfigError as exc:
        return Config(), "", str(exc)
    return settings, str(config_path(path) or "no file, the defaults are in force"), None
