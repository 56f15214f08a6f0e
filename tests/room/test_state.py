"""The state's fields, and that merging needs no leader whatever anybody says."""

import contextlib
import json
import math
from functools import reduce
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jambridge.errors import WireError
from jambridge.room import state
from jambridge.room.state import FIELDS, MOST_OTHERS, RoomState, Stamp

VECTORS = Path(__file__).parents[1] / "vectors" / "state"

values = {
    "tempo": st.floats(40, 300),
    "key": st.from_regex(r"\A[A-G][#b]?\Z"),
    "scale": st.text("abc\uffee\U0001f3b5", min_size=1, max_size=4),
    "colorMode": st.sampled_from(state.COLOR_MODES),
    "isPlaying": st.booleans(),
}
# Few authors and revisions, so that equal stamps with different values, which only a liar makes, are common.
stamps = st.builds(Stamp, st.integers(0, 3), st.sampled_from(["", "a", "b"]))
others = st.tuples(
    st.sampled_from("pqrstuvwxyz"), st.integers(0, 3) | st.text("ab", max_size=2) | st.lists(st.booleans()), stamps
)
named = st.sampled_from(FIELDS).flatmap(lambda name: st.tuples(st.just(name), values[name], stamps))
states = st.lists(named | others, max_size=14).map(
    lambda entries: reduce(lambda held, entry: held.take(*entry), entries, RoomState())
)


@given(states, states)
def test_merging_is_commutative(a: RoomState, b: RoomState) -> None:
    assert a.merged(b) == b.merged(a)


@given(states, states, states)
def test_merging_is_associative(a: RoomState, b: RoomState, c: RoomState) -> None:
    assert a.merged(b).merged(c) == a.merged(b.merged(c))


@given(states, states)
def test_merging_is_idempotent(a: RoomState, b: RoomState) -> None:
    assert a.merged(a) == a
    assert a.merged(b).merged(b) == a.merged(b)


@given(states, named)
def test_a_change_of_ours_is_higher_than_all_that_we_know(held: RoomState, entry: tuple[str, object, Stamp]) -> None:
    name, value, _ = entry
    changed = held.changed(name, value, "me")
    assert changed.stamps[name] == (held.stamps[name].revision + 1, "me")
    assert held.merged(changed) == changed
    assert changed.values()[name] == value
    assert changed.revision == held.revision + 1


@given(states)
def test_unknown_fields_are_bounded_and_all_known_ones_have_a_stamp(held: RoomState) -> None:
    assert len(held.others) <= MOST_OTHERS
    assert set(held.stamps) == {*FIELDS, *held.others}


def test_a_state_at_first_is_what_the_contract_says() -> None:
    assert RoomState().values() == {
        "tempo": 120,
        "isPlaying": False,
        "key": "C",
        "scale": "major",
        "colorMode": "chromatic",
    }
    assert (RoomState().revision, RoomState()) == (0, RoomState())


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_tempo_that_json_cannot_say_is_none(value: float) -> None:
    with pytest.raises(WireError):
        state.checked("tempo", value)


@given(st.sampled_from((*FIELDS, "volume")), st.none() | st.integers() | st.floats() | st.text() | st.lists(st.text()))
def test_any_value_is_kept_or_a_wire_error(name: str, value: object) -> None:
    with contextlib.suppress(WireError):
        kept = state.checked(name, value)
        assert state.checked(name, kept) == kept


@given(st.lists(st.integers() | st.text() | st.none() | st.booleans(), max_size=3) | st.text())
def test_any_stamp_is_one_or_a_wire_error(value: object) -> None:
    with contextlib.suppress(WireError):
        assert list(state.checked_stamp(value)) == value


@pytest.mark.parametrize("value", [10**400, -(10**21), {"deep": [10**400]}, math.inf, [math.nan]])
def test_a_field_with_a_number_that_others_cannot_hold_is_refused(value: object) -> None:
    with pytest.raises(WireError):
        state.checked_other("x", value)


def test_a_field_too_large_to_carry_is_refused() -> None:
    state.checked_other("currentStep", {"step": 7})
    for name, value in (("currentStep", "x" * state.MAX_OTHER), ("a b", 1), ("", 1), ("x" * 65, 1)):
        with pytest.raises(WireError):
            state.checked_other(name, value)


@pytest.mark.parametrize("case", json.loads((VECTORS / "values.json").read_text()))
def test_values_are_those_of_the_shared_vectors(case: dict[str, object]) -> None:
    if case["ok"]:
        assert state.checked(str(case["field"]), case["value"]) == case["value"]
    else:
        with pytest.raises(WireError):
            state.checked(str(case["field"]), case["value"])


@pytest.mark.parametrize("case", json.loads((VECTORS / "merging.json").read_text()))
def test_merging_is_that_of_the_shared_vectors(case: dict[str, list[list[object]]]) -> None:
    held = RoomState()
    for name, value, stamp in case["taken"]:
        held = held.take(str(name), state.checked(str(name), value), state.checked_stamp(stamp))
    for name, value, stamp in case["held"]:
        assert (held.values()[str(name)], list(held.stamps[str(name)])) == (value, stamp)
