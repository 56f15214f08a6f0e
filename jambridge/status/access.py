"""Who may ask what of the local HTTP: by the name asked for, the address that asks, and the token. Pure.

A page whose name was rebound to our address (DNS rebinding) carries its own name in Host. Who is on this machine needs
no token, but for the figures of `/api/stats` where there is one.
"""

import hashlib
import hmac
import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

COOKIE = "jambridge"
OPEN = frozenset({"/", "/login", "/healthz", "/readyz", "/openapi.json", "/api/login"})
"""What tells nothing of the box; so do the page's files, below `/page/`."""
GUARDED = frozenset({"/api/stats"})
"""What asks for the token on this machine as well, where there is one."""
_SCHEME = "bearer "


class Access:
    """`token` is None where there is none: then only this machine may ask."""

    def __init__(self, token: str | None, hosts: Collection[str]) -> None:
        self._token = token
        self._hosts = frozenset(host.lower() for host in hosts)
        self.cookie = _cookie(token) if token else ""
        """What a browser that has shown the token gets instead of it."""

    def knows(self, host: str, own_address: str) -> bool:
        """Whether the Host header is ours: of this machine, configured, or the address that the request came to."""
        name = _name(host)
        address = _address(name)
        if address is None:
            return name == "localhost" or name in self._hosts
        return address.is_loopback or address == _address(own_address) or name in self._hosts

    def refusal(
        self, path: str, *, is_near: bool, authorization: str | None = None, cookie: str | None = None
    ) -> str | None:
        """Why this may not be asked, None where it may.

        Args:
            path: the URL's.
            is_near: whether the request comes from this machine.
            authorization: the header, as `Bearer TOKEN`.
            cookie: the value of the cookie COOKIE.
        """
        if path in OPEN or path.startswith("/page/") or (is_near and (path not in GUARDED or self._token is None)):
            return None
        if self._token is None:
            return "only this machine may ask, until http.token_file is set"
        if authorization is not None and authorization[: len(_SCHEME)].lower() == _SCHEME:
            return None if self.holds(authorization[len(_SCHEME) :].strip()) else "that is not the token"
        if cookie is not None:
            return None if _same(cookie, self.cookie) else "the token has changed: show the new one at /login"
        return "the token is missing: Authorization: Bearer TOKEN, or /login in a browser"

    def holds(self, token: str) -> bool:
        """Whether that is the token."""
        return self._token is not None and _same(token, self._token)


def is_near(peer: str, own: str, forwarded: str | None) -> bool:
    """Whether a request from `peer` to our address `own` comes from this machine: what a proxy passes on does not."""
    address = _address(peer)
    return forwarded is None and address is not None and (address.is_loopback or peer == own)


def foreign(origin: str | None, site: str | None, host: str) -> str | None:
    """Why a browser's page may not ask this; None where it may, or where no browser asks.

    Args:
        origin: the Origin header.
        site: the Sec-Fetch-Site header.
        host: the Host header.
    """
    if site not in (None, "same-origin", "none"):
        return "a page of another site may not ask this"
    if origin is None:
        return None
    try:
        asked_by = urlsplit(origin).netloc.lower()
    except ValueError:
        asked_by = ""
    return None if asked_by == host.lower() else "a page of another origin may not ask this"


def _cookie(token: str) -> str:
    """Made of the token, so that it holds over restarts, and ends with it."""
    return hmac.new(token.encode(), b"jambridge page", hashlib.sha256).hexdigest()


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(errors="replace"), other.encode())


def _name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
