"""The bench of notes: what it changes of a piece, those it measures beside, and its tables."""

import json
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from jambridge.units import SAMPLE_RATE_HZ, hz
from tests.bench import note_detectors, note_listen, notes, truth
from tests.bench.note_conditions import detuned, through_opus
from tests.bench.note_detectors import Hops, NotInstalledError
from tests.bench.note_scores import NOTES, score
from tests.bench.truth import Piece
from tests.notes.signals import Sound, in_hops, silence, tone

MUSIC = Path(__file__).parents[1] / "fixtures" / "music"


@pytest.fixture
def piece() -> Piece:
    return truth.read(MUSIC, "mono_violin")


def peak_hz(hops: Hops) -> float:
    sound = hops.ravel()
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 1 << 20))
    return float(np.argmax(spectrum)) * SAMPLE_RATE_HZ / (1 << 20)


def heard(name: str, sound: Sound) -> list[int]:
    """What is shown in the middle of it."""
    with ExitStack() as stack:
        try:
            roll = note_detectors.opened(name, stack, "normal")(in_hops(sound))
        except NotInstalledError as exc:
            pytest.skip(str(exc))
    assert roll.shape == (len(in_hops(sound)), NOTES)
    return np.flatnonzero(roll[len(roll) // 2]).tolist()


def test_opus_leaves_everything_at_its_time(piece: Piece) -> None:
    through = through_opus(piece)

    assert through.hops.shape == piece.hops.shape
    size = 1 << 21
    before, after = (np.fft.rfft(of.hops.ravel(), size) for of in (piece, through))
    assert np.argmax(np.fft.irfft(before.conj() * after, size)) == 0
    assert not np.array_equal(through.hops, piece.hops)


def test_a_detuned_piece_is_lower_and_its_truth_later(piece: Piece) -> None:
    slower = 2 ** (35 / 1200)
    a4 = Piece("a4", "mono", piece.notes, (1.0,), in_hops(tone(69, 2, partials=1)))

    flat = detuned(a4)

    assert 1200 * np.log2(peak_hz(flat.hops) / hz(69)) == pytest.approx(-35, abs=1)
    assert flat.hops.size / a4.hops.size == pytest.approx(slower, abs=0.01)
    assert flat.drums_s == pytest.approx((slower,))
    assert flat.notes[3].midi == a4.notes[3].midi
    assert flat.notes[3].begins_s == pytest.approx(slower * a4.notes[3].begins_s)


@pytest.mark.parametrize("name", [name for name in note_detectors.DETECTORS if name != "naive"])
def test_each_detector_hears_a_plain_tone(name: str) -> None:
    every_partial = [69, 81, 88, 93]

    assert heard(name, tone(69, 1.5, partials=4)) == (every_partial if name == "interpolated" else [69])


def test_the_documents_detector_hears_bins() -> None:
    assert 69 in heard("naive", tone(69, 1.5, partials=4))
    assert 40 not in heard("naive", tone(40, 1.5))  # 82 Hz lies between bins of 23 Hz


@pytest.mark.parametrize("name", note_detectors.DETECTORS)
def test_no_detector_hears_silence(name: str) -> None:
    assert heard(name, silence(2)) == []


@pytest.mark.slow
def test_the_command_hears_what_the_bench_hears(piece: Piece) -> None:
    frames = note_listen.listened(MUSIC / "mono_violin.flac")

    assert len(frames) == len(piece.hops)
    np.testing.assert_array_equal(note_listen.roll(frames), note_detectors.ours(piece.hops))
    times, shown = zip(*note_listen.rows(frames), strict=True)
    assert times[:3] == (0.0167, 0.0333, 0.05)
    assert [[midi for midi, _ in row] for row in shown] == [
        np.flatnonzero(row).tolist() for row in note_detectors.ours(piece.hops)
    ]


@pytest.mark.slow
def test_the_bench_prints_tables_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--set", str(MUSIC), "--only", "violin", "--detectors", "jambridge,interpolated", "--seconds", "0.5"]

    notes.main(arguments)
    printed = capsys.readouterr().out
    notes.main([*arguments, "--json"])
    figures = json.loads(capsys.readouterr().out)

    assert all(
        title in printed for title in ("CLEAN", "OPUS", "DETUNED", "FLASHES", "CPU a frame, 4 streams", "Memory")
    )
    violin = truth.read(MUSIC, "mono_violin")
    one = score(violin.notes, note_detectors.ours(violin.hops))
    ours = figures["notes"]["clean"]["jambridge"]["pitched"]["all"]
    assert ours["recall"] == pytest.approx(one.hits / (one.hits + one.missed))
    assert f"{ours['precision']:6.3f}{ours['recall']:6.3f}{ours['f1']:6.3f}" in printed
    assert figures["memory"]["modules"] == []
    assert [cpu["streams"] for cpu in figures["cpu"]] == [1, 4]


def test_a_directory_without_pieces_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no pieces"):
        notes.main(["--set", str(tmp_path)])
