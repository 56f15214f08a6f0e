"""Which of the ports that there are. Pure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

OWN = "jambridge"
"""With what the names of our own ports begin, and those of another of us on this machine."""
ALL = "*"
"""Instead of a name: all but those that lead in circles."""
_CIRCLES = ("midi through",)
_BRIDGES = ("a2j:", "midi-bridge:")  # from ALSA's sequencer to JACK's: what follows is the name there


@dataclass(frozen=True, slots=True)
class Choice:
    """`missing` are the names asked for that no port has."""

    ports: tuple[str, ...]
    missing: tuple[str, ...] = ()


def choose(present: Sequence[str], wanted: Collection[str]) -> Choice:
    """The ports whose names contain one of `wanted`, and never our own."""
    others = [name for name in dict.fromkeys(present) if not _bare(name).startswith(OWN)]
    found = {part: [name for name in others if part.casefold() in name.casefold()] for part in wanted if part != ALL}
    chosen = {name for names in found.values() for name in names}
    if ALL in wanted:
        chosen |= {name for name in others if not _bare(name).startswith(_CIRCLES)}
    missing = tuple(part for part, names in found.items() if not names)
    return Choice(tuple(name for name in others if name in chosen), missing)


def complaint(direction: str, missing: Sequence[str], present: Sequence[str]) -> str | None:
    """What is told of ports that are missing: those that there are."""
    if not missing:
        return None
    there = ", ".join(choose(present, ("",)).ports) or "none"
    return f"no MIDI {direction} is called {' or '.join(map(repr, missing))}; there are: {there}"


def _bare(name: str) -> str:
    """As it was called before a bridge between ALSA and JACK passed it on."""
    bare = name.casefold()
    for bridge in _BRIDGES:
        bare = bare.removeprefix(bridge)
    return bare.lstrip()
