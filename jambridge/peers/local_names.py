"""Names in `.local`, behind which browsers hide their addresses, as addresses: multicast DNS by aioice.

Resolved here and not on the way into a connection, since anyone on the network may answer, with any address.
"""

import logging

from aioice.ice import get_or_create_mdns_protocol, unref_mdns_protocol

log = logging.getLogger(__name__)


async def resolve(name: str) -> str | None:
    """The address that somebody on this network gives for `name`; None if nobody does within a second."""
    subscriber = object()
    try:
        protocol = await get_or_create_mdns_protocol(subscriber)
        return await protocol.resolve(name)
    except OSError as exc:
        log.debug("a name cannot be resolved name=%s error=%r", name, exc)
        return None
    finally:
        await unref_mdns_protocol(subscriber)
