"""The howl guard: notices that a loudspeaker feeds a microphone, and turns the mix down. Pure.

A loop shows as one tone, strongest both in the mix and in the line-in, that grows steadily or is at the top. A pure
long note may do that, too. What no note does is to answer: turned down, a loop loses its tone within its own delay, and
the others' music goes on coming as before. So the guard turns down on suspicion, and raises the alarm only when the
sound *before* its own turning down has followed. Else it was music, which is given back at once.

    LISTENING ── signs ──→ TRIAL ── the tone fell ──→ HOWLING ── recovered ──→ LISTENING
                            │ ↺ signs again: deeper     ↺ signs again: deeper, and never up to here for a while
                            └── nothing fell ──→ LISTENING, deaf to this tone
"""

import enum
from collections import deque

from jambridge.audio.mix.howl_signs import TONAL, Signs, same
from jambridge.audio.mix.tonality import NO_TONE, Spectrum, Tone
from jambridge.units import LocalSeconds

INPUT_S = 0.35  # the line-in's tones come in messages of their own, a little earlier or later
STEP_DB = 12.0
DEEPEST_TRIAL_DB = 24.0  # a loop of gain 15 answers to that
DEEPEST_DB = 48.0
ANSWER_DB = 3.0
ANSWER_S = 0.6  # a loop of 150 ms, a look, the window, and then two more rounds at gain 3
DEAF_S = 30.0  # to a tone that was music
CALM_S = 3.0
RECOVERY_DB_PER_S = 1.0
MARGIN_DB = 4.0  # kept below where it howled again
FIRST_PATIENCE_S, LONGEST_PATIENCE_S = 60.0, 600.0


class State(enum.Enum):
    LISTENING = enum.auto()
    TRIAL = enum.auto()
    HOWLING = enum.auto()


class HowlGuard:
    """Looks at the mix ten times a second. Without tones of the line-in it never does anything.

    Without a line-in there is no loop through this box.
    """

    def __init__(self) -> None:
        self.state = State.LISTENING
        self.frequency_hz = 0.0
        """Of the newest suspect; 0 before the first."""
        self._signs = Signs()
        self._inputs: deque[tuple[LocalSeconds, Tone]] = deque(maxlen=4)
        self._depth_db = 0.0
        self._least_db = 0.0
        self._patience_s = FIRST_PATIENCE_S
        self._loudest_dbfs = 0.0
        self._changed_at = self._looked_at = LocalSeconds(0.0)
        self._deaf: tuple[Tone, LocalSeconds] = (NO_TONE, LocalSeconds(0.0))

    @property
    def howling(self) -> bool:
        """From a loop's answer until the mix is at its full volume again."""
        return self.state is State.HOWLING

    @property
    def gain(self) -> float:
        """What the mix is to be multiplied by, 0..1."""
        return float(10 ** (-self._depth_db / 20))

    def hear_input(self, frequency_hz: float, level_dbfs: float, tonality: float, now: LocalSeconds) -> None:
        """The strongest tone of the line-in."""
        self._inputs.append((now, Tone(frequency_hz, level_dbfs, tonality)))

    def look(self, mix: Spectrum, now: LocalSeconds) -> None:
        """Take the newest spectrum of the mix, before its volume and this guard's gain."""
        tone = mix.strongest()
        self._signs.add(mix, tone if self._is_in_both(tone, now) else NO_TONE)
        passed_s, self._looked_at = now - self._looked_at, now
        match self.state:
            case State.LISTENING:
                if self._signs.howl and not self._is_deaf(tone, now):
                    self._suspect(tone, now)
            case State.TRIAL:
                self._judge(mix.level_dbfs(self.frequency_hz), now)
            case State.HOWLING:
                self._hold_down(tone, now, passed_s)

    def _is_in_both(self, tone: Tone, now: LocalSeconds) -> bool:
        return tone.tonality >= TONAL and any(
            now - at <= INPUT_S and heard.tonality >= TONAL and same(heard, tone) for at, heard in self._inputs
        )

    def _is_deaf(self, tone: Tone, now: LocalSeconds) -> bool:
        music, until = self._deaf
        return now < until and same(music, tone)

    def _suspect(self, tone: Tone, now: LocalSeconds) -> None:
        self.state = State.TRIAL
        self._loudest_dbfs = tone.level_dbfs
        self._turn_down(tone, now)

    def _judge(self, level_dbfs: float, now: LocalSeconds) -> None:
        self._loudest_dbfs = max(self._loudest_dbfs, level_dbfs)
        if level_dbfs <= self._loudest_dbfs - ANSWER_DB:
            self.state = State.HOWLING
        elif now - self._changed_at >= ANSWER_S:
            self._doubt(Tone(self.frequency_hz, level_dbfs, 1.0), now)

    def _doubt(self, tone: Tone, now: LocalSeconds) -> None:
        """It has not answered: because the loop is stronger still, or because it is music."""
        if self._signs.howl and self._depth_db < DEEPEST_TRIAL_DB:
            self._turn_down(tone, now)
            return
        self.state = State.LISTENING
        self._depth_db = 0.0
        self._deaf = (tone, LocalSeconds(now + DEAF_S))

    def _hold_down(self, tone: Tone, now: LocalSeconds, passed_s: float) -> None:
        if self._signs.howl:
            self._relapse(tone, now)
        if now - self._changed_at >= self._patience_s:
            self._least_db = 0.0
        if now - self._changed_at >= CALM_S:
            self._recover(passed_s)

    def _relapse(self, tone: Tone, now: LocalSeconds) -> None:
        """The loop closes at this depth: stay below it, for longer each time."""
        self._least_db = min(self._depth_db + MARGIN_DB, DEEPEST_DB)
        self._patience_s = min(2 * self._patience_s, LONGEST_PATIENCE_S)
        self._turn_down(tone, now)

    def _recover(self, passed_s: float) -> None:
        self._depth_db = max(self._depth_db - RECOVERY_DB_PER_S * passed_s, self._least_db)
        if self._depth_db == 0.0:
            self.state = State.LISTENING

    def _turn_down(self, tone: Tone, now: LocalSeconds) -> None:
        self.frequency_hz = tone.frequency_hz
        self._depth_db = min(self._depth_db + STEP_DB, DEEPEST_DB)
        self._changed_at = now
        self._signs.clear()
