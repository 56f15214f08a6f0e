"""The input's process on real drivers: what goes into the card reaches the peers and the light."""

from pathlib import Path

import numpy as np
import pytest

from jambridge.audio.card.capture import NOTHING
from jambridge.audio.card.control import CaptureSettings
from jambridge.audio.opus import SHORT_FRAMES, packet_frames
from tests.fakes.jack import jack
from tests.fakes.jack_sound import playing
from tests.fakes.lines import Samples, line_in, until
from tests.fakes.sound_card import sound_card
from tests.scenarios.tones import RATE_HZ, level_db, pitch_hz, tones

LEVEL_DB = 20 * float(np.log10(0.3))  # of every tone
SECONDS = 60.0


def steps(sound: Samples) -> float:
    """The largest second difference: a tone of 440 Hz at 0.3 has 0.001, a click more than a hundred times that."""
    return float(np.abs(np.diff(sound, n=2, axis=0)).max())


def are_apart(heard: Samples) -> bool:
    return all(
        pitch_hz(heard[:, channel]) == pytest.approx(own_hz, abs=0.5)
        and level_db(heard, own_hz)[channel] == pytest.approx(LEVEL_DB, abs=0.5)
        and level_db(heard, other_hz)[channel] < -50
        for channel, (own_hz, other_hz) in enumerate(((440.0, 660.0), (660.0, 440.0)))
    )


def test_what_the_card_hears_reaches_the_peers_and_the_light_in_stereo(tmp_path: Path) -> None:
    with sound_card(tmp_path / "card", "fake") as card, line_in("fake", card.environment) as line:
        line.until_open()
        with card.hearing(tones(440.0, 660.0, seconds=SECONDS)):
            line.until(lambda report: report.level_dbfs > -16, "the tones are heard")
            until(lambda: are_apart(line.heard(1.0)), "a second of a tone a side")

        lit = line.lit[-RATE_HZ:]
        assert level_db(lit[:, np.newaxis], 440.0)[0] == pytest.approx(LEVEL_DB - 6, abs=1), "the mean of both"
        assert all(
            following.pts == one.pts + 480 for one, following in zip(line.packets, line.packets[1:], strict=False)
        )


@pytest.mark.parametrize("bit_rate", [128_000, 256_000])
def test_the_bit_rate_is_what_was_asked_for(tmp_path: Path, bit_rate: int) -> None:
    with sound_card(tmp_path / "card", "fake") as card, line_in("fake", card.environment, bit_rate=bit_rate) as line:
        line.until_open()
        rng = np.random.default_rng(1)
        with card.hearing(rng.uniform(-0.3, 0.3, (10 * RATE_HZ, 2)).astype(np.float32)):
            line.until(lambda report: report.level_dbfs > -25, "the noise is heard")
            begin = len(line.packets)
            until(lambda: len(line.packets) > begin + 100, "a second of packets")

        sizes = [len(packet.payload) for packet in line.packets[begin : begin + 100]]
    assert 8 * sum(sizes) == pytest.approx(bit_rate, rel=0.15)


def test_muting_is_heard_without_a_click_and_lights_all_the_same(tmp_path: Path) -> None:
    with sound_card(tmp_path / "card", "fake") as card, line_in("fake", card.environment) as line:
        line.until_open()
        with card.hearing(tones(440.0, seconds=SECONDS)):
            line.until(lambda report: report.level_dbfs > -16, "the tone is heard")
            begin = len(line.packets) + 10
            until(lambda: len(line.packets) > begin, "packets")
            for is_muted in (True, False, True):
                line.set(CaptureSettings(is_muted=is_muted))
                line.heard(0.4)
            heard = line.decoded(begin)[4800:]
            lit = line.lit[-RATE_HZ // 2 :]

    assert np.abs(heard[-4800:]).max() < 1e-4, "silence"
    assert np.abs(heard).max() > 0.25, "and sound in between"
    assert steps(heard) < 0.01
    assert level_db(lit[:, np.newaxis], 440.0)[0] == pytest.approx(LEVEL_DB, abs=1), "the strip goes on"


def test_a_line_in_that_only_lights_sends_nothing(tmp_path: Path) -> None:
    with sound_card(tmp_path / "card", "fake") as card, line_in("fake", card.environment) as line:
        line.set(CaptureSettings(sends=False))
        line.until_open()
        with card.hearing(tones(440.0, seconds=SECONDS)):
            line.until(lambda report: report.level_dbfs > -16, "the tone is heard")
            sent, lit = len(line.packets), len(line.lit)
            until(lambda: len(line.lit) > lit + RATE_HZ, "another second for the light")
        assert len(line.packets) == sent


def test_the_length_of_packets_changes_while_it_plays_without_a_gap(tmp_path: Path) -> None:
    with sound_card(tmp_path / "card", "fake") as card, line_in("fake", card.environment) as line:
        line.until_open()
        with card.hearing(tones(440.0, seconds=SECONDS)):
            line.until(lambda report: report.level_dbfs > -16, "the tone is heard")
            begin = len(line.packets) + 10
            line.heard(0.3)
            line.set(CaptureSettings(frame_frames=SHORT_FRAMES))
            until(lambda: packet_frames(line.packets[-1].payload) == SHORT_FRAMES, "short packets")
            line.heard(0.3)

        ends = [packet.pts + packet_frames(packet.payload) for packet in line.packets]
        assert ends[:-1] == [packet.pts for packet in line.packets[1:]]
        assert steps(line.decoded(begin)[4800:]) < 0.01


def test_silence_is_timed_until_there_is_sound(tmp_path: Path) -> None:
    quiet = np.full((5 * RATE_HZ, 2), NOTHING * 2, np.float32)
    with sound_card(tmp_path / "card", "fake") as card, line_in("fake", card.environment) as line:
        line.until(lambda report: report.silent_s > 1.0, "digital silence")
        with card.hearing(quiet):
            line.until(lambda report: report.silent_s < 0.5, "the noise of a quiet room is no silence", 2.0)
        line.until(lambda report: report.silent_s > 1.0, "digital silence again")


def test_a_mono_card_is_heard_on_both_sides() -> None:
    with jack(channels=1) as server, line_in("system", server.environment) as line:
        line.until_open()
        with playing(server, "^jambridge-in:", 440.0):
            line.until(lambda report: report.level_dbfs > -16, "the tone is heard")
            heard = line.heard(0.5)
    assert level_db(heard, 440.0) == pytest.approx([LEVEL_DB, LEVEL_DB], abs=0.5)


@pytest.mark.parametrize("rate_hz", [44_100, pytest.param(48_000, marks=pytest.mark.slow)])
def test_the_pitch_is_exact_whatever_rate_the_card_has(rate_hz: int) -> None:
    with jack(rate_hz) as server, line_in("system", server.environment) as line:
        line.until_open()
        assert line.report.card.rate_hz == rate_hz
        with playing(server, "^jambridge-in:", 997.0, 997.0):
            line.until(lambda report: report.level_dbfs > -16, "the tone is heard")
            until(lambda: is_exact(line.heard(1.0)), "a second in which no period was missed")


def is_exact(heard: Samples) -> bool:
    """A converter that is off shifts every second; a busy machine only some."""
    return pitch_hz(heard[:, 0]) == pytest.approx(997.0, abs=0.1) and level_db(heard, 997.0) == pytest.approx(
        [LEVEL_DB, LEVEL_DB], abs=0.5
    )


def test_numbers_that_are_none_are_silence_and_what_follows_is_heard() -> None:
    with jack() as server, line_in("system", server.environment) as line:
        line.until_open()
        with playing(server, "^jambridge-in:", np.nan, np.nan):
            line.heard(0.3)
            assert line.report.level_dbfs < -100
        with playing(server, "^jambridge-in:", 440.0, 440.0):
            line.until(lambda report: report.level_dbfs > -16, "the tone is heard")
            assert level_db(line.heard(0.5), 440.0) == pytest.approx([LEVEL_DB, LEVEL_DB], abs=0.5)
        assert line.report.card.failed == 0
        assert np.isfinite(line.lit).all()
