"""`jambridge doctor`."""

import asyncio
import json

import typer

from jambridge.commands.options import ConfigOption, JsonOption, configuration
from jambridge.errors import ExitStatus, UsageError

doctors = typer.Typer(help="Checks, and what to do about each failure.", no_args_is_help=True)


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
