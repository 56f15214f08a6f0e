"""What a host writes, and what it leaves alone."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jambridge.store import merging, record
from jambridge.store.merging import Moment, Setup
from jambridge.strict_json import JsonObject
from tests.store.golden import GOLDEN, GUITAR, HARDWARE, ISOMETRIC, MUSIC, PIANO, STUDIO
from tests.store.saving import SETUP
from tests.store.test_record import states, values

WALL = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
ROOM = {key: MUSIC[key] for key in ("tempo", "key", "scale", "colorMode", "isPlaying")}
NOW = Moment(ROOM, participants=1, setup=SETUP, minutes=0, wall=WALL)
BARE = replace(NOW, setup=Setup())
OWN = {"instanceId": "jambridge-leds-1", "moduleId": "led-bridge", "label": "LEDs", "color": ""}


def saved(previous: JsonObject | None, moment: Moment, **more: Any) -> JsonObject:
    state = merging.snapshot(previous, moment, **more)
    assert state is not None
    return state


def numbered(state: JsonObject, changes: int) -> JsonObject:
    return {**state, "metadata": {**state["metadata"], "totalStateChanges": changes, "durationMinutes": changes}}


def test_the_first_save_is_the_whole_session() -> None:
    assert saved(None, NOW) == GOLDEN


def test_a_first_save_without_anything_is_a_session_of_defaults() -> None:
    state = saved(None, Moment({}, 1, Setup(), 0, WALL))

    assert state["music"] == {
        "tempo": 120,
        "key": "C",
        "scale": "major",
        "colorMode": "chromatic",
        "masterVolume": 0.8,
        "isPlaying": False,
    }
    assert state["studio"] == {"loadedModules": [], "activeModuleId": None}
    assert state["hardware"] == {
        "midi": {"inputDevice": None, "outputDevice": None, "connected": False},
        "wled": {"devices": [], "activeDeviceId": None},
    }


def test_nothing_new_is_nothing_to_save() -> None:
    later = replace(NOW, wall=WALL + timedelta(seconds=30))

    assert merging.snapshot(GOLDEN, later) is None


def test_several_changes_in_one_tick_count_once() -> None:
    setup = replace(SETUP, master_volume=0.9, modules=(PIANO, GUITAR, ISOMETRIC), active_module="piano-1")
    later = Moment({**ROOM, "tempo": 160.0}, 1, setup, minutes=1, wall=WALL + timedelta(seconds=60))

    state = saved(GOLDEN, later)

    assert state["music"] == {**MUSIC, "tempo": 160, "masterVolume": 0.9}
    assert state["studio"] == {"loadedModules": [PIANO, GUITAR, ISOMETRIC], "activeModuleId": "piano-1"}
    assert state["metadata"] == {
        "participantCount": 1,
        "totalStateChanges": 1,
        "durationMinutes": 1,
        "updatedAt": "2026-11-21T09:01:00.000000+00:00",
        "revision": 2,
    }
    assert isinstance(state["music"]["tempo"], int)  # 160, as JavaScript writes it


@pytest.mark.parametrize("changes", [{"participants": 2}, {"minutes": 1}])
def test_counts_alone_are_saved_but_are_no_change_of_state(changes: dict[str, Any]) -> None:
    state = saved(GOLDEN, replace(NOW, **changes))

    assert (state["metadata"]["totalStateChanges"], state["metadata"]["revision"]) == (0, 2)


def test_a_resumed_session_counts_its_changes_from_its_own_beginning() -> None:
    resumed = merging.renamed(numbered(GOLDEN, 40), "Resumed from OLD123")

    first = saved(resumed, replace(NOW, music={**ROOM, "tempo": 99.5}))
    second = saved(first, replace(NOW, music={**ROOM, "tempo": 100.0}))

    assert first["metadata"] == {**GOLDEN["metadata"], "sessionName": "Resumed from OLD123"}
    assert [state["metadata"]["totalStateChanges"] for state in (first, second)] == [0, 1]
    assert (first["music"]["tempo"], first["studio"]) == (99.5, STUDIO)


def test_minutes_are_floored_and_never_fall() -> None:
    assert [merging.minutes_between(100.0, at) for at in (100.0, 159.9, 160.0, 50.0)] == [0, 0, 1, 0]

    long_lasting = saved(GOLDEN, replace(NOW, minutes=50))
    assert merging.duration(long_lasting) == 50
    assert merging.snapshot(long_lasting, replace(NOW, minutes=3)) is None


@given(hours=st.sampled_from([-24, 24]), minutes=st.integers(0, 600))
def test_the_wall_clock_counts_no_minutes(hours: int, minutes: int) -> None:
    jumped = replace(NOW, wall=WALL + timedelta(hours=hours), minutes=minutes, participants=3)

    assert saved(GOLDEN, jumped)["metadata"]["durationMinutes"] == minutes


def test_an_untouched_room_does_not_replace_the_music_that_is_stored() -> None:
    state = saved(GOLDEN, Moment({}, 2, Setup(), 0, WALL))

    assert state["music"] == MUSIC


def test_what_we_do_not_have_keeps_what_is_stored() -> None:
    hardware = {**HARDWARE, "midi": {**HARDWARE["midi"], "connected": True}}
    state = saved({**GOLDEN, "hardware": hardware}, replace(BARE, minutes=7))

    assert (state["studio"], state["hardware"]) == (STUDIO, hardware)


def test_our_own_modules_are_replaced_and_the_others_stay() -> None:
    first = saved(GOLDEN, replace(BARE, setup=Setup(modules=(OWN,))))
    second = saved(first, replace(BARE, setup=Setup(modules=({**OWN, "label": "Lights"},))))

    assert second["studio"]["loadedModules"] == [PIANO, GUITAR, {**OWN, "label": "Lights"}]
    assert second["studio"]["activeModuleId"] == "guitar-1"


def test_without_addresses_none_is_stored() -> None:
    state = saved(GOLDEN, replace(NOW, participants=2), device_ips=False)

    assert state["hardware"]["wled"]["devices"] == [{"id": "a4cf12ffee01", "name": "Studio Lights"}]
    assert "192.168.1.100" not in json.dumps(state)


@given(unknown=states, block=st.sampled_from(["", "music", "studio", "hardware", "metadata"]))
def test_unknown_keys_survive_a_save_by_us(unknown: JsonObject, block: str) -> None:
    foreign = {f"x-{key}": value for key, value in unknown.items()}
    previous = {**GOLDEN, **foreign} if not block else {**GOLDEN, block: {**GOLDEN[block], **foreign}}

    state = saved(previous, replace(NOW, participants=4))

    kept = state if not block else state[block]
    assert {key: kept[key] for key in foreign} == foreign


@given(st.dictionaries(st.sampled_from(["music", "studio", "hardware", "metadata", "x"]), values, max_size=5))
def test_whatever_was_stored_a_save_makes_a_session_of_it(previous: JsonObject) -> None:
    state = saved(previous, replace(NOW, participants=4))

    assert {key: state["music"][key] for key in ROOM} == ROOM
    assert state["metadata"]["revision"] >= 1


THEIRS = {
    **GOLDEN,
    "music": {**MUSIC, "tempo": 90, "swing": 0.2},
    "studio": {"loadedModules": [ISOMETRIC], "activeModuleId": "isometric-1", "zoom": 2},
    "metadata": {**GOLDEN["metadata"], "sessionName": "Friday", "totalStateChanges": 7, "revision": 9},
    "mixer": {"faders": [1, 2]},
}


def test_ours_and_theirs_make_our_music_with_their_studio() -> None:
    merged = merging.merge(GOLDEN, THEIRS)

    assert merged["music"] == {**MUSIC, "swing": 0.2}
    assert (merged["studio"], merged["mixer"]) == (THEIRS["studio"], THEIRS["mixer"])
    assert merged["metadata"] == {**GOLDEN["metadata"], "sessionName": "Friday", "totalStateChanges": 7, "revision": 10}


def test_an_untouched_room_leaves_their_music() -> None:
    assert merging.merge_untouched(GOLDEN, THEIRS)["music"]["tempo"] == 90


def test_our_own_modules_come_into_their_studio() -> None:
    ours = {**GOLDEN, "studio": {"loadedModules": [PIANO, OWN], "activeModuleId": None}}

    assert merging.merge(ours, THEIRS)["studio"]["loadedModules"] == [ISOMETRIC, OWN]


def test_hardware_that_we_lack_stays_theirs() -> None:
    ours = {**GOLDEN, "hardware": {"midi": {"inputDevice": None, "connected": False}, "wled": {"devices": []}}}

    merged = merging.merge(ours, THEIRS)["hardware"]

    assert merged["wled"] == HARDWARE["wled"]
    assert merged["midi"] == {**HARDWARE["midi"], "connected": False}


@given(states, states)
def test_merging_anything_is_later_than_both(ours: JsonObject, theirs: JsonObject) -> None:
    merged = merging.merge({**ours, **GOLDEN}, theirs)

    assert merged["metadata"]["revision"] >= 1
    assert merging.same(merging.merge(merged, merged), merged)


@pytest.mark.parametrize("absurd", [10**20 - 1, 2**53, -(10**18)])
def test_a_count_that_nobody_reaches_stops_no_save(absurd: int) -> None:
    counts = dict.fromkeys(("revision", "totalStateChanges", "durationMinutes"), absurd)
    stored = GOLDEN | {"metadata": GOLDEN["metadata"] | counts}
    for state in (saved(stored, NOW), merging.merge(stored, stored), merging.following(stored, absurd)):
        assert 0 < record.decode(record.encode(state))["metadata"]["revision"] <= 2**53
    assert saved(stored, NOW)["metadata"]["totalStateChanges"] <= 1


def test_what_differs_by_its_revision_alone_is_the_same() -> None:
    other = {**GOLDEN, "metadata": {**GOLDEN["metadata"], "revision": 12}}

    assert merging.same(GOLDEN, other) and not merging.same(GOLDEN, THEIRS)
    assert merging.numbered_as(GOLDEN, GOLDEN, other) == other
    assert merging.following(GOLDEN, 4)["metadata"]["revision"] == 5
