"""How far light comes behind sound, from a recording of both: struck notes or claps, each with its flash. Pure."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jambridge.errors import UnavailableError
from jambridge.units import SAMPLE_RATE_HZ

WINDOW_FRAMES = SAMPLE_RATE_HZ // 1000
RISE_S = 0.01  # two half-waves of a lamp at 50 Hz: its flicker cancels
EARLIEST_S, LATEST_S = -0.3, 0.6  # light against sound
FEWEST = 3
APART_S = 0.2  # between two attacks
_TOGETHER_S = 0.03  # lags of one cause
_SIGMAS = 8.0
_MAD_TO_SIGMA = 1.4826
_CLEAR = 0.3  # of the usual rise: less is no attack
_HALF = 0.5

Seconds = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Track:
    """Loudness or brightness, `levels` at `times_s`; `rise_s` is how long a rise may take."""

    times_s: Seconds
    levels: Seconds
    rise_s: float = RISE_S


@dataclass(frozen=True, slots=True)
class Lag:
    """Light behind sound: the median, and how far half of them are from it; of `pairs` in `sounds` and `flashes`."""

    lag_s: float
    spread_s: float
    pairs: int
    sounds: int
    flashes: int


def loudness(samples: NDArray[np.float32], start_s: float = 0.0) -> Track:
    """Of `samples`, shape (frames,), at 48 kHz."""
    windows = _windows(samples)
    return Track(_middles(windows, start_s), np.sqrt(((windows - samples.mean()) ** 2).mean(axis=1)))


def brightness(samples: NDArray[np.float32], start_s: float = 0.0) -> Track:
    """Of a photodiode's `samples`, shape (frames,), at 48 kHz; whichever way round it is connected."""
    windows = _windows(samples)
    levels = windows.mean(axis=1)
    if not len(levels):
        return Track(levels, levels)
    rises = _differences(Track(_middles(windows, start_s), levels))
    return Track(_middles(windows, start_s), levels if rises.max(initial=0.0) >= -rises.min(initial=0.0) else -levels)


def attacks(track: Track) -> Seconds:
    """When each quick rise has come half-way up."""
    if not len(track.levels):
        return np.empty(0)
    rises = _differences(track)
    noise = _MAD_TO_SIGMA * float(np.median(np.abs(rises - np.median(rises))))
    peaks = _peaks(track, rises, max(_SIGMAS * noise, float(rises.max()) / 100))
    usual = float(np.median(rises[peaks])) if peaks else 0.0
    return np.array([_half_way(track, peak) for peak in peaks if rises[peak] >= _CLEAR * usual])


def lag(sound_s: Seconds, light_s: Seconds, unsure_s: float = 0.0) -> Lag:
    """How far the flashes are behind what is heard, each known to `unsure_s`.

    Raises:
        UnavailableError: there is too little of one, or it does not go with the other; in words.
    """
    for what, times in (("attacks are heard", sound_s), ("flashes are seen", light_s)):
        if len(times) < FEWEST:
            few = len(times) or "no"
            raise UnavailableError(f"{few} {what}: clap ten times, a second apart, with the strip in view")
    lags = np.sort((light_s[:, np.newaxis] - sound_s).ravel())
    lags = lags[(lags >= EARLIEST_S) & (lags <= LATEST_S)]
    width = _TOGETHER_S + 2 * unsure_s
    counts = np.searchsorted(lags, lags + width, "right") - np.arange(len(lags))
    most = int(counts.max(initial=0))
    if most < max(FEWEST, min(len(sound_s), len(light_s)) / 2):
        raise UnavailableError(
            f"the light does not go with the sound: of {len(sound_s)} attacks and {len(light_s)} flashes "
            f"{most} are equally far apart. Is the strip lit by this sound, and not by others?"
        )
    first = int(counts.argmax())
    same = lags[first : first + most]
    middle = float(np.median(same))
    return Lag(middle, float(np.median(np.abs(same - middle))), most, len(sound_s), len(light_s))


def _windows(samples: NDArray[np.float32]) -> Seconds:
    whole = len(samples) // WINDOW_FRAMES * WINDOW_FRAMES
    return samples[:whole].reshape(-1, WINDOW_FRAMES).astype(np.float64)


def _middles(windows: Seconds, start_s: float) -> Seconds:
    return start_s + (np.arange(len(windows)) + 0.5) * WINDOW_FRAMES / SAMPLE_RATE_HZ


def _differences(track: Track) -> Seconds:
    """By how much it has risen in the last `rise_s`."""
    before: Seconds = np.interp(track.times_s - track.rise_s, track.times_s, track.levels)
    return track.levels - before


def _peaks(track: Track, rises: Seconds, least: float) -> list[int]:
    """The highest of each run of rises, of which each is APART_S behind the one before."""
    found: list[int] = []
    begun_s = -np.inf
    for index in np.flatnonzero(rises > least).tolist():
        if track.times_s[index] - begun_s > APART_S:
            begun_s = track.times_s[index]
            found.append(index)
        elif rises[index] > rises[found[-1]] and track.times_s[index] - begun_s <= 2 * track.rise_s:
            found[-1] = index
    return found


def _half_way(track: Track, peak: int) -> float:
    """When, in the rise that is highest at `peak`, its half was passed."""
    since = int(np.searchsorted(track.times_s, track.times_s[peak] - 2 * track.rise_s))
    foot, top = float(np.interp(track.times_s[peak] - track.rise_s, track.times_s, track.levels)), track.levels[peak]
    half = foot + _HALF * (top - foot)
    index = since + int(np.flatnonzero(track.levels[since : peak + 1] >= half)[0])
    if index == 0 or track.levels[index] == track.levels[index - 1]:
        return float(track.times_s[index])
    share = (half - track.levels[index - 1]) / (track.levels[index] - track.levels[index - 1])
    return float(
        track.times_s[index - 1] + min(max(share, 0.0), 1.0) * (track.times_s[index] - track.times_s[index - 1])
    )
