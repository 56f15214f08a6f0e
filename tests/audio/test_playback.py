"""The output's process on real drivers: what peers sent comes out of the card."""

import os
import time
from pathlib import Path

import numpy as np
import pytest

from jambridge.audio.card.control import PlaybackReport
from jambridge.audio.card.desk import Fader
from jambridge.audio.card.wire import HeardPacket
from jambridge.units import LocalSeconds
from tests.fakes.jack import Jack, jack
from tests.fakes.jack_sound import recording
from tests.fakes.lines import Samples, line_out, until
from tests.fakes.sound_card import Recording, sound_card
from tests.scenarios.tones import RATE_HZ, level_db, pitch_hz, tones

LEVEL_DB = 20 * float(np.log10(0.3))  # of every tone
ANN_HZ, BOB_HZ = 440.0, 1000.0


def stereo(hertz: float, seconds: float = 4.0) -> Samples:
    """Whole periods, so that it goes round."""
    return tones(hertz, hertz, seconds=seconds)


def loud(report: PlaybackReport) -> bool:
    return report.level_dbfs > -20


def at(recorded: Recording, hertz: float) -> float:
    return float(level_db(recorded.newest(0.3), hertz)[0])


def usual_hz(sound: Samples, near_hz: float, rate_hz: int) -> float:
    """The median pitch of hundredths of a second: where a playout has made something up, the phase jumps."""
    turned = sound * np.exp(-2j * np.pi * near_hz * np.arange(len(sound)) / rate_hz)
    hundredths = turned[: len(turned) // 441 * 441].reshape(-1, 441).mean(axis=1)
    turns = np.angle(hundredths[1:] / hundredths[:-1]) / (2 * np.pi)
    return near_hz + float(np.median(turns)) * rate_hz / 441


def ann_left_and_bob(sound: Samples) -> bool:
    return (
        level_db(sound, ANN_HZ)[0] == pytest.approx(LEVEL_DB, abs=0.5)
        and level_db(sound, ANN_HZ)[1] < -60
        and level_db(sound, BOB_HZ) == pytest.approx([LEVEL_DB, LEVEL_DB], abs=0.5)
        and pitch_hz(sound[:, 1]) == pytest.approx(BOB_HZ, abs=0.5)
    )


def test_a_musician_comes_out_of_the_card_in_stereo_and_another_beside_it(tmp_path: Path) -> None:
    left = stereo(ANN_HZ) * np.array([1, 0], np.float32)
    with (
        sound_card(tmp_path / "card", "fake") as card,
        line_out("fake", card.environment) as line,
        card.recording() as recorded,
        line.musician("Ann", left),
        line.musician("Bob", stereo(BOB_HZ)) as bob,
    ):
        until(lambda: at(recorded, ANN_HZ) > -12 and at(recorded, BOB_HZ) > -12, "both are played")
        until(lambda: ann_left_and_bob(recorded.newest(1.0)), "a second of nothing but both")
        assert [channel.level_dbfs for channel in line.report.channels] == pytest.approx([-16.5, -13.5], abs=1)
        assert bob.channel.dropped == 0


def test_volume_gain_and_mutes_are_heard(tmp_path: Path) -> None:
    with (
        sound_card(tmp_path / "card", "fake") as card,
        line_out("fake", card.environment) as line,
        card.recording() as recorded,
        line.musician("Ann", stereo(ANN_HZ)),
        line.musician("Bob", stereo(BOB_HZ)),
    ):

        def both(ann_db: float, bob_db: float) -> None:
            def so() -> bool:
                return abs(at(recorded, ANN_HZ) - ann_db) < 1 and abs(at(recorded, BOB_HZ) - bob_db) < 1

            until(so, lambda: f"{ann_db}, {bob_db}: {at(recorded, ANN_HZ)}, {at(recorded, BOB_HZ)}")

        both(LEVEL_DB, LEVEL_DB)
        line.call(lambda: line.desk.set_master(0.5))
        both(LEVEL_DB - 6, LEVEL_DB - 6)
        line.call(lambda: line.desk.set_fader("Ann", Fader(gain=2.0)))
        both(LEVEL_DB, LEVEL_DB - 6)
        line.call(lambda: line.desk.set_fader("Ann", Fader(is_muted=True)))
        until(lambda: at(recorded, ANN_HZ) < -70, "Ann is muted")
        assert at(recorded, BOB_HZ) == pytest.approx(LEVEL_DB - 6, abs=1)
        line.call(lambda: line.desk.set_master(is_muted=True))
        until(lambda: np.abs(recorded.newest(0.3)).max() == 0, "all is muted")


def test_who_leaves_dies_away_and_the_others_play_on(tmp_path: Path) -> None:
    with (
        sound_card(tmp_path / "card", "fake") as card,
        line_out("fake", card.environment) as line,
        card.recording() as recorded,
        line.musician("Bob", stereo(BOB_HZ)),
    ):
        with line.musician("Ann", stereo(ANN_HZ)):
            until(lambda: at(recorded, ANN_HZ) > -12, "Ann is played")
        until(lambda: at(recorded, ANN_HZ) < -80, "Ann is gone")
        assert at(recorded, BOB_HZ) == pytest.approx(LEVEL_DB, abs=1)
        line.until(lambda report: len(report.channels) == 1, "only Bob is played")
        with line.musician("Cid", stereo(ANN_HZ)):
            until(lambda: at(recorded, ANN_HZ) > -12, "Cid is played in Ann's place")


def test_packets_of_nobody_and_garbage_change_nothing(tmp_path: Path) -> None:
    with (
        sound_card(tmp_path / "card", "fake") as card,
        line_out("fake", card.environment) as line,
        card.recording() as recorded,
        line.musician("Ann", stereo(ANN_HZ)) as ann,
    ):
        until(lambda: at(recorded, ANN_HZ) > -12, "Ann is played")
        for slot, generation in ((3, 1), (200, 1), (ann.channel.slot, 99)):
            packet = HeardPacket(slot, generation, 1, 1, 480, LocalSeconds(time.monotonic()), b"\xfc\xff\xfe")
            line.desk._near.send(packet.encode())
        for garbage in (b"x", os.urandom(20), os.urandom(2000)):
            line.desk._near.send(garbage)
        time.sleep(0.5)
        assert at(recorded, ANN_HZ) == pytest.approx(LEVEL_DB, abs=1)
        assert line.report.card.failed == 0


def test_what_came_while_there_was_no_card_is_not_played_late() -> None:
    server = Jack()
    with line_out("system", server.environment) as line, line.musician("Ann", stereo(ANN_HZ)):
        line.until(lambda report: report.card.problem, "there is no card")
        time.sleep(2)
        server.start()
        try:
            line.until(lambda report: report.channels and loud(report), "Ann is played")
            assert line.report.channels[0].depth_ms < 60
            assert line.report.channels[0].splices == 0
        finally:
            server.stop()


@pytest.mark.parametrize("rate_hz", [44_100, pytest.param(48_000, marks=pytest.mark.slow)])
def test_the_pitch_is_exact_whatever_rate_the_card_has(tmp_path: Path, rate_hz: int) -> None:
    with (
        jack(rate_hz) as server,
        line_out("system", server.environment) as line,
        line.musician("Ann", stereo(997.0)),
    ):
        line.until(loud, "Ann is played")
        with recording(server, "^jambridge-out:", tmp_path / "recorded") as recorded:
            until(lambda: len(recorded.samples) > 2 * rate_hz, "two seconds")
            sound = recorded.samples[rate_hz:]

    assert usual_hz(sound[:, 0], 997.0, rate_hz) == pytest.approx(997.0, abs=1.5), "a playout may be 1500 ppm faster"
    assert level_db(sound, 997.0 * RATE_HZ / rate_hz) == pytest.approx([LEVEL_DB, LEVEL_DB], abs=0.5)


def test_a_mono_card_gets_the_mean_of_both_sides(tmp_path: Path) -> None:
    with (
        jack(channels=1) as server,
        line_out("system", server.environment) as line,
        line.musician("Ann", stereo(997.0) * np.array([1, 0], np.float32)),
    ):
        line.until(loud, "Ann is played")
        with recording(server, "^jambridge-out:", tmp_path / "recorded") as recorded:
            until(lambda: len(recorded.samples) > RATE_HZ, "a second")
            sound = recorded.samples

    assert sound.shape[1] == 1
    assert level_db(sound, 997.0)[0] == pytest.approx(LEVEL_DB - 6, abs=0.5)
