import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from jambridge.listen import hops, listen, to_json
from jambridge.notes.frame import HOP_FRAMES, Note, NoteFrame
from jambridge.units import LocalSeconds, MidiNote
from tests.notes.signals import pluck, silence, tone


def test_a_frame_is_printed_as_the_contract_says() -> None:
    note = Note(MidiNote(60), 261.62557, 0.7123)
    frame = NoteFrame(60, LocalSeconds(61 / 60), "file", (note,), onset=False, level_dbfs=-21.4321)

    printed = json.dumps(to_json(frame))

    assert printed == (
        '{"time": 1.0167, "onset": false, "level_dbfs": -21.4, '
        '"notes": [{"note": "C4", "midi": 60, "frequency": 261.63, "cents": 0.0, "velocity": 0.71}]}'
    )


def test_a_note_says_how_far_it_is_out_of_tune() -> None:
    flat, sharp = Note(MidiNote(69), 435.0, 0.5), Note(MidiNote(40), 83.0, 0.5)

    assert (flat.name, round(flat.cents, 1)) == ("A4", -19.8)  # 1200 log2(435 / 440)
    assert (sharp.name, round(sharp.cents, 1)) == ("E2", 12.4)


def test_silence_is_finite_json() -> None:
    (frame,) = listen([np.zeros((HOP_FRAMES, 2), np.float32)])

    assert json.loads(json.dumps(to_json(frame), allow_nan=False))["notes"] == []


def test_a_chord_is_heard_with_its_onset() -> None:
    chord = pluck(60) + pluck(64) + pluck(67)
    sound = np.concatenate([silence(0.5), chord])[:, np.newaxis]

    frames = list(listen([sound]))

    assert len(frames) == 90
    assert [frame.index for frame in frames] == list(range(90))
    assert frames[-1].captured_at == 1.5
    assert [frame.captured_at for frame in frames if frame.onset] == [31 / 60]
    assert {note.midi for note in frames[40].notes} == {60, 64, 67}


SOUND = np.stack([tone(57, 0.2), pluck(69, 0.2)], axis=1)


@given(st.lists(st.integers(0, len(SOUND)), max_size=12).map(sorted))
def test_where_blocks_end_does_not_matter(cuts: list[int]) -> None:
    whole = list(hops([SOUND]))

    pieces = list(hops(np.split(SOUND, cuts)))

    np.testing.assert_array_equal(pieces, whole)
    assert len(whole) == 12


def test_frames_do_not_depend_on_the_blocks() -> None:
    assert list(listen(np.split(SOUND, [1, 999, 1_000, 5_000]))) == list(listen([SOUND]))


def test_nothing_that_comes_later_changes_a_frame() -> None:
    sound = np.concatenate([tone(60, 0.5), silence(0.5)])[:, np.newaxis]
    other = np.concatenate([tone(60, 0.5), tone(71, 0.5)])[:, np.newaxis]

    assert list(listen([sound]))[:30] == list(listen([other]))[:30]


def test_channels_are_averaged_and_what_is_not_finite_is_left_out() -> None:
    block = np.stack([np.full(HOP_FRAMES, 0.5), np.full(HOP_FRAMES, np.inf), np.full(HOP_FRAMES, 0.1)], axis=1)

    (hop,) = hops([block.astype(np.float32)])

    np.testing.assert_allclose(hop, 0.2, rtol=1e-6)
