"""Recordings made here, whose lag is known: claps in a noisy room, and a photodiode of some kind, or a camera."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from scipy.signal import lfilter

from jambridge.errors import UnavailableError
from jambridge.light import calibration, film
from jambridge.light.calibration import attacks, brightness, lag, loudness

RATE = 48_000
CLAPS_S = np.cumsum(np.random.default_rng(1).uniform(0.6, 1.1, 10))
LENGTH = int((CLAPS_S[-1] + 1) * RATE)
FLASH_S = 0.16

Signal = NDArray[np.float32]


def at() -> NDArray[np.float64]:
    return np.arange(LENGTH) / RATE


def claps(noise: float = 0.0, echo: float = 0.0) -> Signal:
    random = np.random.default_rng(2)
    sound = noise * random.normal(size=LENGTH)
    for clap_s in CLAPS_S:
        for late_s, gain in ((0.0, 0.5), (0.02, 0.5 * echo), (0.045, 0.3 * echo)):
            start = round((clap_s + late_s) * RATE)
            sound[start : start + 4800] += gain * random.normal(size=4800) * np.exp(-np.arange(4800) / 480)
    return np.clip(sound, -1, 1).astype(np.float32)


def flashes(lag_s: float, fade_s: float = 0.08) -> NDArray[np.float64]:
    """0..1, as the strip has it."""
    light = np.zeros(LENGTH)
    for clap_s in CLAPS_S:
        since = at() - clap_s - lag_s
        light += np.where(since >= 0, np.clip((FLASH_S - since) / fade_s, 0, 1), 0)
    return light


def diode(light: NDArray[np.float64], kind: str) -> Signal:
    noise = 0.004 * np.random.default_rng(3).normal(size=LENGTH)
    match kind:
        case "upside down":
            return (0.4 - 0.3 * light + noise).astype(np.float32)
        case "through a capacitor":  # a card's input: 10 Hz
            pole = np.exp(-2 * np.pi * 10 / RATE)
            seen = lfilter([pole, -pole], [1, -pole], light)
            return np.asarray(0.3 * seen + noise, np.float32)
        case "pulses":  # WLED's own dimming, 10 kHz
            return (0.3 * (light > (at() * 10_000) % 1) + noise).astype(np.float32)
        case "a lamp beside it":  # at 50 Hz
            return (0.3 * light + 0.1 * np.sin(2 * np.pi * 100 * at()) ** 2 + noise).astype(np.float32)
    return (0.3 * light + noise).astype(np.float32)


KINDS = ["straight", "upside down", "through a capacitor", "pulses", "a lamp beside it"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lag_s", [0.0432, -0.05])
def test_a_photodiode_tells_the_lag_to_a_millisecond(kind: str, lag_s: float) -> None:
    found = lag(attacks(loudness(claps(0.002))), attacks(brightness(diode(flashes(lag_s), kind))))

    assert found.lag_s == pytest.approx(lag_s, abs=1.5e-3)
    assert found.pairs == len(CLAPS_S)
    assert found.spread_s < 1e-3


def test_a_noisy_room_with_an_echo() -> None:
    found = lag(attacks(loudness(claps(0.03, echo=0.8))), attacks(brightness(diode(flashes(0.03), "straight"))))

    assert found.lag_s == pytest.approx(0.03, abs=2e-3)
    assert found.pairs >= 8


def test_a_strip_that_is_lit_by_others_as_well_and_misses_some() -> None:
    light = flashes(0.06)
    light[: int(CLAPS_S[1] * RATE)] = 0
    for other_s in CLAPS_S[2:8] + 0.33:
        light[round(other_s * RATE) :][:2400] = 1

    found = lag(attacks(loudness(claps(0.002))), attacks(brightness(diode(light, "straight"))))

    assert found.lag_s == pytest.approx(0.06, abs=2e-3)


def random_flashes(count: int) -> NDArray[np.float64]:
    return np.sort(np.random.default_rng(7).uniform(0, CLAPS_S[-1], count))


@pytest.mark.parametrize(
    ("sound", "light", "says"),
    [
        (np.empty(0), CLAPS_S, "no attacks are heard"),
        (CLAPS_S, np.empty(0), "no flashes are seen"),
        (CLAPS_S, CLAPS_S[:2], "2 flashes are seen"),
        (CLAPS_S, random_flashes(12), "does not go with the sound"),
    ],
)
def test_what_shows_nothing_is_said(sound: calibration.Seconds, light: calibration.Seconds, says: str) -> None:
    with pytest.raises(UnavailableError, match=says):
        lag(sound, light)


def test_silence_and_darkness_have_no_attacks() -> None:
    assert len(attacks(loudness(np.zeros(RATE, np.float32)))) == 0
    assert len(attacks(brightness(np.zeros(0, np.float32)))) == 0
    noise = np.random.default_rng(1).normal(size=20 * RATE).astype(np.float32)
    found = attacks(loudness(0.1 * noise))
    assert len(found) < 3


def filmed(path: Path, lag_s: float, fps: float, exposure: float, *, sound: bool = True, uneven: bool = False) -> None:
    """A strip across a dim room; `exposure`: of a frame's time. `uneven`: as phones do, some frames come late."""
    light, frame_s = np.concatenate([[0.0], np.cumsum(flashes(lag_s))]), 1 / fps
    random = np.random.default_rng(4)
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=round(fps))
        video.width, video.height, video.pix_fmt = 160, 90, "yuv420p"
        video.time_base = video.codec_context.time_base = Fraction(1, 1000)
        if sound:
            audio = container.add_stream("aac", rate=RATE, layout="mono")
            block = av.AudioFrame.from_ndarray(claps(0.004)[np.newaxis], format="fltp", layout="mono")
            block.sample_rate, block.pts = RATE, 0
        for number in range(int(LENGTH / RATE * fps)):
            start = number * frame_s + (random.uniform(0, 0.2) * frame_s if uneven else 0)
            first, last = (min(int(one * RATE), LENGTH) for one in (start, start + exposure * frame_s))
            seen = (light[last] - light[first]) / max(1, last - first)
            picture = random.integers(10, 20, (90, 160, 3)).astype(np.uint8)
            picture[40:50, 20:140, 2] = 20 + round(230 * seen)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = round(1000 * start), Fraction(1, 1000)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if sound:
            container.mux(audio.encode(block))
            container.mux(audio.encode(None))


@pytest.mark.parametrize(
    ("fps", "exposure", "uneven"), [(30, 1.0, False), (30, 0.1, False), (30, 0.5, True), (60, 0.5, False)]
)
def test_a_phone_tells_the_lag_to_its_word(tmp_path: Path, fps: float, exposure: float, uneven: bool) -> None:
    path = tmp_path / "strip.mp4"
    filmed(path, 0.071, fps, exposure, uneven=uneven)
    assert film.is_film(path)

    seen = film.read(path)
    found = lag(attacks(loudness(seen.sound, seen.start_s)), attacks(seen.brightness), unsure_s=seen.frame_s / 2)

    assert found.pairs >= 8
    assert found.lag_s == pytest.approx(0.071, abs=seen.frame_s / 4 + seen.frame_s / np.sqrt(12 * found.pairs) + 2e-3)


def test_a_film_without_sound_and_what_is_no_film(tmp_path: Path) -> None:
    silent, sound = tmp_path / "silent.mp4", tmp_path / "sound.wav"
    filmed(silent, 0.0, 30, 0.5, sound=False)
    soundfile.write(sound, claps(), RATE)

    with pytest.raises(UnavailableError, match="no sound"):
        film.read(silent)
    assert not film.is_film(sound)
    assert not film.is_film(tmp_path / "nothing")
