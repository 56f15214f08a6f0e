import signal

import pytest

from tests.fakes.instrument import PERIOD_FRAMES, Instrument, instrument
from tests.fakes.jack import jack
from tests.fakes.lines import until


def test_what_one_plays_another_hears_and_one_that_crashes_fails_its_test_alone() -> None:
    with jack(period_frames=PERIOD_FRAMES) as server, instrument(server, "synth") as synth:
        keys = Instrument(server, "keys")
        server.connect("keys:out", "synth in:in")
        keys.play(b"\x90\x3c\x40", (0x80, 60, 64))
        synth.until_heard(2)
        until(lambda: len(keys.played) == 2, "it tells when it played")
        assert synth.messages() == [message for _, message in keys.played] == [b"\x90\x3c\x40", b"\x80\x3c\x40"]
        assert keys.played[0][0] <= synth.heard[0][0]

        keys._process.send_signal(signal.SIGKILL)
        with pytest.raises(AssertionError, match="keys"):
            keys.close()
