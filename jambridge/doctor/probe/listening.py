"""Whether a port is free, and who has it."""

import errno
import socket
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import aiohttp

from jambridge import strict_json
from jambridge.doctor.judge.listening import Port
from jambridge.errors import WireError
from jambridge.strict_json import JsonObject

_PROC = Path("/proc")
_LISTEN = "0A"  # proc(5) /proc/net/tcp, TCP_LISTEN of net/tcp_states.h
_ANSWER_S = 2.0
_MOST_BYTES = 16 * 1024


def listen(key: str, bind: str, port: int, *, is_ours: bool) -> Port:
    """Listen there for a moment, as the daemon would."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(bind, port, type=socket.SOCK_STREAM)[0]
        with closing(socket.socket(family, kind, protocol)) as listening:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            listening.listen(1)
    except socket.gaierror:  # of a name that is none
        return Port(key, bind, port, errno.EADDRNOTAVAIL)
    except OSError as exc:
        return Port(key, bind, port, exc.errno or errno.EIO, _holder(port), is_ours)
    return Port(key, bind, port)


async def hub_health(url: str) -> JsonObject | None:
    """What a hub says at `url`; None where none answers."""
    timeout = aiohttp.ClientTimeout(total=_ANSWER_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.get(f"{url}/healthz", allow_redirects=False) as answer,
        ):
            health = strict_json.loads_object(await answer.content.read(_MOST_BYTES), _MOST_BYTES)
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError, WireError):
        return None
    return health if isinstance(health.get("hub_id"), str) else None


def _holder(port: int) -> str | None:
    """The program that listens there, if it is one whose descriptors we may see."""
    sockets = {f"socket:[{inode}]" for inode in _listeners(port)}
    for descriptors in _PROC.glob("[0-9]*/fd") if sockets else ():
        with suppress(OSError):
            if any(str(one.readlink()) in sockets for one in descriptors.iterdir()):
                return (descriptors.parent / "comm").read_text().strip()
    return None


def _listeners(port: int) -> Iterator[str]:
    """Inodes of the sockets."""
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in (_PROC / "net" / table).read_text().splitlines()[1:]:
                words = line.split()
                if words[3] == _LISTEN and int(words[1].rpartition(":")[2], 16) == port:
                    yield words[9]
