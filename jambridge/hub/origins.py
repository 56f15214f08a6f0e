"""Which web pages may open a socket or ask the hub for something. Pure.

A browser says in `Origin` whose page it runs. A bridge says nothing. The hub's own page comes from the very host it
connects to; a public name that only points here for a moment (DNS rebinding) would too, so it must be a name of the
local network, or configured.
"""

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

DEFAULT = ("http://localhost:5173", "https://jam-dev.audiolux.app")
"""The app in its developer's browser and where it is published; `hub.allowed_origins` adds to them."""

_LOCAL_SUFFIXES = (".local", ".localhost", ".lan", ".home.arpa", ".internal")  # never delegated in the public DNS


def allowed(origin: str | None, host: str, names: Collection[str], configured: Collection[str]) -> bool:
    """Whether a page of `origin` may connect.

    Args:
        origin: the Origin header, None where there is none.
        host: the Host header, with its port where it has one.
        names: the certificate's.
        configured: origins as `https://example.org`, beside `DEFAULT`.
    """
    if origin is None or origin in DEFAULT or origin in configured:
        return True
    try:
        parts = urlsplit(origin)
        name = parts.hostname
    except ValueError:
        return False
    if not name or parts.scheme not in ("http", "https") or parts.netloc.lower() != host.lower():
        return False
    return name in names or _is_local(name)


def host_known(host: str, names: Collection[str], configured: Collection[str]) -> bool:
    """Whether the Host header is a name or address that this hub may have: one of the local network, or configured."""
    try:
        parts = urlsplit(f"//{host}")
        name = parts.hostname
    except ValueError:
        return False
    if not name:
        return False
    return (
        name in names
        or _is_local(name)
        or any(urlsplit(origin).netloc.lower() == host.lower() for origin in configured)
    )


def _is_local(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return "." not in name or name.endswith(_LOCAL_SUFFIXES)
    return True
