"""Whether an address can be that of a Supabase project or a hub. Pure."""

import ipaddress
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from jambridge.doctor.finding import Finding, failure, good, quoted, warning

CHECK = "address"
_SUPABASE = ".supabase.co"
_FORM = "set supabase.url to https://PROJECT.supabase.co, as the project's settings show it under Data API"
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Target:
    """Where to connect."""

    url: str
    host: str
    port: int
    tls: bool

    @property
    def project(self) -> str | None:
        """The project's reference, where the name shows it."""
        return self.host.removesuffix(_SUPABASE) if self.host.endswith(_SUPABASE) else None


def judge(url: str) -> tuple[Finding, Target | None]:
    """The finding, and where to connect unless it is a failure."""
    reason = _not_an_address(url)
    if reason is not None:
        return failure(CHECK, reason, _FORM), None
    parts = urlsplit(url)
    host = str(parts.hostname)
    tls = parts.scheme == "https"
    target = Target(f"{parts.scheme}://{parts.netloc}", host, parts.port or _PORTS[parts.scheme], tls)
    if not tls and not _is_local(host):
        return warning(CHECK, f"{target.url}: without TLS everybody on the way reads along", "use https://"), target
    return good(CHECK, target.url), target


def _not_an_address(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as exc:
        return f"{quoted(url)} is no address: {quoted(exc)}"
    if not url or not url.isascii() or not url.isprintable() or " " in url:
        return f"{quoted(url)!r} is no address"
    if parts.scheme not in _PORTS or not host:
        return f"{quoted(url)} does not begin with https:// and a host"
    if parts.username is not None or parts.password is not None:
        return "there is a user or a password in the address"
    return _not_the_projects(parts, host)


def _not_the_projects(parts: SplitResult, host: str) -> str | None:
    if host in {"supabase.com", "www.supabase.com", "app.supabase.com"}:
        return "this is the address of the dashboard, not of the project"
    if parts.path.strip("/") or parts.query or parts.fragment:
        return f"there is more than a host in it: {quoted(parts._replace(scheme='', netloc='').geturl())}"
    return None


def _is_local(host: str) -> bool:
    """A name or an address in this network, where a hub has no certificate that all accept."""
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return host == "localhost" or host.endswith((".local", ".lan", ".home.arpa", ".internal")) or "." not in host
