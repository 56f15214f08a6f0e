"""Sessions in the room's own database: Supabase's table, or a foreign hub's, over PostgREST.

The client library has neither a deadline for a whole request nor a bound for an answer: both are here.
"""

import asyncio
import random
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from postgrest import APIError, AsyncPostgrestClient, AsyncRequestBuilder
from pydantic import ValidationError

from jambridge.errors import LinkError, WireError
from jambridge.store import merging, record, session
from jambridge.store.record import SessionRecord
from jambridge.store.transport import BoundedTransport, Pool
from jambridge.strict_json import JsonObject

TIMEOUT_S = 5.0
TRIES = 20  # beside one who writes without a pause; each is two requests
"""A conflict is read, merged and written again this often."""
_LONGEST_PAUSE_S = 0.02  # by chance, before a conflict is read again: two in step would meet every time
MOST_RECENT = 20

_DUPLICATE = "23505"
_NOT_ALLOWED = "42501"
_REVISION = "state->metadata->>revision"
_MOST_SEEN = 64

Merge = Callable[[JsonObject, JsonObject], JsonObject]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A Supabase project or a hub: the base address, before `/rest/v1`, and its public key."""

    url: str
    key: str = field(repr=False)


class RemoteStore:
    """The table `sessions` there. All methods raise LinkError when it cannot be reached or refuses."""

    def __init__(self, client: AsyncPostgrestClient, transport: BoundedTransport) -> None:
        self._client = client
        self._transport = transport
        self._timeouts = 0
        self._seen: OrderedDict[str, JsonObject] = OrderedDict()
        """The metadata last read or written there: only upon its revision is anything written without reading first."""

    @property
    def pool(self) -> Pool:
        active, idle = self._transport.connections()
        return Pool(active, idle, self._timeouts)

    async def get(self, session_id: str) -> SessionRecord | None:
        """The session, if it is there and the project still shows it (24 hours)."""
        query = self._table.select("id,created_at,state").eq("id", session_id).limit(1)
        rows = await self._ask(query.execute())
        return rows[0] if rows else None

    async def recent(self, limit: int = 10) -> list[SessionRecord]:
        query = self._table.select("id,created_at,state").order("created_at", desc=True).limit(min(limit, MOST_RECENT))
        return await self._ask(query.execute())

    async def save(
        self, session_id: str, state: JsonObject, *, hosting: bool = True, merge: Merge = merging.merge
    ) -> JsonObject:
        """Store `state`, and return what is stored there then: blocks that are not ours may have come in.

        Args:
            session_id: the room's code.
            state: whole, with `metadata.revision`, and built upon what was returned the last time.
            hosting: whether we host the session now. Who does not leaves a newer state in peace.
            merge: ours and theirs into one, where somebody else wrote.

        Raises:
            LinkError: as ever; or others write so often that `TRIES` were not enough.
            WireError: `state` is no JSON object of at most 256 KiB.
        """
        await asyncio.to_thread(record.encode, state)  # of the largest state it takes too long for the event loop
        try:
            return await self._save(session_id, state, hosting, merge)
        except BaseException:
            self.forget(session_id)  # whether it was written is not known
            raise

    async def delete(self, session_id: str) -> bool:
        """Delete the session; False when it is not there.

        Raises:
            LinkError: it is, and the project does not let us.
        """
        self.forget(session_id)
        if await self._deleted(session_id):
            return True
        if await self.get(session_id) is None:
            return False
        raise LinkError(f"the project does not let anyone delete {session_id}: it deletes it itself after 24 hours")

    def forget(self, session_id: str) -> None:
        """Read the session before it is written again."""
        self._seen.pop(session_id, None)

    @property
    def _table(self) -> AsyncRequestBuilder:
        return self._client.from_("sessions")

    async def _save(self, session_id: str, state: JsonObject, hosting: bool, merge: Merge) -> JsonObject:
        for again in range(1 + TRIES):
            if again:
                await asyncio.sleep(random.uniform(0, _LONGEST_PAUSE_S))  # noqa: S311  no secret
            if session_id in self._seen:
                seen = self._seen[session_id]
                after = merging.following(state, session.revision(seen))
                if await self._replace(session_id, seen["metadata"].get("revision"), after):
                    return self._remember(session_id, after)
            present = await self.get(session_id)
            if present is None:
                if await self._insert(session_id, state):
                    return self._remember(session_id, state)
                continue
            theirs = self._remember(session_id, present.state)
            if not hosting and merging.is_newer(theirs, state):
                return theirs
            state = merge(state, theirs)
            if merging.same(state, theirs):  # an earlier try arrived after all, or nothing is new
                return theirs
        raise LinkError(f"{session_id} could not be written: others write it, or an expired one is not deleted yet")

    async def _replace(self, session_id: str, revision: object, state: JsonObject) -> bool:
        """Write `state` if the revision there is still the one we know."""
        query = self._table.update({"state": state}).eq("id", session_id)
        match revision:
            case None:
                query = query.is_(_REVISION, "null")
            case bool() | float() | list() | dict():  # nobody counts so: whatever it is, it is replaced
                query = query.not_.is_(_REVISION, "null")
            case _:
                query = query.eq(_REVISION, str(revision))
        return bool(await self._ask(query.select("id,created_at,state").execute()))

    async def _insert(self, session_id: str, state: JsonObject) -> bool:
        """Add the row; False when one is there, though it may not be shown."""
        query = self._table.insert({"id": session_id, "state": state}).select("id,created_at,state")
        try:
            async with self._deadline():
                answer = await query.execute()
        except APIError as exc:
            if exc.code == _DUPLICATE:
                return False
            raise _refused(exc) from exc
        if not answer.data:
            raise LinkError("the project's database does not say what it stored")
        return True

    async def _deleted(self, session_id: str) -> bool:
        """False for what is not there or not allowed: a policy answers as an absent row does, a missing right fails."""
        try:
            async with self._deadline():
                answer = await self._table.delete().eq("id", session_id).execute()
        except APIError as exc:
            if exc.code == _NOT_ALLOWED:
                return False
            raise _refused(exc) from exc
        return bool(answer.data)

    def _remember(self, session_id: str, state: JsonObject) -> JsonObject:
        metadata = state.get("metadata")
        number = metadata.get("revision") if isinstance(metadata, dict) else None
        self._seen[session_id] = {"metadata": {"revision": number}}
        self._seen.move_to_end(session_id)
        if len(self._seen) > _MOST_SEEN:
            self._seen.popitem(last=False)
        return state

    async def _ask(self, request: Awaitable[Any]) -> list[SessionRecord]:
        try:
            async with self._deadline():
                answer = await request
        except APIError as exc:
            raise _refused(exc) from exc
        try:
            return await asyncio.to_thread(_rows, answer)
        except WireError as exc:
            raise LinkError(f"the project's answer is no session: {exc}") from exc

    @asynccontextmanager
    async def _deadline(self) -> AsyncIterator[None]:
        """A deadline for the whole request, and what the libraries raise as LinkError; APIError passes."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                yield
        except (TimeoutError, httpx.TimeoutException) as exc:
            self._timeouts += 1
            raise LinkError(f"the project's database did not answer within {TIMEOUT_S:.0f} s") from exc
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as exc:
            raise LinkError(f"the project's database cannot be reached: {exc or type(exc).__name__}") from exc
        except (ValidationError, ValueError, RecursionError) as exc:
            raise LinkError("the project's database answers something else than PostgREST") from exc


@asynccontextmanager
async def open_remote(endpoint: Endpoint) -> AsyncIterator[RemoteStore]:
    """A client for `endpoint`; nothing is sent before it is asked. LinkError if the address is none."""
    headers = {"apikey": endpoint.key, "Authorization": f"Bearer {endpoint.key}"}
    transport = BoundedTransport()
    base = _checked(endpoint.url.rstrip("/") + "/rest/v1")
    async with httpx.AsyncClient(
        base_url=base, headers=headers, timeout=TIMEOUT_S, transport=transport, trust_env=False
    ) as http:
        client = AsyncPostgrestClient(base, headers=headers, http_client=http, retry_enabled=False)
        yield RemoteStore(client, transport)


def _checked(base: str) -> str:
    try:
        url = httpx.URL(base)
    except httpx.InvalidURL as exc:
        raise LinkError(f"the project's address is none: {exc}") from exc
    if url.scheme not in ("http", "https") or not url.host:
        raise LinkError(f"the project's address is none: {base[:80]}")
    return base


def _rows(answer: Any) -> list[SessionRecord]:
    if not isinstance(answer.data, list):
        raise WireError("no list of rows")
    return [_record(row) for row in answer.data]


def _refused(exc: APIError) -> LinkError:
    return LinkError(f"the project's database refuses: {exc.code or ''} {str(exc.message)[:200]}".replace("\n", " "))


def _record(row: Any) -> SessionRecord:
    """A row, checked as strictly as a file of ours; a state that is no object becomes the empty one.

    Raises:
        WireError: also for a state beyond our bounds: what we cannot carry over we do not overwrite either.
    """
    if not isinstance(row, dict) or not isinstance(row.get("id"), str):
        raise WireError("a row without an id")
    created = record.to_moment(row.get("created_at"))
    state = row.get("state")
    if isinstance(state, dict):
        record.encode(state)
    return SessionRecord(row["id"][:64], created, created, state if isinstance(state, dict) else {})


@asynccontextmanager
async def open_if_known(endpoint: Endpoint | None) -> AsyncIterator[RemoteStore | None]:
    """As `open_remote`, and None where there is no such database."""
    if endpoint is None:
        yield None
    else:
        async with open_remote(endpoint) as remote:
            yield remote
