"""The hub's process: options in, one JSON line out when it listens, an exit status at the end.

Nothing heavy is imported before the signals are in place, so that a SIGTERM during the start is an exit like any other.
"""

import argparse
import asyncio
import json
import logging
import os
import secrets
import signal
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from jambridge.errors import DeviceError, ExitStatus, LinkError

if TYPE_CHECKING:
    from jambridge.hub.server import HubOptions, HubServer

ANOTHER_STAYS = 75
"""Exit status of a hub that made way for another: its members look for a hub again, and find that one."""

_ID_FILE = "hub-id"
_PORT_PATIENCE_S = 3.0  # a predecessor may be on its way out
_PORT_RETRY_S = 0.25
_GOODBYE_S = 0.4


def main(arguments: Sequence[str] | None = None) -> int:
    signal.signal(signal.SIGTERM, _leave_early)
    signal.signal(signal.SIGINT, _leave_early)
    options = _parser().parse_args(arguments)
    _log_as(of_daemon=options.with_parent)
    try:
        options.state_dir = options.state_dir or _state_directory()
        return asyncio.run(_serve(_hub_options(options), options))
    except (LinkError, DeviceError) as exc:
        _complain(str(exc), to_parent=options.with_parent)
        return ExitStatus.IO
    except OSError as exc:
        reason = f"cannot use the state directory {options.state_dir}: {exc.strerror or exc}"
        _complain(reason, to_parent=options.with_parent)
        return ExitStatus.PERMISSION if isinstance(exc, PermissionError) else ExitStatus.IO


def _log_as(*, of_daemon: bool) -> None:
    """Lines as the daemon's, among which they stand, or short ones for a person."""
    if of_daemon:
        from jambridge import logs

        logs.configure("info", "auto")
    else:
        logging.basicConfig(level=logging.INFO, format="hub: %(message)s")


def _parser() -> argparse.ArgumentParser:
    parser = _OneLineParser(prog="jambridge hub", description="A room for the LAN, without an account.")
    parser.add_argument("--bind", default="0.0.0.0", help="address to listen on")
    parser.add_argument("--port", type=_port, default=3001, help="http, for bridges; 0 takes a free one")
    parser.add_argument("--tls-port", type=_port, default=3443, help="https, for browsers; 0 takes a free one")
    parser.add_argument("--state-dir", type=Path, help="where certificate and hub id are kept (default: the daemon's)")
    parser.add_argument("--hub-id", help="instead of the one kept")
    parser.add_argument("--advertise", action=argparse.BooleanOptionalAction, default=True, help="announce by mDNS")
    parser.add_argument(
        "--make-way",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="end where another hub of a lower id is found",
    )
    parser.add_argument("--max-connections", type=_count, default=200)
    parser.add_argument("--max-per-address", type=_count, default=16)
    parser.add_argument("--max-members", type=_count, default=10, help="members of one room")
    parser.add_argument("--allowed-origin", action="append", default=[], help="a foreign page that may connect")
    parser.add_argument("--database", type=Path, help="where sessions are kept (default: in the state directory)")
    parser.add_argument("--idle-s", type=_count, default=60, help="seconds after which a silent connection is closed")
    parser.add_argument("--with-parent", action="store_true", help="end when standard input, a pipe, is closed")
    return parser


class _OneLineParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(ExitStatus.USAGE, f"hub: {message}; see {self.prog} --help\n")


def _port(text: str) -> int:
    return _whole(text, 0, 65535)


def _count(text: str) -> int:
    return _whole(text, 1, 100_000)


def _whole(text: str, least: int, most: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most)) and least <= int(text) <= most):
        raise argparse.ArgumentTypeError(f"{text[:20]!r} is no number from {least} to {most}")
    return int(text)


def _state_directory() -> Path:
    from jambridge.identity import state_directory

    return state_directory()


def _hub_options(options: argparse.Namespace) -> "HubOptions":
    from jambridge.hub.limits import Limits, Patience
    from jambridge.hub.server import HubOptions

    return HubOptions(
        hub_id=options.hub_id or _kept_id(options.state_dir),
        state_dir=options.state_dir,
        bind=options.bind,
        port=options.port,
        tls_port=options.tls_port,
        max_connections=options.max_connections,
        max_per_address=options.max_per_address,
        allowed_origins=tuple(options.allowed_origin),
        database=options.database,
        limits=Limits(max_members=options.max_members),
        patience=Patience(idle_s=options.idle_s),
    )


def _kept_id(directory: Path) -> str:
    """The hub's id, made on the first run."""
    path = directory / _ID_FILE
    with suppress(OSError, UnicodeDecodeError):
        kept = path.read_text().strip()
        if kept.isalnum() and kept.isascii() and len(kept) <= 64:  # noqa: PLR2004  announced as a TXT value
            return kept
    made = secrets.token_hex(8)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = directory / f".{_ID_FILE}.{made}"
    try:
        temporary.write_text(f"{made}\n")
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    return made


async def _serve(options: "HubOptions", asked: argparse.Namespace) -> int:
    stopped = _stop_event(parent=asked.with_parent)
    async with _listening(options, stopped) as hub:
        if hub is None:
            return ExitStatus.OK
        _say_where(hub, options.hub_id, options.bind)
        stop = asyncio.ensure_future(stopped.wait())
        working = [stop, asyncio.ensure_future(hub.run())]
        if asked.advertise:
            working.append(asyncio.ensure_future(_advertised(options, hub, makes_way=asked.make_way)))
        done, ending = await asyncio.wait(working, return_when=asyncio.FIRST_COMPLETED)
        for task in ending:
            task.cancel()
    if ending:  # the goodbye by mDNS takes a quarter of a second: meanwhile the sockets were closed
        await asyncio.wait(ending, timeout=_GOODBYE_S)
    for task in done:
        task.result()  # a bug in there ends the process with its traceback
    return ExitStatus.OK if stop in done else ANOTHER_STAYS


async def _advertised(options: "HubOptions", hub: "HubServer", *, makes_way: bool) -> None:
    """Until another hub stays: then everybody here is told where that is."""
    from jambridge.hub import advertising
    from jambridge.room.announce import Hub

    own = Hub(options.hub_id, (), hub.port, hub.tls_port, stays=not makes_way)
    if makes_way:
        await hub.send_to(await advertising.advertise_until_another_stays(own, options.bind))
    else:
        await advertising.advertise(own, options.bind)


@asynccontextmanager
async def _listening(options: "HubOptions", stopped: asyncio.Event) -> AsyncIterator["HubServer | None"]:
    """The hub, as soon as its ports are free; None where it was stopped before.

    Raises:
        LinkError: a port stays in use.
    """
    from jambridge.hub.server import open_hub

    async with AsyncExitStack() as stack:
        give_up_s = time.monotonic() + _PORT_PATIENCE_S
        while not stopped.is_set():
            try:
                hub = await stack.enter_async_context(open_hub(options))
            except LinkError:
                if time.monotonic() > give_up_s:
                    raise
                await _waited(stopped, _PORT_RETRY_S)
            else:
                yield hub
                return
        yield None


async def _waited(event: asyncio.Event, most_s: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(most_s):
            await event.wait()


def _say_where(hub: "HubServer", hub_id: str, bind: str) -> None:
    line = {"port": hub.port, "tls_port": hub.tls_port, "hub_id": hub_id, "fingerprint": hub.fingerprint}
    with suppress(BrokenPipeError):  # nobody listens any more: then standard input says so as well
        sys.stdout.write(json.dumps(line) + "\n")
        if sys.stdout.isatty():
            sys.stdout.write(f"Open {_page(bind, hub.tls_port)} in a browser to join.\n")
        sys.stdout.flush()


def _page(bind: str, tls_port: int) -> str:
    from jambridge.addresses import default_route

    host = (default_route() or "127.0.0.1") if bind in ("0.0.0.0", "::") else bind
    return f"https://{f'[{host}]' if ':' in host else host}:{tls_port}/"


def _complain(reason: str, *, to_parent: bool) -> None:
    """Say why not: to the process that started this one and will say it once over all its tries, or to a person."""
    if to_parent:
        with suppress(BrokenPipeError):
            sys.stdout.write(json.dumps({"error": reason}) + "\n")
            sys.stdout.flush()
    else:
        sys.stderr.write(f"hub: {reason}\n")


def _stop_event(*, parent: bool) -> asyncio.Event:
    """Set by SIGTERM, SIGINT and, with `parent`, by the end of standard input."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    if parent:
        loop.add_reader(sys.stdin.fileno(), _read_parent, loop, stopped)
    return stopped


def _read_parent(loop: asyncio.AbstractEventLoop, stopped: asyncio.Event) -> None:
    descriptor = sys.stdin.fileno()
    if not os.read(descriptor, 4096):
        loop.remove_reader(descriptor)
        stopped.set()


def _leave_early(_number: int, _frame: object) -> NoReturn:
    raise SystemExit(ExitStatus.OK)
