"""A set of pieces made here, with the truth about them: phrases by chance, played by fluidsynth.

    python -m tests.bench.note_set DIRECTORY [SOUNDFONT]

Nothing of it is used for training: neither phrases nor, as long as that keeps off it, the soundfont. Every note is also
rendered alone, since only that tells when it can be heard: from -20 dB of its envelope until -40 dB, its release until
-28 dB.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

import mido
import numpy as np
import soundfile
from numpy.typing import NDArray

from jambridge.units import SAMPLE_RATE_HZ
from tests.bench.truth import TrueNote

SOUNDFONT = Path("/usr/share/sounds/sf2/TimGM6mb.sf2")  # of Debian's timgm6mb-soundfont
SEED = 20
SECONDS = 12.0

_DRUMS = 9  # the MIDI channel
_BEGIN_S = 0.3
_GAIN = "0.6"
_ALONE_APART_S = 0.7
_STEP, _SPAN = SAMPLE_RATE_HZ // 500, SAMPLE_RATE_HZ // 200  # of the envelope: every 2 ms, over 5 ms
_LAG_S = 0.0025
_PEAK_WITHIN_S = 0.6
_BEGUN, _GONE, _RELEASED = 0.1, 0.01, 0.04  # of the envelope's peak
_FIELDS = ["onset_s", "offset_s", "midi", "vel", "attack_s", "audible_end_s", "release_end_s"]

Sound = NDArray[np.float32]


class Played(NamedTuple):
    begins_s: float
    over_s: float
    midi: int
    velocity: int
    channel: int = 0


Phrase = Callable[[Random], list[Played]]
_SCALE = (0, 2, 4, 5, 7, 9, 11)
_CHORDS = ((0, 4, 7), (0, 3, 7), (0, 4, 7, 10), (0, 3, 7, 10), (0, 4, 7, 11), (0, 5, 7), (0, 3, 6, 9))


def melody(lowest: int, highest: int, fastest_s: float) -> Phrase:
    def phrase(chance: Random) -> list[Played]:
        key, at_s, notes = chance.randrange(12), _BEGIN_S, list[Played]()
        pitches = [note for note in range(lowest, highest + 1) if (note - key) % 12 in _SCALE]
        place = len(pitches) // 2
        while at_s < SECONDS - 1:
            place = min(max(place + chance.choice((-4, -3, -2, -1, -1, 1, 1, 2, 3, 5)), 0), len(pitches) - 1)
            length_s = fastest_s * chance.choice((1, 1, 2, 2, 3, 4))
            notes.append(Played(at_s, at_s + length_s * chance.choice((0.5, 0.8, 0.95)), pitches[place], _soft(chance)))
            at_s += length_s * chance.choice((1, 1, 1, 1, 1.5))
        return notes

    return phrase


def chords(lowest: int, *, spread: bool) -> Phrase:
    def phrase(chance: Random) -> list[Played]:
        at_s, notes = _BEGIN_S, list[Played]()
        while at_s < SECONDS - 1.5:
            root, length_s = lowest + chance.randrange(12), chance.choice((0.5, 0.75, 1.0, 1.5))
            kinds = ((0, 4, 7), (0, 3, 7), (0, 4, 7, 10), (0, 3, 7, 10), (0, 4, 7, 11), (0, 5, 7), (0, 3, 6, 9))
            tones = [
                root + tone + (12 if spread and index % 2 else 0) for index, tone in enumerate(chance.choice(kinds))
            ]
            if spread:
                tones.append(root - 12)
            velocity = _soft(chance)
            notes += [Played(at_s, at_s + 0.9 * length_s, tone, velocity) for tone in tones]
            at_s += length_s
        return notes

    return phrase


def voices(*ranges: tuple[int, int], fastest_s: float) -> Phrase:
    """As many melodies as ranges, without unisons."""

    def phrase(chance: Random) -> list[Played]:
        together: list[Played] = []
        for lowest, highest in ranges:
            for note in melody(lowest, highest, fastest_s)(chance):
                meets = [o for o in together if o.midi == note.midi and _overlap(o, note)]
                together += [] if meets else [note]
        return together

    return phrase


def drums(chance: Random) -> list[Played]:
    beat_s, at_s, hits = chance.uniform(0.4, 0.6), _BEGIN_S, list[Played]()
    kick, snare, hat, tom, crash = 36, 38, 42, 45, 49
    for eighth in range(int((SECONDS - 1.5) / beat_s * 2)):
        struck = {hat} | ({kick} if eighth % 4 == 0 else set()) | ({snare} if eighth % 4 == 2 else set())
        struck |= {chance.choice((kick, tom, crash))} if chance.random() < 0.2 else set()
        hits += [Played(at_s, at_s + 0.1, drum, _soft(chance), _DRUMS) for drum in sorted(struck)]
        at_s += beat_s / 2
    return hits


def band(chance: Random) -> list[Played]:
    bass = [note._replace(channel=1) for note in melody(28, 45, 0.3)(chance)]
    guitar = [note._replace(channel=2) for note in chords(52, spread=False)(chance)]
    return [*melody(64, 81, 0.25)(chance), *bass, *guitar, *drums(chance)]


# Name: category, General MIDI programs by channel, phrase.
PIECES: dict[str, tuple[str, dict[int, int], Phrase]] = {
    "mono_epiano": ("mono", {0: 4}, melody(48, 84, 0.2)),
    "mono_piano_high": ("mono", {0: 1}, melody(74, 100, 0.15)),
    "mono_guitar": ("mono", {0: 25}, melody(43, 76, 0.2)),
    "mono_overdriven": ("mono", {0: 29}, melody(43, 74, 0.2)),
    "mono_clarinet": ("mono", {0: 71}, melody(52, 84, 0.25)),
    "mono_trumpet": ("mono", {0: 56}, melody(56, 80, 0.25)),
    "mono_cello": ("mono", {0: 42}, melody(38, 64, 0.3)),
    "mono_vibraphone": ("mono", {0: 11}, melody(55, 86, 0.2)),
    "chord_piano": ("chord", {0: 0}, chords(52, spread=True)),
    "chord_guitar": ("chord", {0: 24}, chords(52, spread=True)),
    "chord_brass": ("chord", {0: 61}, chords(55, spread=False)),
    "chord_epiano": ("chord", {0: 5}, chords(52, spread=True)),
    "chord_organ": ("organ", {0: 16}, chords(55, spread=False)),
    "poly_piano": ("poly", {0: 0}, voices((40, 55), (57, 69), (70, 86), fastest_s=0.2)),
    "poly_harp": ("poly", {0: 46}, voices((43, 60), (62, 84), fastest_s=0.15)),
    "poly_strings": ("poly", {0: 48}, voices((40, 52), (53, 64), (65, 77), fastest_s=0.35)),
    "poly_woodwinds": ("poly", {0: 71}, voices((50, 62), (64, 80), fastest_s=0.25)),
    "bass_picked": ("bass", {0: 34}, melody(28, 48, 0.2)),
    "bass_fretless": ("bass", {0: 35}, melody(28, 48, 0.3)),
    "band": ("band", {0: 65, 1: 33, 2: 27, _DRUMS: 0}, band),
    "drums": ("drums", {_DRUMS: 0}, drums),
}


def render(directory: Path, soundfont: Path = SOUNDFONT) -> None:
    """Write every piece, and what is no music."""
    directory.mkdir(parents=True, exist_ok=True)
    for index, (name, (category, programs, phrase)) in enumerate(PIECES.items()):
        notes = phrase(Random(SEED + index))
        truth, drums_s = _truth(notes, programs, soundfont)
        _write(directory, name, category, _played(notes, programs, soundfont), truth, drums_s)
    for name, sound in no_music().items():
        _write(directory, name, "noise", sound, [], [])


def no_music() -> dict[str, Sound]:
    rng, frames = np.random.default_rng(SEED), round(SECONDS * SAMPLE_RATE_HZ)
    times_s = np.arange(frames) / SAMPLE_RATE_HZ
    spectrum = np.fft.rfft(rng.standard_normal(frames)) / np.sqrt(np.maximum(1, np.arange(frames // 2 + 1)))
    waves = {"silence": np.zeros(frames), "pink45": _at_db(-45, np.fft.irfft(spectrum))}
    waves["white50"] = _at_db(-50, rng.standard_normal(frames))
    for mains_hz in (50, 60):
        partials = [np.sin(2 * np.pi * k * mains_hz * times_s + k) / k for k in range(1, 9)]
        waves[f"hum{mains_hz}"] = _at_db(-45, np.sum(partials, axis=0)) + _at_db(-70, rng.standard_normal(frames))
    return {name: wave.astype(np.float32) for name, wave in waves.items()}


def _at_db(rms_db: float, wave: NDArray[np.float64]) -> NDArray[np.float64]:
    scaled: NDArray[np.float64] = wave * 10 ** (rms_db / 20) / np.sqrt(np.mean(wave**2))
    return scaled


def _soft(chance: Random) -> int:
    return chance.choice((48, 64, 80, 96, 112))


def _overlap(one: Played, other: Played) -> bool:
    return one.begins_s < other.over_s + 0.1 and other.begins_s < one.over_s + 0.1


def _truth(notes: Sequence[Played], programs: dict[int, int], soundfont: Path) -> tuple[list[TrueNote], list[float]]:
    """Of each note by one like it played alone, as long as the longest."""
    longest: dict[tuple[int, int, int], float] = {}
    for note in notes:
        like = (note.channel, note.midi, note.velocity)
        longest[like] = max(longest.get(like, 0), note.over_s - note.begins_s)
    alone, at_s = dict[tuple[int, int, int], Played](), 0.1
    for (channel, midi, velocity), length_s in longest.items():
        alone[channel, midi, velocity] = Played(at_s, at_s + length_s, midi, velocity, channel)
        at_s += length_s + _ALONE_APART_S
    sound = _played(alone.values(), programs, soundfont)
    heard = {like: _heard(sound, note) for like, note in alone.items()}
    truth, drums_s = list[TrueNote](), list[float]()
    for note in sorted(notes):
        attack_s, lasts_s, release_s = heard[note.channel, note.midi, note.velocity]
        if note.channel == _DRUMS:
            drums_s.append(round(note.begins_s + attack_s, 4))
            continue
        end_s = min(note.over_s, note.begins_s + lasts_s)
        times = (note.begins_s, note.over_s, attack_s, end_s, note.over_s + release_s)
        begins_s, over_s, attack_s, end_s, release_end_s = (round(time_s, 4) for time_s in times)
        truth.append(TrueNote(begins_s, over_s, note.midi, note.velocity, attack_s, end_s, release_end_s))
    return truth, drums_s


def _heard(sound: Sound, note: Played) -> tuple[float, float, float]:
    """Seconds from its begin to its attack and to its last audible moment, and from its end to that of its release."""
    first, over = round(note.begins_s * SAMPLE_RATE_HZ), round(note.over_s * SAMPLE_RATE_HZ)
    held = _envelope(sound[first : over + SAMPLE_RATE_HZ // 20])
    peak = held[: round(_PEAK_WITHIN_S * SAMPLE_RATE_HZ) // _STEP].max() + 1e-9
    release = _envelope(sound[over : over + round((_ALONE_APART_S - 0.05) * SAMPLE_RATE_HZ)])
    step_s = _STEP / SAMPLE_RATE_HZ
    ringing = np.flatnonzero(release > peak * _RELEASED)
    return (
        max(0.0, float(np.argmax(held >= peak * _BEGUN)) * step_s - _LAG_S),
        float(np.flatnonzero(held > peak * _GONE)[-1]) * step_s,
        float(ringing[-1]) * step_s if len(ringing) else 0.0,
    )


def _envelope(sound: Sound) -> NDArray[np.float64]:
    """RMS over the _SPAN before every _STEP, counted from the first frame."""
    power = np.cumsum(np.concatenate([np.zeros(_SPAN + 1), sound.astype(np.float64) ** 2]))
    ends = np.arange(_SPAN, len(power), _STEP)
    rms: NDArray[np.float64] = np.sqrt(np.maximum(0, power[ends] - power[ends - _SPAN]) / _SPAN)
    return rms


def _played(notes: Iterable[Played], programs: dict[int, int], soundfont: Path) -> Sound:
    """By fluidsynth without room and chorus; one channel."""
    with tempfile.TemporaryDirectory() as folder:
        midi, wave = Path(folder) / "piece.mid", Path(folder) / "piece.wav"
        _midi_file(notes, programs).save(midi)
        settings = ["-ni", "-q", "-R", "0", "-C", "0", "-g", _GAIN, "-r", str(SAMPLE_RATE_HZ)]
        subprocess.run(
            ["fluidsynth", *settings, "-F", wave, soundfont, midi],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        sound, _ = soundfile.read(wave, dtype="float32", always_2d=True)
    mono: Sound = sound.mean(axis=1)
    return mono


def _midi_file(notes: Iterable[Played], programs: dict[int, int]) -> mido.MidiFile:
    """A tick is a millisecond."""
    file = mido.MidiFile(ticks_per_beat=1000)
    track = file.add_track()
    track.append(mido.MetaMessage("set_tempo", tempo=1_000_000))
    for channel, program in programs.items():
        track.append(mido.Message("program_change", channel=channel, program=program))
    events = [(round(note.over_s * 1000), 0, note) for note in notes]
    events += [(round(note.begins_s * 1000), note.velocity, note) for note in notes]
    now = 0
    for tick, velocity, note in sorted(events):
        message = mido.Message("note_on", channel=note.channel, note=note.midi, velocity=velocity, time=tick - now)
        track.append(message)
        now = tick
    track.append(mido.MetaMessage("end_of_track", time=300))
    return file


def _write(
    directory: Path, name: str, category: str, sound: Sound, truth: list[TrueNote], drums_s: list[float]
) -> None:
    soundfile.write(directory / f"{name}.flac", sound, SAMPLE_RATE_HZ, subtype="PCM_16")
    told = {"name": name, "category": category, "sr": SAMPLE_RATE_HZ, "fields": _FIELDS}
    told |= {"notes": truth, "drum_onsets": drums_s}
    (directory / f"{name}.json").write_text(json.dumps(told))


if __name__ == "__main__":
    render(*map(Path, sys.argv[1:]))
