"""What the strip shows of everything that sounds. Pure."""

from collections.abc import Iterable, Sequence

import numpy as np

from jambridge.light import layout
from jambridge.light.colour import WHITE, ColorMode, Colours, note_colour
from jambridge.notes.frame import Note

FLASH_HOLD_S = 0.08  # the note's own colour is there by then: its p90 is 40 ms behind the flash
FLASH_FADE_S = 0.08
_FLASH_LIFT = 0.6  # of the way to full brightness for what sounds already


def merge(players: Iterable[Sequence[Note]]) -> list[Note]:
    """All players' notes, loudest first; of a note that two play, the louder."""
    loudest: dict[int, Note] = {}
    for notes in players:
        for note in notes:
            if note.midi not in loudest or loudest[note.midi].velocity < note.velocity:
                loudest[note.midi] = note
    return sorted(loudest.values(), key=lambda note: (-note.velocity, note.midi))


def flash(age_s: float) -> float:
    """How much of an onset's flash is left, 0..1, `age_s` after it was noticed."""
    if age_s < 0 or age_s >= FLASH_HOLD_S + FLASH_FADE_S:
        return 0.0
    return min(1.0, 1.0 - (age_s - FLASH_HOLD_S) / FLASH_FADE_S)


def draw(loudest_first: Sequence[Note], flash_left: float, pixels: int, mode: ColorMode) -> Colours:
    """Shape (pixels, 3), 0..1: the loudest notes there is room for share the strip, lowest first.

    An onset (`flash_left` 0..1) brightens what sounds, or shows white while nothing does: it is certain before
    its pitch is.
    """
    shown = sorted(loudest_first[: layout.room(pixels)], key=lambda note: note.midi)
    if not shown:
        return np.full((pixels, 3), WHITE * flash_left, np.float32)
    lift = _FLASH_LIFT * flash_left
    colours = [note_colour(note.midi, note.velocity + (1 - note.velocity) * lift, mode) for note in shown]
    return layout.paint(np.array(colours), pixels)
