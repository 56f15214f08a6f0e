"""Which web pages may open a socket. Pure.

A browser says in `Origin` whose page it runs. A bridge says nothing. The hub's own page comes from the very host it
connects to; a public name that only points here for a moment (DNS rebinding) would too, so it must be a name of the
local network, or configured.
"""

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

_LOCAL_SUFFIXES = (".local", ".localhost", ".lan", ".home.arpa", ".internal")  # never delegated in the public DNS


def allowed(origin: str | None, host: str, names: Collection[str], configured: Collection[str]) -> bool:
    """Whether a page of `origin` may connect.

    Args:
        origin: the Origin header, None where there is none.
        host: the Host header, with its port where it has one.
        names: the certificate's.
        configured: origins as `https://example.org`.
    """
    if origin is None or origin in configured:
        return True
    try:
        parts = urlsplit(origin)
        name = parts.hostname
    except ValueError:
        return False
    if not name or parts.scheme not in ("http", "https") or parts.netloc.lower() != host.lower():
        return False
    return name in names or _is_local(name)


def _is_local(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return "." not in name or name.endswith(_LOCAL_SUFFIXES)
    return True
