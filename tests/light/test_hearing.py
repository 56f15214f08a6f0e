"""Onsets and notes by stand-ins that hear what loudness says: 0.5 is an attack, and a level names a note."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from jambridge.audio.ring import Mono, Rings, Wake
from jambridge.audio.source import Source
from jambridge.light.control import MidiPlayer
from jambridge.light.ensemble import Ensemble
from jambridge.light.hearing import Hearing
from jambridge.light.presenting import Timing, Way
from jambridge.notes.detector import Detection
from jambridge.notes.frame import Note
from jambridge.notes.stroke import Stroke
from jambridge.units import Frames, LocalSeconds, MidiNote, PeerId

RATE = 48_000
BLOCK = 200


class LoudOnsets:
    def __init__(self) -> None:
        self.heard = 0

    def process(self, blocks: NDArray[np.float32], /) -> NDArray[np.bool_]:
        assert blocks.shape[1:] == (BLOCK,)
        self.heard += len(blocks)
        attacked: NDArray[np.bool_] = (blocks == 0.5).any(axis=1)
        return attacked


class LevelNotes:
    """A hop's last sample in hundredths is the note."""

    def __init__(self) -> None:
        self.hops: list[Mono] = []

    def process(self, hops: NDArray[np.float32], /) -> list[Detection]:
        assert hops.shape == (1, 800)
        self.hops.append(hops[0])
        midi = round(float(hops[0, -1]) * 100)
        notes = (Note(MidiNote(midi), 440.0, 0.7),) if midi else ()
        return [Detection(notes, onset=False, level_dbfs=-20.0 if midi else -100.0)]


class Player:
    def __init__(self, slot: int = 0, generation: int = 1) -> None:
        self.source = Source(slot, generation, PeerId(f"peer{slot}"), f"player {slot}")
        self.written = 0

    def play(self, rings: Rings, samples: Mono, now: float) -> Wake:
        rings.write(self.source.slot, Frames(self.written), samples)
        self.written += len(samples)
        return Wake(self.source.slot, self.source.generation, Frames(self.written), LocalSeconds(now))


ADA = MidiPlayer(PeerId("peer0"), "player 0", "piano", is_line_in=False)


class Room:
    def __init__(self) -> None:
        self.rings = Rings.create(2, RATE)
        self.onsets: list[LoudOnsets] = []
        self.notes: list[LevelNotes] = []
        self.ensemble = Ensemble(self.rings, self.listen)

    def listen(self, source: Source) -> Hearing:
        self.onsets.append(LoudOnsets())
        self.notes.append(LevelNotes())
        return Hearing(source, self.onsets[-1], BLOCK, self.notes[-1])

    def hear(self, player: Player, samples: Mono, now: float) -> tuple[bool, bool]:
        """Whether an attack was told, and whether anything else is to be seen than before."""
        attacked = any(list(self.ensemble.receive([player.play(self.rings, samples, now)], LocalSeconds(now))))
        while self.ensemble.has_hop():
            self.ensemble.detect()
        return attacked, self.ensemble.advance(LocalSeconds(now))

    def key(self, now: float, *strokes: Stroke, player: MidiPlayer = ADA) -> bool:
        """Whether anything else is to be seen than before."""
        self.ensemble.set_midi([replace(player, strokes=strokes)], LocalSeconds(now))
        return self.ensemble.advance(LocalSeconds(now))

    def pitches(self, now: float) -> list[int]:
        parts = [part for _, part in self.ensemble.parts(LocalSeconds(now))]
        sounding = [stroke.midi for part in parts for stroke in part.strokes if stroke.sounds(LocalSeconds(now))]
        return sorted(sounding)


@pytest.fixture
def room() -> Room:
    return Room()


def level(value: float, frames: int = 960) -> Mono:
    return np.full(frames, value, np.float32)


def test_an_attack_is_told_before_the_notes_are_found(room: Room) -> None:
    player = Player()
    room.ensemble.set_sources([player.source])
    room.hear(player, level(0.0), 1.0)

    (attacked,) = room.ensemble.receive([player.play(room.rings, level(0.5), 1.02)], LocalSeconds(1.02))

    assert room.ensemble.advance(LocalSeconds(1.02))
    assert attacked and not room.pitches(1.02)
    assert [part.flash for _, part in room.ensemble.parts(LocalSeconds(1.02))] == [1.0]
    room.ensemble.detect()
    assert not room.ensemble.has_hop()
    assert room.ensemble.advance(LocalSeconds(1.02))
    assert room.pitches(1.02) == [50]


def test_one_attack_flashes_once(room: Room) -> None:
    player = Player()
    room.ensemble.set_sources([player.source])

    told = [room.hear(player, level(0.5), 1 + index * 0.02)[0] for index in range(5)]

    assert told == [True, False, False, True, False]


@given(sizes=st.lists(st.integers(1, 3000), min_size=1, max_size=30))
def test_every_sample_is_heard_once_and_in_order_however_it_comes(sizes: list[int]) -> None:
    room, player = Room(), Player()
    room.ensemble.set_sources([player.source])
    room.hear(player, level(0.0, 800), 0.0)  # a listener begins with the newest 800
    ramp = np.arange(1, sum(sizes) + 1, dtype=np.float32)

    for index, samples in enumerate(np.split(ramp, np.cumsum(sizes)[:-1])):
        room.hear(player, samples, index * 0.02)

    heard = np.concatenate(room.notes[0].hops)[800:]
    np.testing.assert_array_equal(heard, ramp[: len(heard)])
    assert len(ramp) - len(heard) < 800
    assert room.onsets[0].heard == (800 + len(ramp)) // BLOCK


def test_without_sound_arriving_nothing_sounds(room: Room) -> None:
    player = Player()
    room.ensemble.set_sources([player.source])
    room.hear(player, level(0.6), 1.0)

    assert room.pitches(1.09) == [60] and room.ensemble.sounds(LocalSeconds(1.09))
    assert room.pitches(1.11) == [] and not room.ensemble.sounds(LocalSeconds(1.11))


def test_a_listener_that_lagged_starts_anew_at_the_newest(room: Room) -> None:
    player = Player()
    room.ensemble.set_sources([player.source])
    room.hear(player, level(0.1), 1.0)
    for _ in range(60):
        player.play(room.rings, level(0.2), 1.0)

    room.hear(player, level(0.3), 2.2)

    assert room.pitches(2.2) == [30]
    assert len(room.notes[0].hops) == 2


def test_a_slot_used_again_is_another_source(room: Room) -> None:
    first, second = Player(generation=1), Player(generation=2)
    room.ensemble.set_sources([first.source])
    room.hear(first, level(0.6), 1.0)

    room.ensemble.set_sources([second.source])

    assert room.pitches(1.01) == []
    assert room.hear(first, level(0.6), 1.02) == (False, False)  # what was still under way
    room.hear(second, level(0.7), 1.03)
    assert room.pitches(1.03) == [70]
    assert len(room.notes) == 2


def test_a_new_name_is_not_a_new_source(room: Room) -> None:
    player = Player()
    room.ensemble.set_sources([player.source])
    room.hear(player, level(0.6), 1.0)

    room.ensemble.set_sources([Source(0, 1, PeerId("peer0"), "renamed")])

    (report,) = room.ensemble.report(LocalSeconds(1.0))
    assert (report.name, report.notes, report.age_s) == ("renamed", (60,), 0.0)


def test_all_players_sound_together(room: Room) -> None:
    one, two = Player(0), Player(1)
    room.ensemble.set_sources([one.source, two.source])

    room.hear(one, level(0.6), 1.0)
    room.hear(two, level(0.64), 1.0)

    assert room.pitches(1.0) == [60, 64]


def test_a_source_never_heard_can_be_reported(room: Room) -> None:
    room.ensemble.set_sources([Player().source])

    (report,) = room.ensemble.report(LocalSeconds(5.0))

    assert (report.notes, report.onset, report.level_dbfs) == ((), False, -120.0)


def keyed(midi: int, began: float, ended: float | None = None) -> Stroke:
    return Stroke(MidiNote(midi), 0.8, LocalSeconds(began), None if ended is None else LocalSeconds(ended))


def test_a_note_that_is_played_over_midi_and_heard_is_one_and_its_octave_none(room: Room) -> None:
    player = Player()
    room.ensemble.set_sources([player.source])
    assert room.key(1.0, keyed(60, 1.0))

    for now, heard in ((1.02, 0.6), (1.04, 0.72), (1.06, 0.48)):
        assert room.hear(player, level(heard), now) == (False, False)
        assert room.pitches(now) == [60]

    assert room.hear(player, level(0.64), 1.08) == (False, True), "somebody sings to it"
    assert room.pitches(1.08) == [60, 64]
    (report,) = room.ensemble.report(LocalSeconds(1.08))
    assert report.notes == (60, 64)


def test_a_note_that_is_heard_first_is_left_to_midi(room: Room) -> None:
    player = Player()
    room.ensemble.set_sources([player.source])
    room.hear(player, level(0.72), 1.0)
    assert room.pitches(1.0) == [72]

    room.key(1.01, keyed(60, 1.01))

    assert room.pitches(1.01) == [60]


def test_a_note_that_was_released_is_dark_however_long_its_sound_dies_away(room: Room) -> None:
    player = Player()
    room.ensemble.set_sources([player.source])
    room.key(1.0, keyed(60, 1.0))
    room.hear(player, level(0.6), 1.02)
    room.key(1.1, keyed(60, 1.0, 1.1))

    for hop in range(60):
        room.hear(player, level(0.6, 800), 1.1 + hop / 60)
        assert room.pitches(1.1 + hop / 60) == []

    room.hear(player, level(0.0, 800), 2.2)
    room.hear(player, level(0.6, 800), 2.3)
    assert room.pitches(2.3) == [60], "and is heard again when it is struck again"


def test_another_players_notes_are_nobody_elses(room: Room) -> None:
    player = Player()
    room.ensemble.set_sources([player.source])
    room.key(1.0, keyed(60, 1.0), player=replace(ADA, id=PeerId("bo"), name="Bo"))

    room.hear(player, level(0.6), 1.02)

    assert room.pitches(1.02) == [60, 60]
    assert [one.name for one, _ in room.ensemble.parts(LocalSeconds(1.02))] == ["player 0", "Bo"]
    assert [one.name for one in room.ensemble.report(LocalSeconds(1.02))] == ["player 0", "Bo"]


def test_together_midi_waits_as_the_sound_of_its_player_does_and_they_are_one(room: Room) -> None:
    player = Player()
    room.ensemble.set_sources([player.source])
    room.ensemble.set_timing(Timing(0.2, (Way(player.source.id, 0.05),)))
    room.key(1.0, keyed(60, 1.0))
    shown = {}

    for packet in range(40):
        now = 1 + packet / 50
        room.hear(player, level(0.72), now)
        shown[now] = room.pitches(now)

    assert {now for now, pitches in shown.items() if pitches} == {now for now in shown if now >= 1.15}
    assert all(pitches in ([], [60]) for pitches in shown.values())


def test_without_sound_midi_lights_until_it_ends_or_its_player_is_gone(room: Room) -> None:
    assert not room.ensemble.has_members

    assert room.key(1.0, keyed(60, 1.0))
    assert room.ensemble.has_members
    assert room.pitches(1.0) == [60] and room.ensemble.sounds(LocalSeconds(60.0))
    assert room.key(61.0, keyed(60, 1.0, 61.0))
    assert room.pitches(61.1) == [] and not room.ensemble.sounds(LocalSeconds(61.1))

    room.key(62.0, keyed(60, 62.0))
    room.ensemble.set_midi([], LocalSeconds(63.0))
    assert room.ensemble.advance(LocalSeconds(63.0))
    assert room.pitches(63.0) == [] and not room.ensemble.has_members


def test_notes_of_a_sound_that_has_stopped_do_not_come_back_with_midi(room: Room) -> None:
    player = Player()
    room.ensemble.set_sources([player.source])
    room.hear(player, level(0.6), 1.0)

    room.key(5.0, keyed(64, 5.0))

    assert room.pitches(5.0) == [64]


def test_who_does_not_listen_knows_that_sound_arrives_and_nothing_else(room: Room) -> None:
    player = Player()
    room.ensemble.set_sources([player.source])
    room.hear(player, level(0.6), 1.0)

    room.ensemble.attend([player.play(room.rings, level(0.7), 1.3)])

    assert not room.ensemble.has_hop() and room.pitches(1.3) == []
    (report,) = room.ensemble.report(LocalSeconds(1.3))
    assert report.age_s == 0.0
    room.hear(player, level(0.8), 1.32)
    assert room.pitches(1.32) == [80]
    assert len(room.notes[0].hops) == 2, "from the newest on"


def test_a_key_is_news_until_it_is_shown_and_what_is_heard_is_none(room: Room) -> None:
    player = Player()
    room.ensemble.set_sources([player.source])

    room.hear(player, level(0.6), 1.0)
    assert any(room.ensemble.receive([player.play(room.rings, level(0.5), 1.02)], LocalSeconds(1.02)))
    assert not room.ensemble.has_news

    room.ensemble.set_midi([replace(ADA, strokes=(keyed(64, 1.03),))], LocalSeconds(1.03))
    assert room.ensemble.has_news
    assert room.ensemble.advance(LocalSeconds(1.03))
    assert not room.ensemble.has_news
