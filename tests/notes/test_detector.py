from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from jambridge.notes.detector import Detection, Detector
from jambridge.notes.frame import HOP_FRAMES
from jambridge.notes.tracker import Threshold
from jambridge.units import MidiNote, hz
from tests.bench import note_detectors, note_scores
from tests.bench.truth import pieces
from tests.notes.signals import Sound, hum, in_hops, noise, pluck, silence, tone

MUSIC = Path(__file__).parents[1] / "fixtures" / "music"


def detections(sound: Sound, threshold: Threshold = "normal") -> list[Detection]:
    detector = Detector(threshold=threshold)
    return [detector.process(hop[np.newaxis])[0] for hop in in_hops(sound)]


def after_silence(sound: Sound) -> Sound:
    """A tone that has always been is hum."""
    return np.concatenate([silence(0.5), sound])


def pitches(detection: Detection) -> set[int]:
    return {note.midi for note in detection.notes}


@pytest.mark.parametrize("chord", [(40,), (57,), (69,), (84,), (100,), (60, 64, 67), (45, 57), (50, 62, 69)])
def test_the_notes_played_are_found_and_no_others(chord: tuple[int, ...]) -> None:
    sound: Sound = np.sum([tone(note) for note in chord], axis=0, dtype=np.float32)

    assert [pitches(found) for found in detections(after_silence(sound))[-20:]] == [set(chord)] * 20


@pytest.mark.parametrize("note", [45, 57, 69, 81, 93])
def test_a_pure_tone_is_a_note(note: int) -> None:
    times_s = np.arange(48_000) / 48_000
    found = detections(after_silence((0.3 * np.sin(2 * np.pi * hz(MidiNote(note)) * times_s)).astype(np.float32)))

    assert pitches(found[60]) == {note}


def test_a_plucked_note_is_found_within_60_ms() -> None:
    found = detections(np.concatenate([silence(0.5), pluck(64, 0.5)]))

    assert any(64 in pitches(one) for one in found[: 30 + 4])
    assert not any(one.notes for one in found[:30])


def test_a_note_ends_soon_after_its_sound() -> None:
    found = detections(np.concatenate([tone(60), silence(0.5)]))

    assert found[55].notes
    assert not any(one.notes for one in found[60 + 9 :])


@pytest.mark.parametrize(
    "sound", [silence(2), noise(2, 0.03), noise(2, 0.001), noise(2, 0.03, pink=False), hum(2, 0.003)]
)
def test_what_is_no_music_has_no_notes(sound: Sound) -> None:
    assert not any(found.notes for found in detections(sound))


NOT_FOUND = (28, -35)  # the lowest pitch, a third of a semitone flat


@pytest.mark.parametrize(
    ("note", "cents"),
    [(n, c) for n in (28, 40, 52, 64, 76, 84) for c in (-35, 0, 12, 40) if (n, c) != NOT_FOUND],
)
def test_a_detuned_tone_is_measured_within_two_cents(note: int, cents: int) -> None:
    played_hz = hz(note + cents / 100)

    (found,) = detections(after_silence(tone(note + cents / 100)))[-1].notes

    assert found.midi == note
    assert abs(1200 * np.log2(found.frequency_hz / played_hz)) < 2


def test_louder_is_faster_and_nothing_leaves_the_range() -> None:
    velocities = [
        [note.velocity for note in detections(tone(60, 0.5, amplitude))[-1].notes] for amplitude in (0.01, 0.1, 0.9)
    ]

    assert [len(one) for one in velocities] == [1, 1, 1]
    assert 0 < velocities[0][0] < velocities[1][0] < velocities[2][0] <= 1


def test_a_note_that_begins_is_an_onset_once() -> None:
    assert [found.onset for found in detections(tone(60))].count(True) == 1


def test_several_streams_at_once_are_as_if_alone() -> None:
    sounds = [tone(60), pluck(45), noise(1, 0.01), silence(1)]
    together = Detector(streams=4)

    found = [together.process(hops) for hops in np.stack([in_hops(sound) for sound in sounds], axis=1)]

    for stream, sound in enumerate(sounds):
        alone = detections(sound)
        assert [pitches(one[stream]) for one in found] == [pitches(one) for one in alone]
        for ours, theirs in zip(found, alone, strict=True):
            assert ours[stream].level_dbfs == pytest.approx(theirs.level_dbfs)
            for note, other in zip(ours[stream].notes, theirs.notes, strict=True):
                assert note.frequency_hz == pytest.approx(other.frequency_hz, rel=1e-4)
                assert note.velocity == pytest.approx(other.velocity, abs=1e-3)


def test_a_stricter_threshold_shows_less() -> None:
    sound = pluck(52) + pluck(55) + pluck(59) + noise(1, 0.01)

    shown = [
        sum(len(one.notes) for one in detections(sound, threshold)) for threshold in ("sensitive", "normal", "strict")
    ]

    assert shown[0] >= shown[1] >= shown[2] > 0


def square() -> Sound:
    return np.sign(tone(57, partials=1)).astype(np.float32)


ROUGH = {
    "not a number": np.full(48_000, np.nan, np.float32),
    "infinite": np.full(48_000, -np.inf, np.float32),
    "direct current": np.full(48_000, 0.9, np.float32),
    "denormal": np.full(48_000, 1e-40, np.float32),
    "full-scale square": square(),
    "beyond all measure": square() * np.float32(3e38),
    "clicks": np.where(np.arange(48_000) % 4_801 == 0, np.float32(1), np.float32(0)),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("sound", ROUGH.values(), ids=ROUGH.keys())
def test_bad_sound_gives_sane_answers_and_leaves_no_trace(sound: Sound) -> None:
    found = detections(np.concatenate([sound, silence(0.5), tone(60)]))

    assert all(np.isfinite(one.level_dbfs) for one in found)
    assert all(0 <= note.velocity <= 1 and np.isfinite(note.frequency_hz) for one in found for note in one.notes)
    assert not any(one.notes for one in found[60 + 12 : 90])
    assert pitches(found[-1]) == {60}


@pytest.mark.filterwarnings("error")
@given(arrays.arrays(np.float32, (3, HOP_FRAMES), elements=st.floats(width=32)))
def test_any_samples_give_finite_answers(hops: Sound) -> None:
    detector = Detector()

    found = [detector.process(hop[np.newaxis])[0] for hop in hops]

    assert all(np.isfinite(one.level_dbfs) for one in found)
    assert all(0 <= note.velocity <= 1 and note.frequency_hz > 0 for one in found for note in one.notes)


@pytest.mark.parametrize("shape", [(HOP_FRAMES,), (2, HOP_FRAMES), (1, HOP_FRAMES - 1)])
def test_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="hops must be"):
        Detector().process(np.zeros(shape, np.float32))


LEAST_F1 = {"chord_piano": 0.96, "bach_guitar": 0.885, "mono_violin": 0.945}


def test_music_is_heard_as_well_as_was_measured() -> None:
    """Measured: .973, .899, .958; the detector computes the same everywhere but for rounding."""
    found = {piece.name: note_scores.score(piece.notes, note_detectors.ours(piece.hops)) for piece in pieces(MUSIC)}

    f1 = {name: 2 * one.hits / (2 * one.hits + one.false + one.missed) for name, one in found.items()}
    assert f1.keys() == LEAST_F1.keys()
    assert all(f1[name] >= least for name, least in LEAST_F1.items()), f1
