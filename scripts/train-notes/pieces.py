"""What is played: notes of scales, chords, voices, bass lines, drums and chorales. Pure but for music21's corpus.

A note is (onset_s, offset_s, midi, velocity, channel); drums are on channel 9.
"""

import random
from collections.abc import Sequence

Note = tuple[float, float, int, int, int]
Notes = list[Note]
Score = list[tuple[float, float, int]]
"""Written notes: onset and length in quarter notes, and MIDI number."""

LENGTH_S = 16.0
DRUMS = 9
_START_S = 0.3
_LAST_S = LENGTH_S - 0.3
_MAJOR = (0, 2, 4, 5, 7, 9, 11)
_CHORDS = (
    (0, 4, 7), (0, 3, 7), (0, 4, 7, 10), (0, 3, 7, 10), (0, 4, 7, 11), (0, 7), (0, 4), (0, 3), (0, 5), (0, 12),
    (0, 7, 12), (0, 3, 6), (0, 5, 7), (0, 4, 7, 12), (0, 9), (0, 5, 9), (0, 3, 6, 9), (0, 4, 7, 14), (0, 2, 7), (0, 8),
)  # fmt: skip
_STEPS = (-7, -5, -4, -3, -2, -2, -1, 1, 2, 2, 3, 4, 5, 7)


def melody(rng: random.Random, lowest: int, highest: int, shortest_s: float, longest_s: float) -> Notes:
    """One voice within a major scale, with leaps, rests and repeated notes."""
    root, legato = rng.randrange(12), rng.random() < 0.4
    pool = [midi for midi in range(lowest, highest + 1) if (midi - root) % 12 in _MAJOR or rng.random() < 0.1]
    place, start_s, notes = rng.randrange(len(pool)), _START_S, Notes()
    while start_s < _LAST_S:
        length_s = rng.uniform(shortest_s, longest_s)
        gap_s = 0.0 if legato else rng.choice((0.02, 0.02, 0.3 * length_s))
        notes.append((start_s, start_s + length_s - gap_s, pool[place], rng.randint(44, 116), 0))
        start_s += length_s + (0.3 if rng.random() < 0.08 else 0)
        step = rng.choice((-7, -4, -3, -2, -1, -1, 0, 1, 1, 2, 3, 4, 7))
        place = min(max(place + step, 0), len(pool) - 1)
    return notes


def chords(rng: random.Random, lowest: int, highest: int) -> Notes:
    """One chord after another, struck or strummed, at times broken."""
    strum_s, start_s, notes = rng.choice((0, 0, 0.01, 0.02)), _START_S, Notes()
    broken, repeated = rng.random() < 0.2, rng.random() < 0.25
    shortest_s, longest_s = rng.choice(((0.35, 1.2), (0.2, 0.6), (0.8, 2.5)))
    while start_s < _LAST_S:
        shape = list(rng.choice(_CHORDS))
        for inverted in range(rng.randrange(len(shape))):
            shape[inverted] += 12
        root, length_s = rng.randint(lowest, max(lowest, highest - 14)), rng.uniform(shortest_s, longest_s)
        velocity = rng.randint(52, 112)
        delay_s = length_s / len(shape) if broken else strum_s
        for _ in range(rng.choice((1, 2, 3)) if repeated else 1):
            notes += [
                (start_s + i * delay_s, start_s + length_s - 0.03, root + step, velocity + rng.randint(-10, 10), 0)
                for i, step in enumerate(sorted(set(shape)))
            ]
            start_s += length_s
    return notes


def voices(rng: random.Random, lowest: int, highest: int) -> Notes:
    """Two to five independent voices of one instrument."""
    notes = Notes()
    for _ in range(rng.choice((2, 3, 4, 4, 5))):
        start_s, midi = _START_S + rng.random() * 0.3, rng.randint(lowest, highest)
        while start_s < _LAST_S:
            length_s = rng.choice((0.12, 0.15, 0.3, 0.3, 0.45, 0.6, 0.9, 1.8))
            midi = min(max(midi + rng.choice(_STEPS), lowest), highest)
            if rng.random() < 0.85:
                notes.append((start_s, start_s + length_s - 0.02, midi, rng.randint(48, 112), 0))
            start_s += length_s
    return notes


def stride(rng: random.Random, doubled: float = 0.3) -> Notes:
    """A pianist's left hand in bass notes and chords, the right in quick single notes, `doubled` parts in octaves."""
    beat_s, start_s, notes = rng.uniform(0.22, 0.45), _START_S, Notes()
    while start_s < _LAST_S:
        root = rng.randint(33, 47)
        shape = rng.choice(_CHORDS)
        notes += [(start_s, start_s + 0.9 * beat_s, root + octave, rng.randint(60, 105), 0) for octave in (0, 12)]
        notes += [(start_s + beat_s, start_s + 1.8 * beat_s, root + 17 + i, rng.randint(55, 95), 0) for i in shape]
        for quarter in range(8):
            if rng.random() < 0.7:
                midi, at_s = rng.randint(64, 90), start_s + quarter * beat_s / 4
                octaves = (0, 12) if rng.random() < doubled else (0,)
                inner = (rng.choice((3, 4, 5, 7, 8, 9)),) if len(octaves) > 1 and rng.random() < doubled / 2 else ()
                length_s = beat_s * rng.choice((0.22, 0.45, 0.9))
                notes += [(at_s, at_s + length_s, midi - lower, rng.randint(60, 108), 0) for lower in octaves + inner]
        start_s += 2 * beat_s
    return notes


def doubled(rng: random.Random, lowest: int, highest: int) -> Notes:
    """A melody, each note with another an octave, a twelfth or two octaves higher that begins or ends elsewhere."""
    notes = Notes()
    for on, off, midi, velocity, channel in melody(rng, lowest, max(lowest + 5, highest - 12), 0.2, 1.0):
        notes.append((on, off, midi, velocity, channel))
        if rng.random() < 0.75:
            late_s, early_s = rng.choice((0, 0, 0, 0.3, 0.5)) * (off - on), rng.choice((0, 0, 0.3)) * (off - on)
            higher = midi + rng.choice((12, 12, 12, 19, 24))
            notes.append(
                (on + late_s, max(on + late_s + 0.08, off - early_s), higher, velocity - rng.randint(0, 15), channel)
            )
    return notes


def bass_line(rng: random.Random, lowest: int = 28) -> Notes:
    beat_s, start_s, notes = rng.uniform(0.18, 0.45), _START_S, Notes()
    while start_s < _LAST_S:
        root, lengths = rng.randint(lowest, 43), rng.choice(((1, 1, 1, 1), (2, 1, 0.5, 0.5), (1, 0.5, 0.5, 2)))
        for step, beats in zip(rng.sample((0, 0, 12, 7, 10, 5, 3, 0), 4), lengths, strict=True):
            notes.append((start_s, start_s + beats * beat_s * 0.92, root + step, rng.randint(60, 116), 0))
            start_s += beats * beat_s
    return notes


def drum_beat(rng: random.Random, softer: int = 0) -> Notes:
    pattern: dict[int, Sequence[int]] = {
        rng.choice((35, 36, 41, 43, 47, 50, 60, 62, 64)): rng.sample(range(8), 2),
        rng.choice((35, 36)): rng.sample(range(8), 3),
        rng.choice((37, 38, 39, 40)): rng.sample(range(8), 2),
        rng.choice((42, 44, 46, 51, 53, 54, 56, 70)): range(8),
        rng.choice((49, 52, 55, 57)): (0,),
    }
    eighth_s, start_s, notes = rng.uniform(0.16, 0.3), _START_S, Notes()
    while start_s < _LAST_S:
        for drum, eighths in pattern.items():
            hits = [start_s + eighth * eighth_s for eighth in eighths if rng.random() < 0.95]
            notes += [(at_s, at_s + 0.1, drum, rng.randint(70, 120), DRUMS) for at_s in hits]
        if rng.random() < 0.4:
            fill = [(start_s + (6 + i / 2) * eighth_s, drum) for i, drum in enumerate((50, 48, 45, 41))]
            notes += [(at_s, at_s + 0.1, drum, 105, DRUMS) for at_s, drum in fill]
        start_s += 8 * eighth_s
    return [(on, off, midi, max(20, velocity - softer), DRUMS) for on, off, midi, velocity, _ in notes]


def written(name: str) -> Score:
    """A piece of music21's corpus as (onset, length, midi), both in quarter notes."""
    from music21 import corpus

    score = corpus.parse(name).stripTies().flatten()
    return [
        (float(note.offset), float(note.quarterLength), pitch.midi)
        for note in score.notes
        for pitch in note.pitches
        if note.quarterLength > 0
    ]


def performed(rng: random.Random, score: Score) -> Notes:
    """LENGTH_S of a written piece from somewhere, at some tempo."""
    quarter_s = 60 / rng.uniform(66, 120)
    whole_s = max(onset for onset, _, _ in score) * quarter_s
    skipped_s = rng.uniform(0, max(0.0, whole_s - LENGTH_S))
    notes = Notes()
    for onset, length, midi in score:
        start_s = onset * quarter_s - skipped_s
        if start_s >= 0:
            end_s = start_s + max(0.06, length * quarter_s - 0.02)
            notes.append((_START_S + start_s, _START_S + end_s, midi, rng.randint(56, 108), 0))
    return notes


def playable(notes: Notes) -> Notes:
    """What ends before LENGTH_S, in order, with no note struck again before it is let go."""
    kept: dict[tuple[int, int], Notes] = {}
    for on, off, midi, velocity, channel in sorted(notes):
        if off > _LAST_S or not 0 <= midi < 128:
            continue
        earlier = kept.setdefault((channel, midi), Notes())
        if earlier and channel != DRUMS and on < earlier[-1][1] + 0.01:
            before = earlier[-1]
            if on - before[0] < 0.08:
                continue
            earlier[-1] = (before[0], on - 0.015, *before[2:])
        earlier.append((round(on, 3), round(off, 3), midi, min(127, velocity), channel))
    return sorted(note for group in kept.values() for note in group)


def on_channel(notes: Notes, channel: int) -> Notes:
    return [(on, off, midi, velocity, channel) for on, off, midi, velocity, _ in notes]


def transposed(notes: Notes, semitones: int) -> Notes:
    """Without what would leave MIDI's range."""
    moved = [(on, off, midi + semitones, velocity, channel) for on, off, midi, velocity, channel in notes]
    return [note for note in moved if 0 <= note[2] < 128]
