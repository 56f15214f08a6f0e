import contextlib
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jambridge.errors import WireError
from jambridge.light.claims import Claim, Claims, parse
from jambridge.light.presenting import Delay
from jambridge.units import PeerId

A, B = "aaaaaaaaaaaa", "bbbbbbbbbbbb"
LOW, MIDDLE, HIGH = PeerId("a"), PeerId("b"), PeerId("c")


def heard(said: dict[PeerId, set[str]], me: PeerId = MIDDLE) -> Claims:
    there = Claims(me)
    there.set_members([LOW, MIDDLE, HIGH])
    for sender, macs in said.items():
        there.hear(Claim(frozenset(macs)).payload(), sender)
    return there


def test_what_a_lower_id_claims_is_not_ours() -> None:
    assert heard({LOW: {A}, HIGH: {A, B}}).taken() == {A}
    assert heard({LOW: {A}, MIDDLE: {B}}, me=HIGH).taken() == {A, B}
    assert heard({MIDDLE: {A}, HIGH: {B}}, me=LOW).taken() == frozenset()


def test_of_any_claimants_exactly_one_drives() -> None:
    members = [LOW, MIDDLE, HIGH]
    for claimants in ({LOW, MIDDLE, HIGH}, {MIDDLE, HIGH}, {HIGH}):
        drivers = [
            me for me in claimants if A not in heard({peer: {A} for peer in claimants if peer != me}, me=me).taken()
        ]
        assert drivers == [min(claimants)]
    assert len(members) == 3


def test_the_newest_claim_is_the_whole_of_it() -> None:
    there = heard({LOW: {A}})
    there.hear(Claim(frozenset({B})).payload(), LOW)

    assert there.taken() == {B}


def test_who_has_left_claims_nothing() -> None:
    there = heard({LOW: {A}})

    there.set_members([MIDDLE, HIGH])

    assert there.taken() == frozenset()
    with pytest.raises(WireError):
        there.hear(Claim(frozenset({A})).payload(), LOW)


number = st.none() | st.integers() | st.floats() | st.text(max_size=3)
odd = st.none() | st.integers() | st.text(max_size=14) | st.just(A)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "macs": st.just([]) | odd | st.lists(odd, max_size=5),
            "delayMs": number,
            "delayFromMs": number,
            "asks": number | st.booleans(),
        },
    )
)
def test_any_payload_is_a_claim_or_a_wire_error(payload: dict[str, Any]) -> None:
    there = heard({})
    with contextlib.suppress(WireError):
        there.hear(payload, LOW)
    assert all(len(mac) == 12 for mac in there.taken())
    assert all(0 <= one.seconds <= 1 and 0 <= one.since_s < math.inf for one in there.delays())
    assert there.is_asked() in (True, False)


def test_a_claim_to_the_world_is_refused() -> None:
    with pytest.raises(WireError):
        heard({}).hear({"macs": [f"{number:012x}" for number in range(65)]}, LOW)


milliseconds = st.integers(0, 1000).map(lambda ms: ms / 1000)


@given(
    st.builds(Claim, st.just(frozenset({A})), st.none() | st.builds(Delay, milliseconds, milliseconds), st.booleans())
)
def test_parse_undoes_payload(claim: Claim) -> None:
    assert parse(claim.payload()) == claim


def test_the_delays_and_questions_of_those_who_are_here_count() -> None:
    there = heard({})
    assert (there.delays(), there.is_asked()) == ((), False)
    there.hear({"macs": [A], "delayMs": 40}, LOW)
    there.hear({"macs": [B], "delayMs": 90, "delayFromMs": 7500, "asks": True}, HIGH)

    assert (there.delays(), there.is_asked()) == ((Delay(0.04), Delay(0.09, 7.5)), True)

    there.set_members([LOW, MIDDLE])
    assert (there.delays(), there.is_asked()) == ((Delay(0.04),), False)
