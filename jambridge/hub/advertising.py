"""One hub a network: announce ours, and make way for another that outranks it."""

import asyncio
import logging
import time
from contextlib import suppress
from dataclasses import replace
from typing import NoReturn

import aiohttp

from jambridge import strict_json
from jambridge.addresses import LOOK_S, changed, local_addresses
from jambridge.errors import LinkError, WireError
from jambridge.hub.candidates import PROBE_EVERY_S, PROVEN_S, Candidates
from jambridge.room.announce import Hub, Watch, announce, watch

log = logging.getLogger(__name__)

TOGETHER_S = 30.0
"""So long after our start nobody has settled here yet: another that came up together with us need not prove itself."""
_PROBE_S = 2.0
_MAX_ADDRESSES = 4
_MAX_HEALTH_BYTES = 16 * 1024
_WILDCARDS = ("0.0.0.0", "::")


async def advertise_until_another_stays(own: Hub, bind: str, together_s: float = TOGETHER_S) -> str:
    """Announce this hub until one that outranks it has proved to be there; its page, as `https://HOST:PORT`."""
    announcing = asyncio.ensure_future(advertise(own, bind))
    try:
        other, host = await _outranking(own, time.monotonic() + together_s)
    finally:
        announcing.cancel()
        await asyncio.wait([announcing])
    log.info("another hub stays id=%s address=%s", other.id, host)
    return f"https://{host}:{other.tls_port}"


async def advertise(own: Hub, bind: str) -> NoReturn:
    """Announce this hub on every interface there is, again whenever they change, until cancelled.

    No network is only a reason to wait.
    """
    failed = False
    while True:
        there = local_addresses()
        try:
            async with announce(replace(own, addresses=_reachable(bind, there))):
                failed = False
                await changed(there)
        except LinkError as exc:
            if not failed:
                log.warning("hub not announced, others must be told its address error=%s", exc)
            failed = True
            await asyncio.sleep(LOOK_S)


def _reachable(bind: str, there: tuple[str, ...]) -> tuple[str, ...]:
    """The addresses at which a socket bound to `bind` is heard: 0.0.0.0 takes no IPv6."""
    if bind not in _WILDCARDS:
        return (bind,)
    heard = tuple(address for address in there if bind == "::" or ":" not in address)
    return heard or ("127.0.0.1",)


async def _outranking(own: Hub, settled_s: float) -> tuple[Hub, str]:
    """The hub that is to stay, and the address at which it answers; networks come and go meanwhile."""
    candidates = Candidates(own)
    while True:
        there = local_addresses()
        with suppress(LinkError):
            async with watch() as found:
                moved = asyncio.ensure_future(changed(there))
                try:
                    while not moved.done():
                        if chosen := await _look_around(found, candidates, settled_s):
                            return chosen
                finally:
                    moved.cancel()
                    await asyncio.wait([moved])
        await asyncio.sleep(LOOK_S)


async def _look_around(found: Watch, candidates: Candidates, settled_s: float) -> tuple[Hub, str] | None:
    """Take what is announced until somebody is to be asked, and ask them all."""
    with suppress(TimeoutError):
        async with asyncio.timeout(PROBE_EVERY_S / 4):
            while True:
                candidates.seen(await found.get(), time.monotonic())
    due = candidates.due(time.monotonic())
    hosts = dict(zip(due, await asyncio.gather(*map(_answering, due)), strict=True))
    for hub, host in hosts.items():
        candidates.asked(hub, time.monotonic(), answers=host is not None)
    now_s = time.monotonic()
    chosen = candidates.chosen(now_s, 0.0 if now_s < settled_s else PROVEN_S)
    host = hosts.get(chosen) if chosen is not None else None
    return (chosen, host) if chosen is not None and host is not None else None


async def _answering(hub: Hub) -> str | None:
    """The first of its addresses, as in a URL, at which a hub of this id answers: not another, and not ourselves."""
    for address in hub.addresses[:_MAX_ADDRESSES]:
        host = f"[{address}]" if ":" in address else address
        if await _answers(f"http://{host}:{hub.port}", hub.id):
            return host
    return None


async def _answers(url: str, hub_id: str) -> bool:
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_PROBE_S)) as session,
            session.get(f"{url}/healthz", allow_redirects=False) as answer,
        ):
            health = strict_json.loads_object(await answer.content.read(_MAX_HEALTH_BYTES), _MAX_HEALTH_BYTES)
    except (aiohttp.ClientError, TimeoutError, OSError, WireError):
        return False
    return health.get("hub_id") == hub_id
