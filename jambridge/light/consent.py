"""Whose lights are these? Which of the WLEDs seen are driven, and why. Pure.

The rules are the contract's: one found alone is driven; of several only those named in the configuration or adopted;
one that somebody else streams to is left alone.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from jambridge.light.wled import Wled

Discover = Literal["auto", "list", "off"]
State = Literal["driven", "listed", "foreign", "absent", "faulty"]


@dataclass(frozen=True, slots=True)
class Sighting:
    """One WLED and how it came to be known."""

    wled: Wled
    sent_from: str
    """Our own address towards it when it answered last."""
    named: bool
    """It is in the configuration."""
    present: bool
    """It answers; or it did until a moment ago."""
    fault: str = ""
    """What is wrong with what it answers now; empty where nothing comes."""


@dataclass(frozen=True, slots=True)
class Verdict:
    state: State
    reason: str


def decide(
    sightings: Collection[Sighting], discover: Discover, adopted: Collection[str], expected: int, settled: bool
) -> dict[str, Verdict]:
    """A verdict for each MAC.

    Args:
        sightings: one a MAC.
        discover: `light.discover` of the configuration.
        adopted: MACs.
        expected: how many controllers named in the configuration have not been seen.
        settled: whether others had the time to answer; until then nothing is "the only one".
    """
    known = {sighting.wled.info.mac for sighting in sightings if sighting.present or sighting.named} | set(adopted)
    alone = len(known) + expected == 1
    return {sighting.wled.info.mac: _verdict(sighting, discover, adopted, alone, settled) for sighting in sightings}


def agreed(verdicts: Mapping[str, Verdict], taken: Collection[str]) -> dict[str, Verdict]:
    """The same, but that other bridges of the room drive what they have `taken`."""
    theirs = Verdict("foreign", "another bridge in this room drives it")
    return {mac: theirs if one.state == "driven" and mac in taken else one for mac, one in verdicts.items()}


def is_foreign(wled: Wled, sent_from: str) -> bool:
    """Somebody at another address streams to it. One that is live and will not say from where is not foreign."""
    return wled.info.live and bool(wled.info.lip) and wled.info.lip != sent_from


def _verdict(sighting: Sighting, discover: Discover, adopted: Collection[str], alone: bool, settled: bool) -> Verdict:
    wled = sighting.wled
    if not sighting.present:
        return Verdict("faulty", sighting.fault) if sighting.fault else Verdict("absent", "does not answer")
    if discover == "list":
        return Verdict("listed", "light.discover is list: nothing is driven")
    chosen = sighting.named or wled.info.mac in adopted
    if not chosen and not settled:
        return Verdict("listed", "waiting whether others answer")
    if not chosen and not alone:
        return Verdict(
            "listed", f"one of several: name it under light.controllers or run jambridge leds adopt {wled.info.mac}"
        )
    if is_foreign(wled, sighting.sent_from):
        return Verdict("foreign", f"live from {wled.info.lip}: left alone")
    why = "named in the configuration" if sighting.named else "adopted" if chosen else "the only one found"
    return Verdict("driven", f"{why}; overridden in WLED by its user" if wled.overridden else why)
