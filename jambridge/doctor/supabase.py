"""Whether a Supabase project, or a hub in its place, is set up as jambridge needs it: `jambridge doctor supabase`."""

import asyncio
import ssl
import time
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime, timedelta

from supabase import AsyncClient

from jambridge import supabase_key
from jambridge.doctor import channel, project_url, table
from jambridge.doctor.channel import Channel
from jambridge.doctor.finding import Finding, failed, failure, good, note, quoted, warning
from jambridge.doctor.project_url import Target
from jambridge.doctor.rest import Answer, Rest, open_rest
from jambridge.doctor.step import step
from jambridge.doctor.table import Table
from jambridge.room import code

KEY, CONNECTION, REST, CLOCK, REALTIME = "key", "connection", "rest", "clock", "realtime"
_CONNECT_S = 5.0
_PUT_UP_WITH_S = 30.0
_COPY_KEY = "copy the public key (anon or sb_publishable_…) from this project's settings under API keys"
_COPY_ADDRESS = "copy the project's address from its settings under Data API"
_CERTIFICATE = "are the address and this clock right? A hub in this network is at http://HOST:3001"
_REACH = "is the network there, and is the project awake? The dashboard shows it; free ones are paused after a week"
_UNAUTHORIZED = 401


async def check(url: str, key: str) -> list[Finding]:
    """Everything, in the order in which it has to work; what depends on a failure is not tried. Nothing is raised.

    A session row under a random code is inserted, and deleted again where that is allowed. A secret key is not sent.
    """
    url = url.rstrip("/")
    address, target = project_url.judge(url)
    found = [address]
    if target is None:
        return found
    found.append(judge_key(key, target, time.time()))
    if not failed(found):
        found.append(await step(CONNECTION, _connect(target), _REACH, _CONNECT_S))
    if failed(found):
        return found
    async with open_rest(target.url, key) as rest:
        hub = await _hub_id(rest)
        found[1:2] = [_key_for(found[1], key, hub)]
        if not failed(found):
            async with asyncio.TaskGroup() as both:
                over_rest = both.create_task(_over_rest(rest, hub=hub is not None))
                over_realtime = both.create_task(_over_realtime(target.url, key, hub=hub is not None))
            found += over_rest.result() + over_realtime.result()
    return found


def judge_key(key: str, target: Target, now: float) -> Finding:
    """What the key says of itself, before it is sent."""
    refused = supabase_key.check(key)
    if refused is not None:
        reason, _, remedy = refused.partition("; ")
        return failure(KEY, reason, remedy)
    said = supabase_key.claims(key) or {}
    if target.project is not None and said.get("ref", target.project) != target.project:
        return failure(KEY, f"this is the key of another project, {quoted(said['ref'])[:40]}", _COPY_KEY)
    expires = said.get("exp")
    if isinstance(expires, int | float) and expires < now:
        return failure(KEY, "this key has expired (or this clock is wrong)", _COPY_KEY)
    return good(KEY, "a public key" if supabase_key.is_public(key) else "a key of no known kind")


def _key_for(judged: Finding, key: str, hub: str | None) -> Finding:
    if hub is not None:
        return good(KEY, f"this is a jambridge hub ({hub}), which takes any")
    if supabase_key.is_public(key):
        return judged
    return failure(KEY, "this is no key of a Supabase project", _COPY_KEY)


async def _connect(target: Target) -> Finding:
    context = ssl.create_default_context() if target.tls else None
    try:
        _, writer = await asyncio.open_connection(target.host, target.port, ssl=context)
    except ssl.SSLCertVerificationError as exc:
        return failure(CONNECTION, f"its certificate is not valid: {quoted(exc.verify_message)}", _CERTIFICATE)
    except ValueError as exc:  # a host name that IDNA cannot encode
        return failure(CONNECTION, quoted(exc), _REACH)
    secured = writer.get_extra_info("ssl_object")
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return good(CONNECTION, f"{target.host} answers, {secured.version() if secured else 'without TLS'}")


async def _hub_id(rest: Rest) -> str | None:
    found: list[str | None] = []

    async def look() -> Finding:
        found.append(await rest.hub_id())
        return good(KEY, "")

    await step(KEY, look(), "")
    return found[0] if found else None


async def _over_rest(rest: Rest, *, hub: bool) -> list[Finding]:
    answers: list[Answer] = []
    found = [await step(REST, _rest_answers(rest, answers), _REACH)]
    if failed(found):
        return found
    skew_s = answers[0].skew_s
    now = datetime.now(UTC) - timedelta(seconds=skew_s or 0.0)
    tried = Table(rest, (code.generate(), code.generate()), now, hub=hub)
    return [*found, judge_clock(skew_s), *await _over_the_table(tried)]


async def _over_the_table(tried: Table) -> list[Finding]:
    found = [await step(table.TABLE, tried.columns(), table.MAKE_TABLE)]
    if failed(found):
        return found
    found.append(await step(table.INSERT, tried.insert(), table.MAKE_RULES))
    if not failed(found):
        found += [await step(name, look(), table.MAKE_RULES) for name, look in tried.rules.items()]
        found.append(tried.index())
    return [*found, await step(table.TIDY, tried.tidy(), "")]


async def _rest_answers(rest: Rest, answers: list[Answer]) -> Finding:
    answer = await rest.sessions("GET", "?select=id&limit=0")
    answers.append(answer)
    if answer.status == _UNAUTHORIZED and answer.code != "42501":
        return failure(REST, f"the project does not accept the key: {answer}", _COPY_KEY)
    if answer.status >= 500:  # noqa: PLR2004  HTTP
        return failure(REST, f"the project's database is away: {answer}", _REACH)
    if not isinstance(answer.body, list | dict):
        return failure(REST, f"what answers there is neither a Supabase project nor a hub: {answer}", _COPY_ADDRESS)
    return good(REST, "the database answers")


def judge_clock(skew_s: float | None) -> Finding:
    if skew_s is None:
        return note(CLOCK, "the server does not say what time it is")
    if abs(skew_s) > _PUT_UP_WITH_S:
        way = "ahead of" if skew_s > 0 else "behind"
        return warning(CLOCK, f"this clock is {abs(skew_s):.0f} s {way} the server's", "sudo timedatectl set-ntp true")
    return good(CLOCK, f"this clock and the server's agree within {max(abs(skew_s), 1.0):.0f} s")


async def _over_realtime(url: str, key: str, *, hub: bool) -> list[Finding]:
    async with AsyncExitStack() as stack:
        opened: list[AsyncClient] = []

        async def connect() -> Finding:
            opened.append(await stack.enter_async_context(channel.open_client(url, key)))
            return good(REALTIME, "Realtime answers")

        found = await step(REALTIME, connect(), channel.ENABLE)
        return [found, *(await _in_a_room(opened[0], hub=hub) if opened else [])]


async def _in_a_room(client: AsyncClient, *, hub: bool) -> list[Finding]:
    room = Channel(client, f"room:{code.generate()}", private=False)
    found = [await step(channel.JOIN, channel.join(room), channel.ENABLE)]
    if failed(found):
        return found
    found.append(await step(channel.ECHO, channel.echo(room), channel.ENABLE))
    found.append(await step(channel.PRESENCE, channel.presence(room), channel.ENABLE))
    if hub:
        return [*found, note(channel.PRIVATE, "a hub makes no difference between private and public channels")]
    look = channel.private(client, f"room:{code.generate()}", f"doctor:{code.generate()}")
    return [*found, await step(channel.PRIVATE, look, channel.MAKE_POLICIES)]
