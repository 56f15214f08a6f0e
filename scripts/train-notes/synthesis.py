"""Instruments that no soundfont has: additive, FM, organ, sine, saw and square, voice. Pure."""

import random
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pieces import LENGTH_S, Notes
from rendering import RATE_HZ, Sound, Truth

Waves = NDArray[np.float64]

_HIGHEST_HZ = 12_000
_MOST_PARTIALS = 40
_VOWELS_HZ = ((730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480), (570, 840, 2410))


@dataclass(frozen=True)
class Timbre:
    """`partials_db` are random deviations; `decay_s` 0 is a sound held as long as the note."""

    kind: str
    tilt: float
    partials_db: Waves
    stretch: float
    attack_s: float
    decay_s: float
    release_s: float
    vibrato: float
    fm_index: float
    fm_ratio: float
    vowel: int
    drawbars: Waves


def timbre(rng: random.Random, random_: np.random.Generator) -> Timbre:
    kind = rng.choice(("additive", "additive", "odd", "fm", "organ", "pure", "saw", "square", "voice"))
    held = kind in {"organ", "pure", "voice"} or rng.random() < 0.35
    voice = kind == "voice"
    return Timbre(
        kind,
        tilt=rng.uniform(0.4, 2.2),
        partials_db=random_.standard_normal(_MOST_PARTIALS) * rng.uniform(1, 8),
        stretch=0 if held else rng.choice((0, 1e-4, 4e-4)),
        attack_s=rng.choice((0.02, 0.04, 0.07) if voice else (0.002, 0.004, 0.008, 0.02, 0.05)),
        decay_s=0 if held else rng.choice((0.25, 0.6, 1.2, 2.5)),
        release_s=rng.uniform(0.02, 0.22),
        vibrato=rng.choice((0.003, 0.008, 0.012)) if voice else rng.choice((0, 0, 0.003, 0.006)),
        fm_index=rng.uniform(0.5, 4),
        fm_ratio=rng.choice((1, 1, 2, 3)),
        vowel=rng.randrange(len(_VOWELS_HZ)),
        drawbars=np.array([1.0, *(random_.random(8) * (random_.random(8) < 0.6))]),
    )


def play(rng: random.Random, notes: Notes, sounds_like: Timbre) -> tuple[Sound, Truth]:
    """The piece, shape (frames,), and its truth, which is known here rather than measured."""
    sound, truth = np.zeros(round((LENGTH_S + 2) * RATE_HZ)), []
    for on, off, midi, velocity, _ in notes:
        first = round(on * RATE_HZ)
        wave = _note(rng, sounds_like, midi, off - on) * (velocity / 127) ** 1.5
        sound[first : first + len(wave)] += wave[: len(sound) - first]
        lasts_s = 4.6 * sounds_like.decay_s if sounds_like.decay_s else np.inf
        attack_s = 0.1 * sounds_like.attack_s
        truth.append([on, off, midi, velocity, attack_s, min(off, on + lasts_s), off + 0.8 * sounds_like.release_s])
    return sound[: round(LENGTH_S * RATE_HZ)].astype(np.float32), truth


def _note(rng: random.Random, sounds_like: Timbre, midi: int, held_s: float) -> Waves:
    times_s = np.arange(round((held_s + 1.2 * sounds_like.release_s) * RATE_HZ)) / RATE_HZ
    frequency_hz = 440 * 2 ** ((midi - 69) / 12)
    bend = sounds_like.vibrato / (2 * np.pi * 5.5) * np.sin(2 * np.pi * 5.5 * times_s + rng.random() * 6)
    phase = 2 * np.pi * frequency_hz * (times_s + bend * np.minimum(1, times_s / 0.2))
    wave = (
        _fm(sounds_like, phase, times_s)
        if sounds_like.kind == "fm"
        else _additive(rng, sounds_like, phase, times_s, frequency_hz)
    )
    envelope = np.minimum(1, times_s / sounds_like.attack_s)
    if sounds_like.decay_s:
        envelope *= np.exp(-times_s / sounds_like.decay_s)
    envelope *= np.exp(-4 * np.maximum(0, times_s - held_s) / sounds_like.release_s)
    return wave * envelope


def _fm(sounds_like: Timbre, phase: Waves, times_s: Waves) -> Waves:
    fading = np.exp(-times_s * sounds_like.tilt) if sounds_like.decay_s else 1.0
    wave: Waves = np.sin(phase + sounds_like.fm_index * fading * np.sin(phase * sounds_like.fm_ratio))
    return wave


def _additive(rng: random.Random, sounds_like: Timbre, phase: Waves, times_s: Waves, frequency_hz: float) -> Waves:
    wave = np.zeros_like(times_s)
    for partial in range(1, _MOST_PARTIALS + 1):
        stretched = partial * np.sqrt(1 + sounds_like.stretch * partial**2)
        if frequency_hz * stretched > _HIGHEST_HZ:
            break
        amplitude = _amplitude(sounds_like, partial, frequency_hz * stretched)
        if amplitude < 1e-4:
            continue
        part = amplitude * np.sin(phase * stretched + rng.random() * 2 * np.pi)
        wave += part * np.exp(-times_s * partial * 0.3) if sounds_like.decay_s else part
    return wave / max(1.0, float(np.abs(wave).max(initial=0)))


def _amplitude(sounds_like: Timbre, partial: int, at_hz: float) -> float:
    deviation = float(10 ** (sounds_like.partials_db[partial - 1] / 20))
    match sounds_like.kind:
        case "organ":
            drawn = {1: 0, 2: 1, 3: 2, 4: 3, 5: 4, 6: 5, 8: 6, 10: 7, 12: 8}
            return float(sounds_like.drawbars[drawn[partial]]) if partial in drawn else 0.0
        case "pure":
            return 1.0 if partial == 1 else 0.0
        case "saw":
            return 1 / partial
        case "square":
            return 1 / partial if partial % 2 else 0.002
        case "voice":
            formants_hz = np.array(_VOWELS_HZ[sounds_like.vowel])
            heard = (np.array((1, 0.6, 0.35)) * np.exp(-(((at_hz - formants_hz) / 160) ** 2) / 2)).sum()
            return float(heard + 0.06) / partial**0.6
        case "odd":
            return deviation * partial**-sounds_like.tilt * (1 if partial % 2 else 0.15)
        case _:
            return deviation * partial**-sounds_like.tilt
