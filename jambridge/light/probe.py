"""Asks one WLED over HTTP what it is. Whatever answers may be hostile: time, size and shape are bounded."""

import asyncio
import logging
import os
import socket

import aiohttp

from jambridge import strict_json
from jambridge.errors import LinkError, WireError
from jambridge.light import wled
from jambridge.light.wled import LiveConfig, Wled
from jambridge.strict_json import JsonObject

_CONNECT_WITHIN_S = 1.5  # one that comes back is asked again soon
_CFG_EVERY = 5  # probes: a changed configuration is noticed after a minute, without asking too much of a weak server
_BUSY = 503  # WLED's, when two want its one buffer at once

log = logging.getLogger(__name__)


def open_session(answer_s: float) -> aiohttp.ClientSession:
    """For all probes: no cookies, no proxies, no compression, few connections."""
    return aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=answer_s, sock_connect=_CONNECT_WITHIN_S),
        cookie_jar=aiohttp.DummyCookieJar(),
        connector=aiohttp.TCPConnector(limit=128, limit_per_host=1, force_close=True),
        auto_decompress=False,
        headers={"Accept-Encoding": "identity"},
    )


class Probe:
    """Remembers what one WLED need not be asked each time."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self._probes = self._uptime_s = 0
        self._mac = ""
        self._known: tuple[str, LiveConfig] | None = None

    async def ask(self, host: str, port: int, expected_mac: str | None = None) -> Wled:
        """What answers at the address `host`.

        Raises:
            LinkError: nothing does, or it is another than the one expected.
            WireError: what answers is no WLED.
        """
        try:
            info, overridden = wled.parse_state_and_info(await self._get(host, port, "si"))
        except (LinkError, WireError):
            self._known = None  # it may come back changed
            raise
        if expected_mac and info.mac != expected_mac:
            raise LinkError(f"{host} is now another WLED")
        if info.uptime_s < self._uptime_s:
            self._known = None  # it started again, perhaps with other settings
            if info.mac == self._mac:
                log.info("a WLED has started again name=%s mac=%s", info.name, info.mac)
        self._mac, self._uptime_s = info.mac, info.uptime_s
        key = f"{info.mac}@{host}"
        if self._known is None or self._known[0] != key or self._probes % _CFG_EVERY == 0:
            self._known = (key, await self._live_config(host, port))
        self._probes += 1
        return Wled(host, info, self._known[1], overridden)

    async def _live_config(self, host: str, port: int) -> LiveConfig:
        """Its defaults where it will not say: some lock /json/cfg with a PIN."""
        try:
            return wled.parse_live_config(await self._get(host, port, "cfg"))
        except (LinkError, WireError):
            return LiveConfig()

    async def _get(self, host: str, port: int, what: str) -> JsonObject:
        url = f"http://[{host}]:{port}/json/{what}" if ":" in host else f"http://{host}:{port}/json/{what}"
        try:
            async with self._session.get(url, allow_redirects=False) as response:
                if response.status == _BUSY:
                    raise LinkError(f"{host}:{port} is busy")
                if response.status != 200:  # noqa: PLR2004  OK
                    raise WireError(f"HTTP status {response.status}")
                return strict_json.loads_object(await _bounded(response), wled.MAX_BYTES)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as exc:
            raise LinkError(f"{host}:{port} does not answer ({_reason(exc)})") from exc


async def addresses(name: str) -> list[str]:
    """Addresses of a host name, IPv4 first.

    Raises:
        LinkError: it is not known.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as exc:
        raise LinkError(f"{name} is not known here") from exc
    return [str(entry[4][0]) for entry in sorted(found, key=lambda entry: entry[0] == socket.AF_INET6)]


def _reason(exc: Exception) -> str:
    if isinstance(exc, OSError) and exc.errno:
        return os.strerror(exc.errno)
    return str(exc)[:80] or type(exc).__name__


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    """The body, or enough of it to be refused."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > wled.MAX_BYTES:
            break
    return bytes(body)
