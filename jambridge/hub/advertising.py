"""One hub a network: announce ours, and make way where another came up together with it."""

import asyncio
import logging

import aiohttp

from jambridge import strict_json
from jambridge.addresses import LOOK_S, changed, local_addresses
from jambridge.errors import LinkError, WireError
from jambridge.room.announce import Hub, announce, watch

log = logging.getLogger(__name__)

TOGETHER_S = 30.0  # later, a hub that is in use stays whatever else appears: its members would be interrupted
_PROBE_S = 2.0
_MAX_HEALTH_BYTES = 16 * 1024
_WILDCARDS = ("0.0.0.0", "::")


async def advertise_until_another_stays(hub_id: str, bind: str, port: int, tls_port: int) -> None:
    """Announce this hub until one with a lower id shows up in its first half minute; then return."""
    announcing = asyncio.ensure_future(advertise(hub_id, bind, port, tls_port))
    try:
        async with asyncio.timeout(TOGETHER_S):
            other = await _lower(hub_id)
    except (TimeoutError, LinkError):
        await announcing
    else:
        log.info("another hub stays id=%s address=%s", other.id, other.addresses[0])
    finally:
        announcing.cancel()
        await asyncio.wait([announcing])


async def advertise(hub_id: str, bind: str, port: int, tls_port: int) -> None:
    """Announce this hub on every interface there is, again whenever they change, until cancelled.

    No network is only a reason to wait.
    """
    failed = False
    while True:
        there = local_addresses()
        announced = _reachable(bind, there)
        try:
            async with announce(Hub(hub_id, announced, port, tls_port)):
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


async def _lower(hub_id: str) -> Hub:
    """The first hub found with an id below ours, and really there: anybody can announce anything."""
    async with watch() as found:
        while True:
            hub = await found.get()
            if hub.id < hub_id and await _answers(hub):
                return hub


async def _answers(hub: Hub) -> bool:
    """Whether a hub of this id is at the announced address."""
    host = f"[{hub.addresses[0]}]" if ":" in hub.addresses[0] else hub.addresses[0]
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_PROBE_S)) as session,
            session.get(f"http://{host}:{hub.port}/healthz", allow_redirects=False) as answer,
        ):
            health = strict_json.loads_object(await answer.content.read(_MAX_HEALTH_BYTES), _MAX_HEALTH_BYTES)
    except (aiohttp.ClientError, TimeoutError, OSError, WireError):
        return False
    return health.get("hub_id") == hub.id
