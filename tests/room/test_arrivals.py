"""How much of what is broadcast is looked at."""

import pytest

from jambridge.room.arrivals import Arrivals
from jambridge.room.budget import LED_EVENT
from jambridge.room.flood import MUTE_S, PEER_BURST
from jambridge.strict_json import JsonObject
from jambridge.units import LocalSeconds, PeerId

HOST: JsonObject = {"fromPeerId": "host"}


def refused(arrivals: Arrivals, event: str, at_s: float) -> str | None:
    return arrivals.refusal(event, HOST, LocalSeconds(at_s))


def arrivals(*, hosted: bool) -> Arrivals:
    return Arrivals(PeerId("me"), lambda peer: peer == "host", hosted=hosted)


def test_at_a_hub_sixty_pictures_a_second_are_taken_and_a_stall_of_five_seconds_too() -> None:
    ours = arrivals(hosted=False)

    assert {refused(ours, LED_EVENT, tick / 60) for tick in range(1200)} == {None}
    assert {refused(ours, LED_EVENT, 25.0) for _ in range(300)} == {None}
    assert refused(ours, "tempo-change", 25.0) is None


def test_who_floods_with_pictures_is_muted_in_these_alone() -> None:
    ours = arrivals(hosted=False)

    assert "flood" in {refused(ours, LED_EVENT, 0.0) for _ in range(500)}
    assert refused(ours, LED_EVENT, MUTE_S - 0.1) == "flood"
    assert refused(ours, "tempo-change", 0.0) is None
    assert refused(ours, LED_EVENT, MUTE_S) is None


@pytest.mark.parametrize("event", [LED_EVENT, "tempo-change"])
def test_over_hosted_supabase_pictures_count_as_all_else(event: str) -> None:
    ours = arrivals(hosted=True)

    assert {refused(ours, event, 0.0) for _ in range(int(PEER_BURST))} == {None}
    assert refused(ours, event, 0.0) == "flood"
    assert refused(ours, "tempo-change", 0.0) == "flood"
