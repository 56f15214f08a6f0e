"""The sets of music: what is trained on, what thresholds are chosen by, and what is only reported on.

Kept out of training and validation: TimGM6mb and the Red Zeppelin drums, UNSEEN_PROGRAMS, UNSEEN_PIECES, and the
pieces of the development set. Validation has the sounds of training, and its own pieces and random material.
"""

import json
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import augment
import drumkits
import numpy as np
import pieces
import rendering
import soundfile
import synthesis
from drumkits import HYDROGEN
from pieces import Notes
from rendering import FREEPATS, RATE_HZ, Sound, Truth


def _bach(*numbers: str) -> tuple[str, ...]:
    return tuple(f"bach/bwv{number}" for number in numbers)


TRAINING_PIECES = _bach(
    *("1.6", "2.6", "3.6", "4.8", "5.7", "11.6", "14.5", "16.6", "17.7", "19.7", "20.7", "24.6", "25.6", "27.6"),
    *("28.6", "29.8", "30.6", "31.9", "32.6", "33.6", "36.8-2", "37.6", "38.6", "39.7", "40.8", "41.6", "42.7"),
    *("43.11", "44.7", "45.7", "846"),
)
VALIDATION_PIECES = _bach("47.5", "48.7", "52.6", "55.5", "56.5", "57.8")
UNSEEN_PIECES = _bach("101.7", "110.7", "145.5", "153.1", "177.5", "187.7", "355", "416")

# General MIDI numbers; without those whose pitch the fonts take otherwise: celesta's octave, organs of 16 feet, bells.
TRAINING_PROGRAMS = (
    0, 0, 0, 1, 2, 4, 4, 5, 6, 7, 11, 12, 14, 16, 16, 19, 20, 21, 24, 24, 24, 25, 25, 25, 26, 26, 27, 27, 28, 29, 30,
    32, 33, 34, 35, 36, 38, 39, 40, 40, 41, 42, 43, 45, 48, 48, 49, 50, 51, 52, 52, 53, 54, 56, 57, 58, 60, 61, 62, 64,
    65, 65, 66, 69, 70, 71, 73, 73, 75, 79, 80, 81, 81, 82, 87, 89, 90, 104, 105, 107,
)  # fmt: skip
UNSEEN_PROGRAMS = (3, 22, 46, 59, 63, 67, 68, 72, 74, 106)
_VARISPEED = (0, 0, 0, 0, -4, -3, -2, -1, 1, 2, 3, 4)  # semitones: other bodies than the soundfonts have
_CHORALE_PROGRAMS = (0, 0, 1, 24, 25, 26, 27, 4, 48, 48, 49, 19, 16, 52, 11, 6, 21, 61)
_BASSES = (32, 33, 34, 35, 36, 38, 39, 43)
_RANGES = (
    dict.fromkeys(range(24, 32), (40, 84)) | dict.fromkeys(range(32, 40), (28, 60))
    | dict.fromkeys((52, 53, 54), (43, 79))
    | {11: (53, 89), 12: (48, 96), 14: (60, 96), 40: (55, 98), 41: (48, 84), 42: (36, 76), 43: (28, 55), 45: (36, 84),
       56: (54, 84), 57: (38, 72), 58: (28, 58), 64: (56, 88), 65: (49, 81), 66: (43, 76), 67: (36, 69), 68: (58, 90),
       69: (52, 81), 70: (34, 70), 71: (50, 86), 72: (74, 105), 73: (60, 96), 74: (72, 98), 75: (60, 96), 79: (60, 96),
       22: (60, 96), 59: (54, 84), 106: (52, 84)}  # beyond them TimGM6mb is a quarter-tone out
)  # fmt: skip


@dataclass(frozen=True)
class Sources:
    soundfonts: tuple[str, ...]
    drums: tuple[tuple[str, tuple[int, ...]], ...]
    programs: tuple[int, ...]
    chorale_programs: tuple[int, ...]
    basses: tuple[int, ...]
    written: tuple[str, ...]
    synthesised: float
    worn: bool
    kinds: tuple[tuple[str, float], ...]


Scores = dict[str, pieces.Score]

_FONTS = ("fluid", "fluid", "musescore", "musescore", "csound", FREEPATS, FREEPATS, "opl3")
_OCTAVE_LOWER = {"csound": {16, 19}}  # organs
_KITS = (
    *(("fluid", (0, 8, 16, 24, 25, 32, 40)), ("musescore", (0, 8, 16, 24, 32, 40)), ("csound", (0,)), ("opl3", (0,))),
    *(("pearl", (0,)), *((HYDROGEN, (0,)),) * 3),
)
_KINDS = (
    *(("mono", 0.22), ("chord", 0.22), ("poly", 0.14), ("stride", 0.06), ("chorale", 0.12)),
    *(("bass", 0.07), ("band", 0.08), ("drums", 0.06), ("noise", 0.03)),
)
_RARER_KINDS = (
    *(("high", 0.2), ("rag", 0.25), ("octaves", 0.25), ("bass", 0.1)),
    *(("chorale", 0.05), ("band", 0.05), ("drums", 0.05), ("noise", 0.05)),
)
_CATEGORIES = dict.fromkeys(("stride", "rag", "octaves", "chorale"), "poly") | {"high": "mono"}
_TRAINED = Sources(
    _FONTS, _KITS, TRAINING_PROGRAMS, _CHORALE_PROGRAMS, _BASSES, TRAINING_PIECES, 0.33, worn=True, kinds=_KINDS
)
SETS = {
    "train": _TRAINED,
    "rarer": replace(_TRAINED, kinds=_RARER_KINDS, synthesised=0.4),
    "validation": replace(_TRAINED, written=VALIDATION_PIECES, synthesised=0.15),
    "unseen": Sources(
        ("timgm",),
        (("timgm", (0,)), ("zeppelin", (0,))),
        (0, 4, 24, 25, 26, 40, 42, 48, 52, 56, 65, 71, 73, *UNSEEN_PROGRAMS),
        (0, 24, 48, 46, 3, 63),
        (32, 33, 35, 43),
        UNSEEN_PIECES,
        synthesised=0,
        worn=False,
        kinds=_KINDS,
    ),
}


@dataclass(frozen=True)
class Item:
    category: str
    instrument: str
    sound: Sound
    truth: Truth
    drums_s: tuple[float, ...] = ()


def item(name: str, number: int, scores: Scores) -> Item:
    """The `number`th of a set: the same every time."""
    sources, rng = SETS[name], random.Random(f"{name} {number}")
    random_ = np.random.default_rng([number, len(name)])
    kinds, shares = zip(*sources.kinds, strict=True)
    (kind,) = rng.choices(kinds, shares)
    if kind == "noise":
        made = Item("noise", "none", np.zeros(augment.FRAMES, np.float32), [])
    else:
        made = _music(rng, random_, sources, kind, scores)
    return _heard(rng, random_, made, sources)


def _music(
    rng: random.Random,
    random_: np.random.Generator,
    sources: Sources,
    kind: str,
    scores: Scores,
) -> Item:
    notes, programs = _played(rng, sources, kind, scores)
    semitones = rng.choice(_VARISPEED) if sources.worn else 0
    beat = kind in {"drums", "band"} or rng.random() < 0.1
    drums = pieces.playable(pieces.drum_beat(rng, softer=0 if kind == "drums" else rng.randint(15, 45))) if beat else []
    if notes and len(programs) == 1 and rng.random() < sources.synthesised:
        sounds_like = synthesis.timbre(rng, random_)
        instrument = sounds_like.kind
        sound, truth = synthesis.play(rng, notes, sounds_like)
    elif notes:
        font = rng.choice(
            [font for font in sources.soundfonts if not _OCTAVE_LOWER.get(font, set()) & {*programs.values()}]
        )
        instrument = f"{font}:{'+'.join(map(str, programs.values()))}{semitones:+}"
        sound, truth = rendering.play(font, pieces.transposed(notes, -semitones), programs)
        sound, truth = augment.varispeed(sound, truth, semitones)
    else:
        instrument, sound, truth = "none", np.zeros(augment.FRAMES, np.float32), []
    if truth and rng.random() < 0.75:
        spread = rng.choice((6, 20, 48, 48))
        sound, truth = augment.detune(sound, truth, rng.uniform(-spread, spread) if sources.worn else 0)
    sound = augment.fit(sound)
    if drums:
        font, kits = rng.choice(sources.drums)
        beaten = (
            drumkits.play(rng, drums)
            if font == HYDROGEN
            else rendering.play(font, drums, {pieces.DRUMS: rng.choice(kits)})[0]
        )
        under_db = rng.uniform(-12, 3) if notes else 0
        sound = augment.to_peak(sound, 0) + augment.to_peak(augment.fit(beaten), under_db)
        instrument += f" {font} drums"
    category = _CATEGORIES.get(kind, kind)
    return Item("band" if drums and notes else category, instrument, sound, truth, tuple(on for on, *_ in drums))


def _played(rng: random.Random, sources: Sources, kind: str, scores: Scores) -> tuple[Notes, dict[int, int]]:
    program = rng.choice(sources.programs)
    lowest, highest = _RANGES.get(program, (33, 100))
    match kind:
        case "mono":
            fast = rng.choice(((0.12, 0.6), (0.1, 0.25), (0.25, 1.2)))
            middle = rng.randint(lowest, highest)
            span = (lowest, highest) if rng.random() < 0.5 else (max(lowest, middle - 14), min(highest, middle + 14))
            notes = pieces.melody(rng, *span, *fast)
        case "chord":
            notes = pieces.chords(rng, max(lowest, 36), min(highest + 4, 96))
        case "poly":
            notes = pieces.voices(rng, lowest, highest)
        case "high":
            notes = pieces.melody(rng, 72, 108, 0.12, 0.8)
            program = rng.choice([p for p in sources.programs if p < 16])
        case "octaves":
            notes = pieces.doubled(rng, max(lowest, 40), min(highest, 96))
        case "stride" | "rag":
            notes = pieces.stride(rng) if kind == "stride" else pieces.stride(rng, doubled=0.65)
            program = rng.choice([p for p in sources.chorale_programs if p < 8])
        case "chorale":
            notes, program = (
                pieces.performed(rng, scores[rng.choice(sources.written)]),
                rng.choice(sources.chorale_programs),
            )
        case "bass":
            notes, program = pieces.bass_line(rng), rng.choice(sources.basses)
        case "band":
            return _band(rng, sources, program, scores)
        case _:
            return [], {}
    return pieces.playable(notes), {0: program}


def _band(rng: random.Random, sources: Sources, program: int, scores: Scores) -> tuple[Notes, dict[int, int]]:
    accompaniment = rng.choice(("chords", "chorale", "melody"))
    programs = {0: rng.choice(sources.chorale_programs), 1: rng.choice(sources.basses)}
    notes = pieces.on_channel(pieces.bass_line(rng), 1)
    if accompaniment == "chorale":
        score = pieces.performed(rng, scores[rng.choice(sources.written)])
        notes += [note for note in score if note[2] >= 55]
    elif accompaniment == "chords":
        notes += pieces.chords(rng, 48, 84)
    if accompaniment != "chorale" or rng.random() < 0.3:
        lowest, highest = _RANGES.get(program, (55, 96))
        programs[2] = program
        notes += pieces.on_channel(pieces.melody(rng, max(55, lowest), max(72, highest), 0.15, 0.8), 2)
    return _no_unisons(pieces.playable(notes)), programs


def _no_unisons(notes: Notes) -> Notes:
    """Without a note that another instrument already plays: the truth knows one of each pitch."""
    kept: dict[int, Notes] = {}
    for note in notes:
        earlier = kept.setdefault(note[2], [])
        if all(note[0] > other[1] + 0.02 or note[1] < other[0] - 0.02 for other in earlier):
            earlier.append(note)
    return sorted(note for group in kept.values() for note in group)


def _heard(rng: random.Random, random_: np.random.Generator, made: Item, sources: Sources) -> Item:
    sound = made.sound
    if made.category != "noise":
        if sources.worn:
            sound = augment.worn(rng, random_, sound)
        sound = augment.to_peak(sound, rng.uniform(-30, -2) if sources.worn else rng.choice((-6, -9, -12, -15)))
    colour = rng.choice((0, 1, 1, 2))
    if made.category == "noise":
        sound = sound + augment.noise(random_, rng.uniform(-75, -36), colour)
    elif sources.worn and rng.random() < 0.7:
        sound = sound + augment.noise(random_, rng.uniform(-85, -50), colour)
    else:
        sound = sound + augment.noise(random_, -76, 0)
    if rng.random() < (0.5 if made.category == "noise" else 0.1 if sources.worn else 0):
        sound = sound + augment.hum(random_, rng.choice((50, 60)) * rng.uniform(0.998, 1.002), rng.uniform(-68, -40))
    if sources.worn and rng.random() < 0.12:
        sound = augment.opus(np.clip(sound, -1, 1).astype(np.float32), rng.choice((64, 96, 128)))
    return Item(made.category, made.instrument, np.clip(sound, -1, 1).astype(np.float32), made.truth, made.drums_s)


def render(folder: Path, name: str, numbers: range) -> Iterator[Path]:
    """Write what of a set is not yet in `folder`, as the scorer reads it: NAME.flac and NAME.json."""
    folder.mkdir(parents=True, exist_ok=True)
    scores = {piece: _score(folder.parent / "scores", piece) for piece in SETS[name].written}
    for number in numbers:
        path = folder / f"{number:04}.flac"
        if not path.with_suffix(".json").exists():
            one = item(name, number, scores)
            soundfile.write(path, one.sound, RATE_HZ, subtype="PCM_16")
            notes = [[round(value, 4) for value in note] for note in one.truth]
            about = {"category": one.category, "instrument": one.instrument, "notes": notes, "drum_onsets": one.drums_s}
            path.with_suffix(".json").write_text(json.dumps(about))
        yield path


def _score(folder: Path, piece: str) -> pieces.Score:
    folder.mkdir(exist_ok=True)
    path = folder / f"{piece.replace('/', '-')}.json"
    if not path.exists():
        part = path.with_suffix(f".{os.getpid()}")  # several processes may come here at once
        part.write_text(json.dumps(pieces.written(piece)))
        part.replace(path)
    return [(onset, length, midi) for onset, length, midi in json.loads(path.read_text())]
