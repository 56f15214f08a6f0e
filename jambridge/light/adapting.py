"""How much of the rate that a strip's length allows one WLED really shows, by what it reports. Pure.

Wi-Fi, a slow chip or a heavy set-up may be the narrower way: WLED's own advice for 2880 pixels on Wi-Fi is 14 frames a
second (WLED PR#2425), where their output could show 60 on eight pins. A WLED says how often it shows (`leds.fps`), as a
mean over its last few frames: one bad answer says little.
"""

FULL = 0.9  # of the rate asked for: only then does what is shown tell anything
BEHIND = 0.8  # of what is sent: it does not keep up
BEHIND_TWICE = 2
WELL_TIMES = 6  # a minute of probes before more is tried
UP = 1.1
LOWEST = 0.1


class Adaptation:
    """One WLED's; `share`, 0..1, is what its rate is multiplied by."""

    def __init__(self) -> None:
        self.share = 1.0
        self._behind = self._well = 0

    def follow(self, asked_fps: float, sent_fps: float, shown_fps: float) -> bool:
        """After each answer of the WLED: frames a second; whether `share` is another now."""
        if shown_fps <= 0 or sent_fps < FULL * asked_fps:
            return False
        if shown_fps < BEHIND * sent_fps:
            self._behind, self._well = self._behind + 1, 0
            return self._behind >= BEHIND_TWICE and self._set(self.share * shown_fps / sent_fps)
        self._behind, self._well = 0, self._well + 1
        return self._well >= WELL_TIMES and self._set(self.share * UP)

    def _set(self, share: float) -> bool:
        before, self.share = self.share, min(max(share, LOWEST), 1.0)
        self._behind = self._well = 0
        return self.share != before
