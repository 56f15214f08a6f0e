"""What chord sounds, by its name. Pure."""

from collections.abc import Collection

from jambridge.units import MidiNote

_ROOTS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_KINDS = {
    "": (0, 4, 7),
    "m": (0, 3, 7),
    "7": (0, 4, 7, 10),
    "maj7": (0, 4, 7, 11),
    "m7": (0, 3, 7, 10),
    "m7b5": (0, 3, 6, 10),
    "dim7": (0, 3, 6, 9),
    "mmaj7": (0, 3, 7, 11),
    "6": (0, 4, 7, 9),
    "m6": (0, 3, 7, 9),
    "dim": (0, 3, 6),
    "aug": (0, 4, 8),
    "sus4": (0, 5, 7),
    "sus2": (0, 2, 7),
    "add9": (0, 2, 4, 7),
    "9": (0, 2, 4, 7, 10),
    "5": (0, 7),
}
_KIND_OF = {frozenset(intervals): kind for kind, intervals in _KINDS.items()}


def name(notes: Collection[MidiNote]) -> str | None:
    """As `Am7` or `C/E`; None where the notes make none that is known.

    Of the names that fit (C6 and Am7 are the same notes) it is the one whose root is the bass, else the simplest.
    """
    if not notes:
        return None
    classes, bass = {note % 12 for note in notes}, min(notes) % 12
    found = [(root, kind) for root in sorted(classes) if (kind := _kind(classes, root)) is not None]
    if not found:
        return None
    order = list(_KINDS)
    root, kind = min(found, key=lambda one: (one[0] != bass, order.index(one[1])))
    return f"{_ROOTS[root]}{kind}{'' if root == bass else f'/{_ROOTS[bass]}'}"


def _kind(classes: Collection[int], root: int) -> str | None:
    return _KIND_OF.get(frozenset((one - root) % 12 for one in classes))
