"""The room: Supabase's or a hub's, of which only what is not as it should be is told one by one. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from jambridge.doctor.finding import Finding, Verdict, failed, failure, good, note, warning

HUB, SUPABASE = "hub", "Supabase"
_NAMED = "is it on, and in this network? Its address is http://HOST:3001; leave hub.url out to look for it by mDNS"


def summary(name: str, where: str, found: Sequence[Finding]) -> list[Finding]:
    """What is wrong, each under `name`; and how much is well, if nothing failed."""
    bad = [one for one in found if one.verdict in (Verdict.WARNING, Verdict.FAILURE)]
    told = [replace(one, check=f"{name} {one.check}", seconds=None) for one in bad]
    if failed(found):
        return told
    well = len(found) - len(bad)
    return [good(name, f"{where}: {well} checks, as joining a room, hearing, being seen and storing, are well"), *told]


def no_hub(url: str | None, *, mode: str, has_supabase: bool) -> Finding:
    """`url` is the one configured."""
    if url is not None:
        return failure(HUB, f"none answers at {url} (hub.url)", _NAMED)
    if mode != "off":
        return good(HUB, "none in this network yet: jambridge opens one")
    if has_supabase:
        return note(HUB, "none is wanted (hub.mode): without Supabase there is no room")
    return warning(HUB, "neither a hub (hub.mode: off) nor a Supabase project: there is no room", "hub.mode: auto")
