from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jambridge.light import scene, strokes
from jambridge.light.control import MidiPlayer
from jambridge.light.effects import Part
from jambridge.light.keyed import SHORTEST_S, STILL_S, Keyed
from jambridge.light.presenting import Timing, Way
from jambridge.notes.stroke import Stroke
from jambridge.units import LocalSeconds, MidiNote, PeerId

ADA = MidiPlayer(PeerId("ada"), "Ada", "piano", is_line_in=False)


def at(seconds: float) -> LocalSeconds:
    return LocalSeconds(seconds)


def stroke(midi: int, began: float, ended: float | None = None, velocity: float = 0.5) -> Stroke:
    return Stroke(MidiNote(midi), velocity, at(began), None if ended is None else at(ended))


def told(one: Keyed, now: float, *played: Stroke) -> bool:
    return one.follow(replace(ADA, strokes=played), at(now))


def sounding(one: Keyed, now: float) -> list[int]:
    return [stroke.midi for stroke in one.part(at(now)).strokes if stroke.sounds(at(now))]


def test_what_is_told_twice_is_no_news() -> None:
    one = Keyed(ADA)

    assert told(one, 1, stroke(60, 1))
    assert not told(one, 1.1, stroke(60, 1))
    assert told(one, 2, stroke(60, 1, 2))
    assert not told(one, 3), "nothing sounds any more, and that was known"
    assert one.part(at(3)).strokes == (stroke(60, 1, 2),)


def test_what_sounded_and_is_not_told_of_has_ended() -> None:
    one = Keyed(ADA)
    told(one, 1, stroke(60, 1), stroke(64, 1))

    assert told(one, 2, stroke(64, 1))
    assert sounding(one, 2) == [64]


def test_a_drums_note_is_seen_for_three_frames() -> None:
    one = Keyed(ADA)
    told(one, 1, stroke(38, 1, 1.001))

    assert sounding(one, 1 + SHORTEST_S - 0.001) == [38]
    assert strokes.level(one.part(at(1.01)).strokes[0], at(1.01), 0, 0) == 0.5
    assert sounding(one, 1 + SHORTEST_S) == []


def test_a_player_without_sound_flashes_and_is_as_loud_as_the_keys_are_struck() -> None:
    one = Keyed(ADA)
    told(one, 1, stroke(60, 1), stroke(64, 1, velocity=0.9))

    assert one.part(at(1.01)).flash == 1.0
    assert one.part(at(1.01)).level_dbfs == pytest.approx(-6)
    assert (one.part(at(2)).flash, one.sounds(at(2))) == (0.0, True)
    report = one.report(at(1.01))
    assert (report.name, report.notes, report.onset, report.level_dbfs) == ("Ada", (60, 64), True, -6.0)


def test_an_attack_that_is_heard_as_well_flashes_once() -> None:
    one = Keyed(ADA)
    told(one, 1, stroke(60, 1))

    def flash(now: float, heard_at: float) -> float:
        return one.beside(Part(flash=scene.flash(now - heard_at)), at(now)).flash

    levels = [flash(1 + index / 1000, heard_at=1.02) for index in range(300)]
    assert levels == sorted(levels, reverse=True)
    assert flash(2, heard_at=2) == 1.0, "another attack is another's"


def test_no_flash_is_left_behind_the_end_of_a_note() -> None:
    one = Keyed(ADA)
    told(one, 1, stroke(60, 1, 1.06))

    assert one.part(at(1.059)).flash == 1.0
    assert one.part(at(1.061)).flash == one.beside(Part(flash=1.0), at(1.061)).flash == 0.0


def test_shown_late_a_note_begins_flashes_and_ends_so_much_later() -> None:
    one = Keyed(ADA)
    one.set_timing(Timing(0.25, (Way(ADA.id, 0.05),)))
    told(one, 1, stroke(60, 1))

    assert one.sounds(at(1)), "frames go on until it is seen"
    assert (one.part(at(1.19)), one.pitch_classes(at(1.19))) == (Part(), frozenset())
    assert one.part(at(1.21)).strokes == (stroke(60, 1.2),)
    assert (one.part(at(1.21)).flash, one.pitch_classes(at(1.21))) == (1.0, frozenset({0}))
    told(one, 2, stroke(60, 1, 2))
    assert (sounding(one, 2.19), sounding(one, 2.21)) == ([60], [])
    one.set_timing(Timing())
    assert one.part(at(3)).strokes == (stroke(60, 1, 2),)


def test_a_delay_that_changes_leaves_what_was_played_before_as_it_was() -> None:
    one = Keyed(ADA)
    told(one, 1, stroke(60, 1, 1.5), stroke(62, 2))

    one.set_timing(Timing(0.3, since_s=1.8, before_s=0.1))

    assert one.part(at(3)).strokes == (stroke(60, 1.1, 1.6), stroke(62, 2.3))


def test_beside_its_sound_strokes_are_in_the_order_of_their_ends() -> None:
    one = Keyed(ADA)
    told(one, 5, stroke(60, 1, 2), stroke(62, 1, 4), stroke(64, 1))

    part = one.beside(Part((stroke(70, 1, 3), stroke(71, 1)), level_dbfs=-20), at(5))

    assert [stroke.midi for stroke in part.strokes][:3] == [60, 70, 62]
    assert {stroke.midi for stroke in part.strokes[3:]} == {64, 71}
    assert part.level_dbfs == -20


def test_pitch_classes_are_those_that_sound_or_die_away() -> None:
    one = Keyed(ADA)
    told(one, 2, stroke(60, 1), stroke(67, 1, 2))

    assert one.pitch_classes(at(2)) == {0, 7}
    assert one.pitch_classes(at(2 + STILL_S)) == {0}


@given(st.lists(st.lists(st.tuples(st.integers(0, 127), st.booleans()), max_size=80), max_size=40))
def test_what_is_remembered_is_bounded(tellings: list[list[tuple[int, bool]]]) -> None:
    one = Keyed(ADA)
    for now, notes in enumerate(tellings):
        told(one, now, *(stroke(midi, now, now if is_over else None) for midi, is_over in notes))

    assert len(one.part(at(99)).strokes) <= strokes.MOST
    assert set(sounding(one, len(tellings))) <= {midi for midi, _ in (tellings or [[]])[-1]}
