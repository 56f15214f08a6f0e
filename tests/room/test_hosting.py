"""Who is host: memory first, then the claims of those who are surer, then joining times."""

import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jambridge.room.hosting import PROVISIONAL_S, Hosting, Standing, elect
from jambridge.room.messages import Participant, parse_participant
from jambridge.room.presence import MOST_MEMBERS
from jambridge.units import LocalSeconds, PeerId

VECTORS = Path(__file__).parents[1] / "vectors" / "state"
WALL_S = 1_700_000_000.0
NOW = LocalSeconds(50.0)
LATER = LocalSeconds(NOW + PROVISIONAL_S)
ids = st.sampled_from([PeerId(letter) for letter in "abcdefgh"])
people = st.builds(
    Participant, ids, st.just("x"), st.booleans(), st.floats(-1e11, 1e11) | st.floats(WALL_S - 1e5, WALL_S + 1e4)
)
rooms = st.lists(people, min_size=1, max_size=8, unique_by=lambda member: member.id)


def person(peer: str, joined_at: float = 0.0, *, is_host: bool = False) -> Participant:
    return Participant(PeerId(peer), peer, is_host, WALL_S + joined_at)


ADA, BOB, CY, DAN = person("ada", -40), person("bob", -30), person("cy", -20), person("dan", -10)


def newcomer(*present: Participant) -> Hosting:
    hosting = Hosting(BOB.id)
    hosting.joined((*present, BOB), NOW)
    return hosting


def follower() -> Hosting:
    """bob, who is sure of ada."""
    hosting = newcomer(ADA, CY, DAN)
    hosting.hear(ADA.id, ADA.id, Standing.SETTLED, NOW)
    return hosting


@given(rooms, st.randoms(use_true_random=False))
def test_everyone_elects_the_same(members: list[Participant], chance: random.Random) -> None:
    shuffled = list(members)
    chance.shuffle(shuffled)
    assert elect(members, WALL_S, newcomer=True) == elect(shuffled, WALL_S, newcomer=True)
    assert elect(members, WALL_S, newcomer=False) in {member.id for member in members}


@pytest.mark.parametrize("case", json.loads((VECTORS / "electing.json").read_text()))
def test_who_is_elected_is_that_of_the_shared_vectors(case: dict[str, object]) -> None:
    rows = case["members"]
    assert isinstance(rows, list)
    members = [Participant(PeerId(peer), peer, is_host, joined_at) for peer, joined_at, is_host in rows]
    assert elect(members, float(str(case["wall_s"])), newcomer=bool(case["newcomer"])) == case["elected"]


def test_the_first_member_is_host_at_once_and_a_newcomer_waits() -> None:
    assert newcomer().host == BOB.id
    assert newcomer(ADA).host is None


def test_a_newcomer_believes_the_first_who_names_somebody_present() -> None:
    hosting = newcomer(ADA, CY)
    assert not hosting.hear(CY.id, DAN.id, Standing.SETTLED, NOW)
    assert hosting.hear(CY.id, ADA.id, Standing.SETTLED, NOW)
    assert hosting.host == ADA.id


def test_a_newcomer_lets_itself_be_outvoted_for_a_while_only() -> None:
    for at, host in ((NOW, ADA.id), (LATER, DAN.id)):
        hosting = newcomer(ADA, CY, DAN)
        hosting.hear(DAN.id, DAN.id, Standing.SETTLED, NOW)
        hosting.hear(ADA.id, ADA.id, Standing.SETTLED, at)
        hosting.hear(CY.id, ADA.id, Standing.SETTLED, at)
        assert hosting.host == host


def test_nothing_that_others_say_moves_the_present_host() -> None:
    hosting = follower()
    for peer in (CY.id, DAN.id):
        for named in (peer, BOB.id, CY.id):
            assert not hosting.hear(peer, named, Standing.SETTLED, LATER)
    earlier = person("aaa", -80_000, is_host=True)
    hosting.changed((ADA, BOB, CY, DAN, earlier))
    assert hosting.host == ADA.id


def test_the_host_itself_hands_over() -> None:
    hosting = follower()
    assert hosting.hear(ADA.id, DAN.id, Standing.BACK, LATER)
    assert hosting.host == DAN.id


def test_a_host_that_is_gone_stays_until_another_is_elected() -> None:
    hosting = follower()
    hosting.changed((BOB, CY, DAN))
    assert (hosting.host, hosting.standing(LATER)) == (ADA.id, Standing.SETTLED)
    hosting.elect(WALL_S, LATER, newcomer=False)
    assert (hosting.host, hosting.standing(LATER)) == (BOB.id, Standing.ELECTED)


def test_while_the_host_is_gone_nothing_that_others_say_moves_it() -> None:
    hosting = follower()
    hosting.changed((BOB, CY, DAN))
    for peer in (CY.id, DAN.id):
        for named in (peer, BOB.id, CY.id):
            assert not hosting.hear(peer, named, Standing.SETTLED, LATER)
    hosting.changed((ADA, BOB, CY, DAN))
    assert (hosting.host, hosting.standing(LATER)) == (ADA.id, Standing.SETTLED)


@pytest.mark.parametrize("others", [(), (DAN,), (CY, DAN), (ADA, CY)])
def test_who_hands_over_follows_who_would_be_elected_without_it(others: tuple[Participant, ...]) -> None:
    hosting = newcomer()
    hosting.changed((BOB, *others))
    assert hosting.hand_over(WALL_S) == hosting.host == elect(others, WALL_S, newcomer=False)


@pytest.mark.parametrize(
    ("mine", "theirs", "rival", "yields"),
    [
        (Standing.BACK, Standing.SETTLED, "cy", True),
        (Standing.BACK, Standing.ELECTED, "cy", True),
        (Standing.BACK, Standing.BACK, "cy", False),
        (Standing.BACK, Standing.BACK, "ada", True),
        (Standing.ELECTED, Standing.BACK, "ada", False),
        (Standing.ELECTED, Standing.ELECTED, "ada", True),
        (Standing.SETTLED, Standing.SETTLED, "ada", False),
    ],
)
def test_of_two_hosts_the_surer_stays_then_the_lower_id(
    mine: Standing, theirs: Standing, rival: str, yields: bool
) -> None:
    hosting = newcomer()
    at = NOW
    hosting.changed((ADA, BOB, CY))
    if mine is Standing.BACK:
        hosting.joined((ADA, BOB, CY), NOW)
    elif mine is Standing.SETTLED:
        at = LATER
    assert hosting.standing(at) == mine
    assert hosting.hear(PeerId(rival), PeerId(rival), theirs, at) is yields
    assert hosting.host == (rival if yields else BOB.id)


def test_who_is_back_keeps_its_host_and_counts_it_as_present_until_it_is_known_to_be_gone() -> None:
    hosting = follower()
    hosting.joined((BOB,), LATER)
    assert (hosting.host, hosting.present(ADA.id)) == (ADA.id, True)
    hosting.changed((BOB, CY))
    assert (hosting.host, hosting.present(ADA.id)) == (ADA.id, False)


def test_a_flood_of_members_is_cut_but_we_are_not() -> None:
    hosting = newcomer(*(person(f"p{count}") for count in range(1000)))
    assert hosting.present(BOB.id)
    for count in range(1000):
        hosting.hear(PeerId(f"p{count}"), PeerId(f"p{count}"), Standing.SETTLED, NOW)
    assert len(hosting._present) == len(hosting._claims) + 1 == MOST_MEMBERS + 1


def test_nobody_becomes_host_by_an_old_or_future_date() -> None:
    for forged in (-6e10, -WALL_S, 7200.0, float("inf")):
        assert elect([person("forger", forged, is_host=True), ADA], WALL_S, newcomer=True) == ADA.id


def test_an_unreadable_time_of_joining_never_wins_the_room() -> None:
    late = parse_participant("x", {"name": "x", "isHost": True, "joinedAt": "yesterday"})
    assert elect([late, ADA], WALL_S, newcomer=True) == ADA.id
