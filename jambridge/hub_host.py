"""The hub in force: the one found on the LAN or, where there is none, a process of ours."""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from jambridge import addresses, strict_json
from jambridge.config import HubConfig
from jambridge.edges import Latest
from jambridge.errors import AwayError, LinkError, WireError
from jambridge.room.announce import Hub

log = logging.getLogger(__name__)

LOOK_S = 1.6  # mDNS asks at once and after a second: one question or its answer may be lost
_START_S = 10.0
_STOP_S = 1.0
_PROBE_EVERY_S = 2.0
_PROBES_MISSED = 3
_MAX_LINE = 4096
_MAX_HEALTH_BYTES = 16 * 1024
_MAX_PORT = 65_535
_EVERYWHERE = ("0.0.0.0", "::")
_BESIDE_ANOTHER = 75  # the exit status of a hub that made way for another


@dataclass(frozen=True, slots=True)
class HubAddress:
    """`url` carries the wire, `page` is where a browser joins; an own hub has our own database."""

    url: str
    page: str
    is_own: bool = False


class ForeignHub:
    """Somebody else's hub: ours to use as long as it answers."""

    def __init__(self, address: HubAddress) -> None:
        self.address = address

    async def run(self) -> None:
        await _until_silent(self.address.url)
        raise AwayError(f"the hub at {self.address.url} is gone")


class OwnHub:
    """A hub process of ours; it ends with us, since it watches its standard input."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        bind: str,
        ports: tuple[int, int],
        in_force: Latest[HubAddress | None],
    ) -> None:
        self._process = process
        self._bind = bind
        self._port, self._tls_port = ports
        self._in_force = in_force

    @property
    def address(self) -> HubAddress:
        """Where it is now: on this machine for us, at this machine's present address for browsers."""
        everywhere = self._bind in _EVERYWHERE
        here = "127.0.0.1" if everywhere else _bracketed(self._bind)
        there = _bracketed(addresses.default_route() or "127.0.0.1") if everywhere else here
        return HubAddress(f"http://{here}:{self._port}", f"https://{there}:{self._tls_port}", is_own=True)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow_network())
            group.create_task(self._follow_process())
            group.create_task(self._follow_answers())

    async def _follow_process(self) -> None:
        status = await self._process.wait()
        if status == _BESIDE_ANOTHER:
            raise LinkError("another hub on this network stays, ours made way")
        raise LinkError(f"the hub process ended with status {status}")

    async def _follow_answers(self) -> None:
        await _until_silent(self.address.url)
        raise LinkError("the hub process does not answer any more")

    async def _follow_network(self) -> None:
        seen = addresses.local_addresses()
        if not seen and self._bind in _EVERYWHERE:
            log.warning("there is no network: nobody can join from elsewhere until this machine has an address")
        while True:
            seen = await addresses.changed(seen)
            self._in_force.set(self.address)


@asynccontextmanager
async def open_hub(
    settings: HubConfig,
    max_members: int,
    state: Path,
    look: Callable[[float], Awaitable[Sequence[Hub]]],
    in_force: Latest[HubAddress | None],
    database: Path | None = None,
) -> AsyncIterator[ForeignHub | OwnHub]:
    """Find or start the hub, and say in `in_force` where it is; `database` is the session file if it is configured.

    Raises:
        LinkError: no hub could be started, or the one that is named does not answer.
    """
    found = None
    if settings.url:
        found = await _named(settings.url.rstrip("/"))
    elif settings.mode == "auto":
        found = await _lowest(await look(LOOK_S))
    if found is not None:
        log.info("hub found url=%s", found.url)
        in_force.set(found)
        try:
            yield ForeignHub(found)
        finally:
            in_force.set(None)
        return
    async with _own_process(settings, max_members, state, database) as process:
        own = OwnHub(process, settings.bind, await _listening(process, settings), in_force)
        log.info("hub started url=%s page=%s", own.address.url, own.address.page)
        in_force.set(own.address)
        yield own  # its address stays in force over a restart: the ports are the same


async def _named(url: str) -> HubAddress:
    """The hub at `url`, and its page for browsers: a microphone takes https, on a port that only the hub knows."""
    timeout = aiohttp.ClientTimeout(total=_PROBE_EVERY_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(f"{url}/healthz", allow_redirects=False) as answer,
        ):
            health = strict_json.loads_object(await answer.content.read(_MAX_HEALTH_BYTES), _MAX_HEALTH_BYTES)
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as exc:
        raise LinkError(f"the hub at {url} does not answer (hub.url)") from exc
    except WireError as exc:
        raise LinkError(f"what answers at {url} is no hub of jambridge (hub.url)") from exc
    host, port = urlsplit(url).hostname, health.get("tls_port")
    known = host and isinstance(port, int) and 0 < port <= _MAX_PORT
    return HubAddress(url, f"https://{_bracketed(str(host))}:{port}" if known else url)


async def _lowest(hubs: Sequence[Hub]) -> HubAddress | None:
    """Everyone who sees several hubs takes the one that stays, so all meet in it; announced is not yet reachable."""
    timeout = aiohttp.ClientTimeout(total=_PROBE_EVERY_S)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        for hub in sorted(hubs, key=lambda hub: hub.rank):
            for host in map(_bracketed, hub.addresses):
                url = f"http://{host}:{hub.port}"
                if await _is_there(session, url):
                    return HubAddress(url, f"https://{host}:{hub.tls_port}")
    return None


async def _until_silent(url: str) -> None:
    """Ask the hub at `url` every two seconds, until it has missed three."""
    missed = 0
    timeout = aiohttp.ClientTimeout(total=_PROBE_EVERY_S)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        while missed < _PROBES_MISSED:
            await asyncio.sleep(_PROBE_EVERY_S)
            missed = 0 if await _is_there(session, url) else missed + 1


async def _is_there(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(f"{url}/healthz", allow_redirects=False) as answer:
            return answer.status < 500  # noqa: PLR2004  server errors
    except (aiohttp.ClientError, TimeoutError, OSError):
        return False


@asynccontextmanager
async def _own_process(
    settings: HubConfig, max_members: int, state: Path, database: Path | None
) -> AsyncIterator[asyncio.subprocess.Process]:
    options = [
        *("--bind", settings.bind),
        *("--port", str(settings.port)),
        *("--tls-port", str(settings.tls_port)),
        *("--state-dir", str(state)),
        *("--max-connections", str(settings.max_connections)),
        *("--max-per-address", str(settings.max_per_address)),
        *("--max-members", str(max_members)),
        *(option for origin in settings.allowed_origins for option in ("--allowed-origin", origin)),
        "--advertise" if settings.advertise else "--no-advertise",
        "--make-way" if settings.mode == "auto" else "--no-make-way",
        *(("--database", str(database)) if database else ()),
        "--with-parent",
    ]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "jambridge.hub", *options),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,  # a terminal's Ctrl-C is ours to hand on, after goodbye was said
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(_STOP_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def _listening(process: asyncio.subprocess.Process, settings: HubConfig) -> tuple[int, int]:
    """Read the process's one line that says on which ports it listens, or why not."""
    assert process.stdout is not None  # noqa: S101  asked for above
    try:
        async with asyncio.timeout(_START_S):
            line = await process.stdout.readline()
        said = strict_json.loads_object(line, _MAX_LINE)
        if isinstance(said.get("error"), str):
            raise LinkError(f"the hub {said['error']}")
        return int(said["port"]), int(said["tls_port"])
    except (TimeoutError, WireError, KeyError, TypeError, ValueError) as exc:
        reason = "no answer" if isinstance(exc, TimeoutError) else "its process ended"
        raise LinkError(f"the hub did not start on ports {settings.port} and {settings.tls_port}: {reason}") from exc


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address
