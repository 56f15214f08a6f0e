"""Who gets in, and who has to give way."""

import itertools
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jambridge.door.gate import Ends, Gate

OURS = ("10.0.0.1", 80)
LATER_S = 1.0
ports = itertools.count(1000)


@dataclass(eq=False)
class Caller:
    ends: Ends
    was_sent_away: bool = False

    def give_way(self) -> None:
        self.was_sent_away = True


def caller(address: str) -> Caller:
    return Caller((OURS, (address, next(ports))))


def crowd(gate: Gate, **counts: int) -> list[Caller]:
    """So many of each address, admitted at 0.0."""
    callers = [caller(address) for address, count in counts.items() for _ in range(count)]
    assert all(gate.admit(one, 0.0) for one in callers)
    return callers


def gone(callers: list[Caller]) -> list[int]:
    return [place for place, one in enumerate(callers) if one.was_sent_away]


def test_the_one_idle_longest_of_the_address_with_most_of_them_gives_way_at_once() -> None:
    gate = Gate(most=6, most_per_address=4)
    callers = crowd(gate, small=2, large=4)
    gate.attend(callers[2].ends)
    gate.rest(callers[2].ends, 0.5)  # it asked something: then 3 is idle longest

    assert gate.admit(caller("other"), 0.0)

    assert gone(callers) == [3]
    assert (gate.open, gate.displaced, gate.refused) == (6, 1, 0)


def test_who_is_being_answered_is_not_counted_among_the_crowd() -> None:
    gate = Gate(most=6, most_per_address=4)
    callers = crowd(gate, busy=3, large=3)
    for one in callers[:3]:
        gate.attend(one.ends)

    assert gate.admit(caller("busy"), 0.0)

    assert gone(callers) == [3]


def test_nobody_who_is_being_answered_gives_way() -> None:
    gate = Gate(most=4, most_per_address=4)
    callers = crowd(gate, large=4)
    for one in callers:
        gate.attend(one.ends)

    assert not gate.admit(caller("other"), LATER_S)
    gate.rest(callers[1].ends, 0.0)
    assert gate.admit(caller("other"), LATER_S)

    assert gone(callers) == [1]
    assert gate.refused == 1


def test_who_has_as_much_as_the_others_waits_until_these_had_the_time_to_ask() -> None:
    gate = Gate(most=4, most_per_address=4)
    callers = crowd(gate, one=2, other=2)

    assert not gate.admit(caller("one"), 0.05)
    assert gate.admit(caller("one"), LATER_S)

    assert gone(callers) == [0]


@pytest.mark.parametrize(("now_s", "admitted"), [(0.05, False), (LATER_S, True)])
def test_an_address_that_has_all_it_may_have_makes_room_among_its_own(now_s: float, admitted: bool) -> None:
    gate = Gate(most=9, most_per_address=3)
    callers = crowd(gate, small=1, large=3)

    assert gate.admit(caller("large"), now_s) == admitted

    assert gone(callers) == [1] * admitted


def test_what_is_gone_is_forgotten_and_makes_room_once() -> None:
    gate = Gate(most=2, most_per_address=2)
    callers = crowd(gate, here=2)
    assert gate.admit(caller("there"), 0.0)  # one of those here had to go

    for one in callers:
        gate.release(one)
        gate.release(one)
        gate.rest(one.ends, 0.0)  # an answer that ends after its connection

    assert gate.open == 1
    crowd(gate, here=1)
    assert gate.displaced == 1


@given(
    st.lists(
        st.tuples(st.sampled_from(["come", "go", "ask", "rest"]), st.sampled_from("abc"), st.integers(0, 9)),
        max_size=60,
    )
)
def test_whatever_happens_what_is_counted_is_what_is_there(events: list[tuple[str, str, int]]) -> None:
    gate, there = Gate(most=5, most_per_address=3), list[Caller]()
    for at, (event, address, place) in enumerate(events):
        one = there[place % len(there)] if there else None
        if event == "come":
            new = caller(address)
            if gate.admit(new, at / 20):
                there.append(new)
        elif one is None:
            continue
        elif event == "go":
            gate.release(one)
            there.remove(one)
        elif event == "ask":
            gate.attend(one.ends)
        else:
            gate.rest(one.ends, at / 20)
        there = [one for one in there if not one.was_sent_away]
        assert gate.open == len(there) <= 5
        assert max((sum(one.ends[1][0] == name for one in there) for name in "abc"), default=0) <= 3
    for one in there:
        gate.release(one)
    assert gate.open == 0
