import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jambridge.errors import WireError
from jambridge.light import claims
from jambridge.light.claims import Claims
from jambridge.units import PeerId

A, B = "aaaaaaaaaaaa", "bbbbbbbbbbbb"
LOW, MIDDLE, HIGH = PeerId("a"), PeerId("b"), PeerId("c")


def heard(said: dict[PeerId, set[str]], me: PeerId = MIDDLE) -> Claims:
    there = Claims(me)
    there.set_members([LOW, MIDDLE, HIGH])
    for sender, macs in said.items():
        there.hear(claims.payload(macs), sender)
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
    there.hear(claims.payload({B}), LOW)

    assert there.taken() == {B}


def test_who_has_left_claims_nothing() -> None:
    there = heard({LOW: {A}})

    there.set_members([MIDDLE, HIGH])

    assert there.taken() == frozenset()
    with pytest.raises(WireError):
        there.hear(claims.payload({A}), LOW)


odd = st.none() | st.integers() | st.text(max_size=14) | st.just(A)


@given(st.fixed_dictionaries({}, optional={"macs": odd | st.lists(odd, max_size=5), "fromPeerId": odd}))
def test_any_payload_is_a_claim_or_a_wire_error(payload: dict[str, Any]) -> None:
    there = heard({})
    with contextlib.suppress(WireError):
        there.hear(payload, LOW)
    assert all(len(mac) == 12 for mac in there.taken())


def test_a_claim_to_the_world_is_refused() -> None:
    with pytest.raises(WireError):
        heard({}).hear({"macs": [f"{number:012x}" for number in range(65)]}, LOW)
