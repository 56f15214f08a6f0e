"""`jambridge sessions`."""

import asyncio
import json
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from jambridge.commands.options import (
    CodeArgument,
    ConfigOption,
    JsonOption,
    ListenOption,
    NameOption,
    configuration,
    run_daemon,
)
from jambridge.room import code as room_code

if TYPE_CHECKING:
    from jambridge.store.remote import Endpoint
    from jambridge.store.sqlite import SqliteStore

sessions = typer.Typer(help="The sessions stored on this box.", no_args_is_help=True)


@sessions.command("list")
def sessions_list(
    limit: Annotated[int, typer.Option("-n", "--limit", min=1, max=1000, help="At most so many.")] = 10,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """The newest sessions."""
    from rich.console import Console

    from jambridge.commands import stored_sessions

    with stored_sessions.opened(configuration(config)) as (store, _):
        listed = stored_sessions.rows(store, limit)
    if as_json:
        typer.echo(json.dumps(listed, indent=2))
    elif listed:
        Console().print(stored_sessions.table(listed))
    else:
        typer.echo("No session is stored yet: the host of a room stores it.")


@sessions.command("show")
def sessions_show(code: CodeArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """A session, whole."""
    from jambridge.commands import stored_sessions

    with stored_sessions.opened(configuration(config)) as (store, _):
        shown = stored_sessions.show(store, room_code.parse(code))
    typer.echo(json.dumps(shown, indent=None if as_json else 2))


@sessions.command("resume")
def sessions_resume(
    code: CodeArgument,
    play: Annotated[bool, typer.Option("--play", help="Start playing if the session was playing.")] = False,
    name: NameOption = None,
    config: ConfigOption = None,
    listen_only: ListenOption = False,
) -> None:
    """The daemon, going on with a stored session: in the same room, or in a new one after 24 hours."""
    from jambridge.commands import stored_sessions

    read = partial(configuration, config, None, name, listen_only=listen_only)
    wanted = room_code.parse(code)
    resume = stored_sessions.resolve(read(), wanted, play=play)
    if resume.problem:
        typer.echo(resume.problem, err=True)
    if resume.code != wanted:
        typer.echo(f"Resumed from {wanted} in the new room {resume.code}.", err=True)
    run_daemon(read, resume=resume)


@sessions.command("delete")
def sessions_delete(code: CodeArgument, config: ConfigOption = None) -> None:
    """Delete a session, here and at the room's own database."""
    from jambridge import identity
    from jambridge.commands import stored_sessions
    from jambridge.store.remote import open_if_known

    async def delete(store: "SqliteStore", endpoint: "Endpoint | None") -> None:
        async with open_if_known(endpoint) as remote:
            await stored_sessions.delete(store, remote, wanted)

    wanted = room_code.parse(code)
    with stored_sessions.opened(configuration(config)) as (store, endpoint):
        asyncio.run(delete(store, endpoint))
    typer.echo(f"{wanted} is deleted.")
    if identity.is_claimed(identity.state_directory()):
        typer.echo("A jambridge is running here: if it is in that room, it stores the session again.", err=True)


@sessions.command("purge")
def sessions_purge(
    older_than_h: Annotated[float | None, typer.Option("--older-than", min=0, max=87_600, metavar="HOURS")] = None,
    config: ConfigOption = None,
) -> None:
    """Delete the sessions that were last saved longer ago than store.retention_h, or than --older-than."""
    from jambridge.commands import stored_sessions

    settings = configuration(config)
    with stored_sessions.opened(settings) as (store, _):
        hours = settings.store.retention_h if older_than_h is None else older_than_h
        gone = stored_sessions.purge(store, datetime.now(UTC), hours)
    typer.echo(f"{gone} deleted.")
