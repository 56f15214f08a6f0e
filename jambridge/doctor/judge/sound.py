"""PortAudio and the two cards in use, from what they say themselves or a running daemon says. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from jambridge.doctor.finding import Finding, failure, good, note, quoted, warning

PORTAUDIO = "PortAudio"
MOST_MISSED = 0.01
"""Of the callbacks, before which sound may be lost."""
_KEEP_UP = "raise audio.block_frames, use a cable instead of Wi-Fi for the card's USB hub, and see real time"
_REMEDY = re.compile(": (?=sudo |end that|set it to )")  # cards' names, and drivers' words, have colons, too
_NONE = "plug one in, or set audio.{} to none if there is to be none"


@dataclass(frozen=True, slots=True)
class CardUse:
    """One direction: the card that is in use, or `problem`; both None where there is none at all."""

    direction: str
    """input or output: the configuration's key."""
    card: str | None
    problem: str | None = None
    rate_hz: float = 0.0
    latency_ms: float = 0.0
    blocks: int = 0
    missed: int = 0
    """Of the blocks, those before which sound was lost."""
    by_daemon: bool = False


def portaudio(cards: Sequence[str], problem: str | None) -> Finding:
    """`cards` are the names of those that PortAudio sees."""
    if problem is not None:
        return _problem(PORTAUDIO, problem)
    if not cards:
        return note(PORTAUDIO, "it is there, and sees no sound card")
    return good(PORTAUDIO, f"it sees {', '.join(map(quoted, cards))[:200]}")


def card(facts: CardUse) -> Finding:
    name = f"sound {facts.direction}"
    if facts.problem is not None:
        return _problem(name, facts.problem)
    if facts.card is None:
        return note(name, f"there is no card with an {facts.direction}", _NONE.format(facts.direction))
    if not facts.blocks:
        return failure(name, f"{quoted(facts.card)} is open, but nothing moves", "pull it out and put it back")
    held = "jambridge uses" if facts.by_daemon else "it can be opened:"
    reason = f"{held} {quoted(facts.card)}, {facts.rate_hz / 1000:g} kHz, {facts.latency_ms:.1f} ms"
    if facts.missed > MOST_MISSED * facts.blocks:
        return warning(name, f"{reason}; {facts.missed} of {facts.blocks} blocks came too late", _KEEP_UP)
    return good(name, reason)


def _problem(name: str, sentence: str) -> Finding:
    """Some of our own sentences have what to do behind a colon, as `NAME is in use by jackd: end that`."""
    sentence = quoted(sentence)
    reason, parted, there = sentence.partition("; there ")
    if parted:
        return failure(name, reason, f"name one that is there, or plug it in: there {there}")
    parts = _REMEDY.split(sentence, maxsplit=1)
    return failure(name, parts[0], parts[1] if parts[1:] else "jambridge devices lists the cards")
