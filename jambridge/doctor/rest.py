"""Requests to a project's REST interface: one deadline and one bound for each answer, whatever comes back."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
from yarl import URL

from jambridge import strict_json
from jambridge.doctor.finding import quoted
from jambridge.errors import WireError

TIMEOUT_S = 5.0
_MAX_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; `body` is None where it was no JSON."""

    status: int
    body: Any
    skew_s: float | None
    """Our clock minus the server's, as its Date header says it, which is in whole seconds."""

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300  # noqa: PLR2004  HTTP

    @property
    def code(self) -> str:
        """PostgREST's or PostgreSQL's."""
        return str(self.body.get("code") or "") if isinstance(self.body, dict) else ""

    @property
    def rows(self) -> list[dict[str, Any]]:
        found = self.body if isinstance(self.body, list) else []
        return [row for row in found if isinstance(row, dict)]

    def __str__(self) -> str:
        said = self.body.get("message") if isinstance(self.body, dict) else None
        return quoted(" ".join(part for part in (f"HTTP {self.status}", self.code, str(said or "")) if part))


class Rest:
    """One project, asked with one key."""

    def __init__(self, session: aiohttp.ClientSession, url: str, key: str) -> None:
        self._session = session
        self._url = url
        self._headers = {"apikey": key, "Authorization": f"Bearer {key}", "Accept-Encoding": "identity"}

    async def sessions(self, method: str, query: str = "", body: object = None, *prefer: str) -> Answer:
        """Ask for `/rest/v1/sessions`; OSError and aiohttp's errors where there is no answer."""
        headers = {**self._headers, "Prefer": ",".join(("return=representation", *prefer))}
        return await self._ask(method, f"/rest/v1/sessions{query}", headers, body)

    async def hub_id(self) -> str | None:
        """If this is a LAN hub; it is not shown the key."""
        answer = await self._ask("GET", "/healthz", {}, None)
        found = answer.body.get("hub_id") if isinstance(answer.body, dict) else None
        return quoted(found)[:40] if isinstance(found, str) and found else None

    async def _ask(self, method: str, path: str, headers: dict[str, str], body: object) -> Answer:
        url = URL(self._url + path, encoded=True)
        async with self._session.request(method, url, headers=headers, json=body, allow_redirects=False) as answer:
            return Answer(answer.status, _parsed(await _read(answer)), _skew_s(answer.headers.get("Date")))


@asynccontextmanager
async def open_rest(url: str, key: str) -> AsyncIterator[Rest]:
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield Rest(session, url, key)


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    content = bytearray()
    async for chunk in answer.content.iter_any():
        content += chunk
        if len(content) > _MAX_BYTES:
            break
    return bytes(content)


def _parsed(content: bytes) -> Any:
    try:
        return strict_json.loads(content, _MAX_BYTES)
    except WireError:
        return None


def _skew_s(date: str | None) -> float | None:
    try:
        return None if date is None else time.time() - parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return None
