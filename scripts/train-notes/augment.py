"""What happens to music on its way to a microphone: tuning, gain, rooms, noise, codecs. Pure but for Opus."""

import random
import subprocess

import numpy as np
import soxr
from numpy.typing import NDArray
from pieces import LENGTH_S
from rendering import RATE_HZ, Sound, Truth

FRAMES = round(LENGTH_S * RATE_HZ)


def detune(sound: Sound, truth: Truth, cents: float) -> tuple[Sound, Truth]:
    """Played faster or slower, so that everything is `cents` higher or lower; the truth keeps its notes."""
    faster = 2 ** (cents / 1200)
    changed = soxr.resample(sound, RATE_HZ * faster, RATE_HZ, quality="HQ").astype(np.float32)
    moved = [[on / faster, off / faster, midi, vel, att / faster, end / faster, ring / faster]
             for on, off, midi, vel, att, end, ring in truth]  # fmt: skip
    return changed, moved


def varispeed(sound: Sound, truth: Truth, semitones: int) -> tuple[Sound, Truth]:
    """Played so much faster or slower that every note is another; what resonates in the instrument moves with it."""
    if not semitones:
        return sound, truth
    changed, moved = detune(sound, truth, 100 * semitones)
    return changed, [[on, off, midi + semitones, *rest] for on, off, midi, *rest in moved]


def fit(sound: Sound) -> Sound:
    """Cut or filled up to LENGTH_S."""
    return np.pad(sound[:FRAMES], (0, max(0, FRAMES - len(sound))))


def _decibels(gain_db: float) -> float:
    return float(10 ** (gain_db / 20))


def to_peak(sound: Sound, peak_db: float) -> Sound:
    peak = float(np.abs(sound).max())
    return sound * np.float32(_decibels(peak_db) / peak) if peak > 0 else sound


def equalise(sound: Sound, random_: np.random.Generator, spread_db: float = 2.0) -> Sound:
    """A random walk of gains over the octaves."""
    spectrum = np.fft.rfft(sound)
    octaves = np.log2(np.maximum(np.fft.rfftfreq(len(sound), 1 / RATE_HZ), 30) / 30)
    gains_db = np.cumsum(random_.standard_normal(10)) * spread_db
    curve_db = np.interp(octaves, np.arange(10), gains_db - gains_db.mean())
    return np.fft.irfft(spectrum * 10 ** (curve_db / 20), len(sound)).astype(np.float32)


def overdrive(sound: Sound, drive_db: float) -> Sound:
    return np.tanh(to_peak(sound, 0) * np.float32(_decibels(drive_db))) * np.float32(0.5)


def compress(sound: Sound, ratio: float) -> Sound:
    """Loud passages made softer, by the level of the last 100 ms, above -30 dB of the peak."""
    block = RATE_HZ // 100
    levels = np.sqrt(np.square(to_peak(sound, 0)[: len(sound) // block * block].reshape(-1, block)).mean(axis=1) + 1e-9)
    followed = np.empty_like(levels)
    now = 0.0
    for index, level in enumerate(levels.tolist()):
        now = max(level, now * 0.9)
        followed[index] = now
    over_db = np.maximum(0, 20 * np.log10(followed) + 30)
    gain = 10 ** (-over_db * (1 - 1 / ratio) / 20)
    return (sound * np.interp(np.arange(len(sound)), np.arange(len(gain)) * block, gain)).astype(np.float32)


def room(sound: Sound, random_: np.random.Generator, reverberation_s: float, wet_db: float) -> Sound:
    """Early reflections and an exponential tail that falls 60 dB in `reverberation_s`."""
    frames = round(reverberation_s * RATE_HZ)
    times_s = np.arange(frames) / RATE_HZ
    response = random_.standard_normal(frames) * 10 ** (-3 * times_s / reverberation_s)
    response[: RATE_HZ // 200] = 0
    response *= _decibels(wet_db) / np.sqrt(np.square(response).sum())
    response[0] = 1
    size = 1 << (len(sound) + frames).bit_length()
    return np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(response, size), size)[: len(sound)].astype(np.float32)


def noise(random_: np.random.Generator, rms_db: float, colour: float) -> Sound:
    """White at colour 0, pink at 1, brown at 2."""
    spectrum = np.fft.rfft(random_.standard_normal(FRAMES))
    spectrum /= np.maximum(np.fft.rfftfreq(FRAMES, 1 / RATE_HZ), 20) ** (colour / 2)
    return _at(rms_db, np.fft.irfft(spectrum, FRAMES))


def hum(random_: np.random.Generator, mains_hz: float, rms_db: float) -> Sound:
    times_s = np.arange(FRAMES) / RATE_HZ
    amplitudes = np.array([1, 0.35, 0.5, 0.1, 0.25, 0.05, 0.12, 0.03]) * 10 ** (random_.standard_normal(8) * 6 / 20)
    phases = random_.random(8) * 2 * np.pi
    waves = [
        a * np.sin(2 * np.pi * mains_hz * (h + 1) * times_s + p)
        for h, (a, p) in enumerate(zip(amplitudes, phases, strict=True))
    ]
    return _at(rms_db, np.sum(waves, axis=0))


def _at(rms_db: float, waves: NDArray[np.float64]) -> Sound:
    return (waves * (_decibels(rms_db) / np.sqrt(np.mean(waves**2)))).astype(np.float32)


def opus(sound: Sound, kbit_s: int = 128) -> Sound:
    """Through libopus, as sent between bridges."""
    raw = ["-f", "f32le", "-ar", str(RATE_HZ), "-ac", "1"]
    coding = [
        "-c:a",
        "libopus",
        "-b:a",
        f"{kbit_s}k",
        "-application",
        "audio",
        "-frame_duration",
        "20",
        "-f",
        "ogg",
        "-",
    ]
    coded = subprocess.run(
        ["ffmpeg", "-v", "error", *raw, "-i", "-", *coding], input=sound.tobytes(), capture_output=True, check=True
    ).stdout
    decoded = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", "-", *raw, "-"], input=coded, capture_output=True, check=True
    ).stdout
    return np.pad(np.frombuffer(decoded, np.float32), (0, RATE_HZ))[: len(sound)]


def worn(rng: random.Random, random_: np.random.Generator, sound: Sound) -> Sound:
    """The chain of a random performance, without noise."""
    if rng.random() < 0.08:
        sound = overdrive(sound, rng.uniform(0, 22))
    if rng.random() < 0.15:
        sound = compress(sound, rng.uniform(1.5, 5))
    if rng.random() < 0.6:
        sound = equalise(sound, random_)
    if rng.random() < 0.3:
        sound = room(sound, random_, rng.uniform(0.15, 0.9), rng.uniform(-22, -5))
    return sound
