"""Whose turn it is."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from jambridge.door.turns import Turns


def taken(turns: Turns[str]) -> list[str]:
    return [turns.take() for _ in iter(lambda: bool(turns), False)]


def test_each_address_has_its_turn_and_within_one_who_came_first() -> None:
    turns = Turns[str]()
    for one in ("a1", "a2", "a3", "b1", "c1", "b2"):
        turns.put(one[0], one)

    assert taken(turns) == ["a1", "b1", "c1", "a2", "b2", "a3"]


def test_who_comes_while_a_crowd_waits_has_the_next_turn() -> None:
    turns = Turns[str]()
    for number in range(800):
        turns.put("crowd", f"crowd {number}")

    assert turns.take() == "crowd 0"
    turns.put("other", "other")

    assert [turns.take(), turns.take()] == ["crowd 1", "other"]


@given(st.lists(st.sampled_from("abcd"), max_size=40))
def test_nobody_is_lost_and_no_address_has_two_turns_while_another_waits(addresses: list[str]) -> None:
    turns = Turns[tuple[str, int]]()
    for number, address in enumerate(addresses):
        turns.put(address, (address, number))

    order = []
    while turns:
        order.append(turns.take())

    assert sorted(number for _, number in order) == list(range(len(addresses)))
    for at, ((before, _), (after, _)) in enumerate(itertools.pairwise(order)):
        assert before != after or {address for address, _ in order[at:]} == {before}
