"""What feedback looks like, a tenth of a second after a tenth of a second: one tone that grows, or is at the top. Pure.

A loop adds the same number of dB each time round, so its tone rises by a steady number of dB a second. Bowed and blown
notes slow down on their way up (an attack that is linear in amplitude rises by half as much in its second half), and
their partials come along; a loop's tone is alone.
"""

import itertools
from collections import deque

from jambridge.audio.mix.tonality import NO_TONE, Spectrum, Tone

LOOKS = 5  # a tenth of a second apart
SAME_LOOKS = 3  # of them, in which the tone is already the strongest
TONAL = 0.25  # share of the power: while a loop grows, two or three of its tones compete
GROWTH_DB = 8.0  # over LOOKS looks; a swell of 16 dB a second stays below
STEADINESS = 0.75  # second half of the growth against the first
AUDIBLE_DBFS = -35.0

_PARTIALS = (0.5, 2 / 3, 1.5, 2.0, 3.0)  # the strongest may be the first, second or third
_PARTIAL_DB = 30.0  # below the strongest
_PARTIAL_GROWTH = 0.5  # of the strongest's

TOP_LOOKS = 3
TOP_PEAK = 0.97  # more than the limiter lets through: only what is cut off somewhere keeps coming like this
TOP_CREST_DB = 4.5  # over 85 ms: a sine 3, cut off less; a violin, guitar, piano 8 to 10, never below 4.7, however loud


class Signs:
    """The newest looks. A tone counts where it is the strongest in the mix and in the line-in."""

    def __init__(self) -> None:
        self._tones: deque[Tone] = deque(maxlen=LOOKS)
        self._spectra: deque[Spectrum] = deque(maxlen=LOOKS)

    def add(self, spectrum: Spectrum, tone_of_both: Tone) -> None:
        """`tone_of_both` is NO_TONE where the mix and the line-in have no common one."""
        self._spectra.append(spectrum)
        self._tones.append(tone_of_both)

    def clear(self) -> None:
        self._spectra.clear()
        self._tones.clear()

    @property
    def howl(self) -> bool:
        """Whether the newest tone looks like feedback."""
        return self._grows() or self._is_at_the_top()

    def _grows(self) -> bool:
        if (
            len(self._spectra) < LOOKS
            or self._tones[-1].level_dbfs < AUDIBLE_DBFS
            or self._times_same(SAME_LOOKS) < SAME_LOOKS
        ):
            return False
        frequency_hz = self._tones[-1].frequency_hz
        levels = [spectrum.level_dbfs(frequency_hz) for spectrum in self._spectra]
        steps = [after - before for before, after in itertools.pairwise(levels)]
        half, growth_db = len(steps) // 2, sum(steps)
        steady = min(steps) > 0 and sum(steps[half:]) >= STEADINESS * sum(steps[:half])
        return steady and growth_db >= GROWTH_DB and not self._has_partials(frequency_hz, levels[-1], growth_db)

    def _has_partials(self, frequency_hz: float, level_dbfs: float, growth_db: float) -> bool:
        """Whether others of a note's partials have grown along."""
        for ratio in _PARTIALS:
            after_dbfs = self._spectra[-1].level_dbfs(ratio * frequency_hz)
            grown_db = after_dbfs - self._spectra[0].level_dbfs(ratio * frequency_hz)
            if after_dbfs >= level_dbfs - _PARTIAL_DB and grown_db >= _PARTIAL_GROWTH * growth_db:
                return True
        return False

    def _is_at_the_top(self) -> bool:
        """Two or three tones may take turns while they compete; one look may miss them."""
        spectra, tones = list(self._spectra)[-TOP_LOOKS:], list(self._tones)[-TOP_LOOKS:]
        return (
            len(spectra) == TOP_LOOKS
            and tones[-1] is not NO_TONE
            and tones.count(NO_TONE) <= 1
            and all(spectrum.peak >= TOP_PEAK and spectrum.crest_db <= TOP_CREST_DB for spectrum in spectra)
        )

    def _times_same(self, looks: int) -> int:
        """In how many of the last `looks` the tone was the newest one."""
        return sum(same(tone, self._tones[-1]) for tone in list(self._tones)[-looks:])


def same(one: Tone, other: Tone) -> bool:
    """Within the resolution of a look, or a sixth of a semitone."""
    return abs(one.frequency_hz - other.frequency_hz) <= max(15.0, 0.01 * other.frequency_hz)
