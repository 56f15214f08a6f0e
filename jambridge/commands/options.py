"""What the commands share: their options, the configuration these make, and the daemon started with it."""

import asyncio
import logging
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jambridge.errors import ConfigError, DeviceError, ExitStatus, UnavailableError
from jambridge.room import code as room_code

if TYPE_CHECKING:
    from jambridge.config import Config
    from jambridge.config_sources import Source
    from jambridge.store.resuming import Resume
    from jambridge.units import RoomCode

log = logging.getLogger(__name__)

RoomOption = Annotated[str | None, typer.Option("--room", help="Room code, as ABC123.", metavar="CODE")]
NameOption = Annotated[str | None, typer.Option("--name", help="Shown to the others.")]
ConfigOption = Annotated[Path | None, typer.Option("--config", help="Configuration file.", metavar="FILE")]
ListenOption = Annotated[bool, typer.Option("--listen-only", help="Hear and light, but send no sound.")]
CodeArgument = Annotated[str, typer.Argument(metavar="CODE", help="Of the session's room, as ABC123.")]
JsonOption = Annotated[bool, typer.Option("--json", help="For programs: JSON.")]

_CONFIG_PLACES = ("/etc/jambridge/config.yaml", "~/.config/jambridge/config.yaml")


def run_daemon(
    read: "Callable[[], Config]",
    *,
    with_parent: bool = False,
    new_room: bool = False,
    resume: "Resume | None" = None,
) -> None:
    """`read` makes the configuration, also when it is to be read again."""
    from jambridge import identity, logs, stopping
    from jambridge.app import run as run_app

    settings = read()
    logs.configure(settings.log.level, settings.log.format)
    with identity.claimed(identity.state_directory()):
        wanted = asyncio.run(run_app(settings, read, with_parent=with_parent, new_room=new_room, resume=resume))
        while wanted is not None:  # asked for on the page
            stopping.let_go()
            resume = _resumed(settings, wanted)
            wanted = asyncio.run(run_app(settings, read, with_parent=with_parent, resume=resume))
    raise typer.Exit(ExitStatus.OK)


def _resumed(settings: "Config", wanted: "RoomCode") -> "Resume | None":
    """None where that session is gone meanwhile: then the box is in its own room again."""
    from jambridge.commands import stored_sessions

    try:
        return stored_sessions.resolve(settings, wanted)
    except (UnavailableError, DeviceError) as exc:
        log.warning("session not resumed id=%s error=%s", wanted, exc)
        return None


def configuration(
    path: Path | None, room: str | None = None, name: str | None = None, *, listen_only: bool = False
) -> "Config":
    """Defaults, file, environment and flags together."""
    from jambridge import config_sources

    code = room_code.parse(room) if room is not None else None
    flags: dict[tuple[str, str], tuple[str, Any]] = {
        ("room", "code"): ("--room", code),
        ("identity", "name"): ("--name", name),
        ("audio", "send"): ("--listen-only", False if listen_only else None),
    }
    file = config_path(path)
    config = config_sources.build(
        _from_file(file), config_sources.from_environment(os.environ), config_sources.from_flags(flags)
    )
    if file is not None and any(server.credential for server in config.webrtc.ice_servers):
        _refuse_if_open(file)
    return config


def _refuse_if_open(file: Path) -> None:
    if file.stat().st_mode & stat.S_IROTH:
        raise ConfigError(
            f"{file}: everybody on this machine can read the credential in it: chmod o= {file}, or use credential_file"
        )


def config_path(given: Path | None) -> Path | None:
    """The file named, which must exist, or the first of the usual places that does."""
    named = given or (Path(os.environ["JAMBRIDGE_CONFIG"]) if os.environ.get("JAMBRIDGE_CONFIG") else None)
    if named is not None:
        return named
    return next((path for place in _CONFIG_PLACES if (path := Path(place).expanduser()).is_file()), None)


def _from_file(path: Path | None) -> "Source":
    from jambridge import config_sources

    if path is None:
        return config_sources.Source()
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{path}: not a text file (UTF-8)") from exc
    except OSError as exc:
        raise ConfigError(f"{path}: {exc.strerror}") from exc
    return config_sources.from_yaml(text, str(path))
