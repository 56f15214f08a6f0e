"""One member's share in the state: what it says to what it hears, when, and what it then believes."""

import contextlib
from json import loads
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jambridge.errors import LinkError, WireError
from jambridge.room import state_messages
from jambridge.room.messages import Broadcast, Participant
from jambridge.room.schedules import MOST_ANSWERS
from jambridge.room.sharing import Sharing
from jambridge.room.state import FIELDS, RoomState, Stamp
from jambridge.room.state_messages import EVENTS
from jambridge.units import LocalSeconds, PeerId

NOW = LocalSeconds(100.0)
ADA, BOB, CY = (
    Participant(PeerId(name), name, name == "ada", 1.7e9 + at) for at, name in enumerate(("ada", "bob", "cy"))
)


def following(*, host_only: bool = False, state: RoomState | None = None) -> Sharing:
    """bob, in the room that ada hosts."""
    sharing = Sharing(BOB.id, host_only=host_only, state=state, jitter=lambda: 0.5)
    sharing.joined((ADA, BOB, CY), 1.7e9, LocalSeconds(NOW - 60))
    sharing.members_changed((ADA, BOB, CY), 1.7e9, LocalSeconds(NOW - 60))
    answer = {"targetPeerId": "bob", "hostId": "ada", "state": {}, "stamps": {}}
    sharing.receive(state_messages.SYNC, answer, ADA.id, LocalSeconds(NOW - 59.9))
    assert sharing.host == ADA.id and sharing.deadline is None
    return sharing


def hosting(*, host_only: bool = False) -> Sharing:
    sharing = Sharing(ADA.id, host_only=host_only, jitter=lambda: 0.5)
    sharing.joined((ADA,), 1.7e9, LocalSeconds(NOW - 60))
    for member_count in (2, 3):
        sharing.members_changed((ADA, BOB, CY)[:member_count], 1.7e9, LocalSeconds(NOW - 59))
    assert sharing.host == ADA.id
    run(sharing, LocalSeconds(NOW - 59), LocalSeconds(NOW - 0.001))
    return sharing


def run(sharing: Sharing, since: LocalSeconds, until: LocalSeconds) -> list[tuple[float, Broadcast]]:
    """What it says by itself, with the seconds since `since`."""
    said = []
    while (due := sharing.deadline) is not None and due <= until:
        said += [(round(due - since, 3), broadcast) for broadcast in sharing.tick(max(due, since))]
    return said


def test_a_rapid_change_is_said_at_once_then_every_100_ms_with_the_last_value() -> None:
    sharing = following()
    said = []
    for step in range(21):
        at = LocalSeconds(NOW + step * 0.01)
        said += [(round(at - NOW, 3), one) for one in sharing.tick(at)]
        said += [(round(at - NOW, 3), one) for one in sharing.change("tempo", 100 + step, at)]
    said += run(sharing, NOW, LocalSeconds(NOW + 0.5))
    assert [at for at, _ in said] == [0.0, 0.1, 0.2, 0.3]
    assert [one.payload["tempo"] for _, one in said] == [100, 109, 119, 120]
    assert [one.payload["revision"] for _, one in said] == [1, 10, 20, 21]
    assert {one.event for _, one in said} == {"tempo-change"}


def test_what_the_host_does_not_confirm_is_said_again_and_what_it_confirms_is_not() -> None:
    sharing = following()
    sharing.change("key", "A", NOW)
    assert [at for at, _ in run(sharing, NOW, LocalSeconds(NOW + 30))] == [0.75, 2.0, 5.0]
    sharing.change("key", "B", LocalSeconds(NOW + 40))
    stamps = {name: list(stamp) for name, stamp in sharing.state.stamps.items()}
    sharing.receive(state_messages.DIGEST, {"hostId": "ada", "stamps": stamps}, ADA.id, LocalSeconds(NOW + 40.5))
    assert run(sharing, NOW, LocalSeconds(NOW + 60)) == []


def test_a_digest_that_lacks_our_change_gets_it_with_its_stamp() -> None:
    sharing = following(state=RoomState().put("key", "A", Stamp(7, "zoe")))
    lacking = {"hostId": "ada", "stamps": {"key": [6, "cy"]}}
    assert sharing.receive(state_messages.DIGEST, lacking, ADA.id, NOW) == []
    ((at, said),) = run(sharing, NOW, LocalSeconds(NOW + 5))
    assert (at, said) == (0.075, Broadcast("key-change", {"key": "A", "revision": 7, "author": "zoe"}))


def test_nobody_says_again_what_another_just_did() -> None:
    sharing = following(state=RoomState().put("key", "A", Stamp(7, "zoe")))
    sharing.receive(state_messages.DIGEST, {"hostId": "ada", "stamps": {"key": [6, "cy"]}}, ADA.id, NOW)
    sharing.receive("key-change", {"key": "A", "revision": 7, "author": "zoe"}, CY.id, LocalSeconds(NOW + 0.05))
    assert run(sharing, NOW, LocalSeconds(NOW + 5)) == []


def test_a_digest_without_values_that_knows_better_is_asked_until_healed() -> None:
    sharing = following()
    said = sharing.receive(state_messages.DIGEST, {"hostId": "ada", "stamps": {"key": [3, "cy"]}}, ADA.id, NOW)
    said += [one for _, one in run(sharing, NOW, LocalSeconds(NOW + 0.6))]
    assert said == [Broadcast("state-request", {"fields": ["key"]})] * 2
    sharing.receive("key-change", {"key": "G", "revision": 3, "author": "cy"}, ADA.id, LocalSeconds(NOW + 0.7))
    assert run(sharing, NOW, LocalSeconds(NOW + 30)) == []


def test_a_request_is_answered_unless_another_has() -> None:
    sharing = following()
    assert sharing.receive(state_messages.REQUEST, {}, CY.id, NOW) == []
    ((at, said),) = run(sharing, NOW, LocalSeconds(NOW + 5))
    assert (at, said.event, said.payload["targetPeerId"]) == (0.075, "state-sync", "cy")
    later = LocalSeconds(NOW + 10)
    sharing.receive(state_messages.REQUEST, {}, CY.id, later)
    sharing.receive(state_messages.SYNC, said.payload, ADA.id, LocalSeconds(later + 0.05))
    assert run(sharing, later, LocalSeconds(later + 5)) == []


def test_an_answer_that_names_another_host_does_not_silence_ours() -> None:
    sharing = following()
    sharing.receive(state_messages.REQUEST, {}, ADA.id, NOW)
    forged = {"targetPeerId": "ada", "hostId": "cy", "state": {}, "stamps": {}}
    sharing.receive(state_messages.SYNC, forged, CY.id, NOW)
    assert "state-sync" in [said.event for _, said in run(sharing, NOW, LocalSeconds(NOW + 1))]


def test_a_newcomer_without_an_answer_has_the_defaults_and_the_host_that_presence_shows() -> None:
    sharing = Sharing(BOB.id, jitter=lambda: 0.5)
    sharing.joined((ADA, BOB), 1.7e9, NOW)
    sharing.members_changed((ADA, BOB), 1.7e9, NOW)
    run(sharing, NOW, LocalSeconds(NOW + 0.9))
    assert sharing.host is None
    run(sharing, NOW, LocalSeconds(NOW + 1))
    assert sharing.state == RoomState()
    assert str(sharing.host) == ADA.id


def test_an_older_browsers_change_is_stamped_and_repeated_by_the_host_alone() -> None:
    assert following().receive("tempo-change", {"tempo": 90}, CY.id, NOW) == []
    host = hosting()
    (said,) = host.receive("tempo-change", {"tempo": 90}, CY.id, NOW)
    assert said == Broadcast("tempo-change", {"tempo": 90, "revision": 1})
    bob = following()
    bob.receive(said.event, said.payload, ADA.id, NOW)
    assert (bob.state.tempo, bob.state.stamps["tempo"]) == (90, (1, "ada"))


def test_an_older_browsers_answer_counts_for_a_newcomer_only() -> None:
    answer = {"targetPeerId": "bob", "state": {"tempo": 90, "isPlaying": True, "currentStep": 7}}
    sharing = Sharing(BOB.id, jitter=lambda: 0.5)
    sharing.joined((ADA, BOB), 1.7e9, NOW)
    sharing.receive(state_messages.SYNC, answer, ADA.id, NOW)
    assert (sharing.state.tempo, sharing.state.is_playing, sharing.state.others) == (90, True, {"currentStep": 7})
    sharing.receive(state_messages.SYNC, answer | {"state": {"tempo": 60}}, ADA.id, NOW)
    assert sharing.state.tempo == 90


def test_unknown_fields_are_carried_and_given_back() -> None:
    sharing = following()
    theirs = {"hostId": "ada", "state": {"currentStep": 7, "swing": {"amount": 0.6}}, "stamps": {"swing": [4, "cy"]}}
    sharing.receive(state_messages.SYNC, theirs, ADA.id, NOW)
    sharing.receive(state_messages.REQUEST, {"targetPeerId": "bob"}, CY.id, NOW)
    sharing.receive(state_messages.REQUEST, {"targetPeerId": "bob"}, ADA.id, NOW)
    host = hosting()
    host.receive(state_messages.SYNC, theirs, BOB.id, NOW)
    host.receive(state_messages.REQUEST, {}, CY.id, NOW)
    said = next(one for _, one in run(host, NOW, LocalSeconds(NOW + 0.2)) if one.event == "state-sync")
    assert said.payload["state"]["currentStep"] == 7
    assert said.payload["state"]["swing"] == {"amount": 0.6}
    assert said.payload["stamps"]["swing"] == [4, "cy"]
    assert sharing.state.others == host.state.others


# Only the host changes anything


def test_only_the_host_may_change_where_it_says_so() -> None:
    sharing = following(host_only=True)
    with pytest.raises(LinkError, match="only the host"):
        sharing.change("tempo", 90, NOW)
    with pytest.raises(LinkError, match="only the host"):
        sharing.restore({"tempo": 90}, NOW)
    assert hosting(host_only=True).change("tempo", 90, NOW)[0].event == "tempo-change"


@pytest.mark.parametrize("host_only", [False, True])
def test_browsers_are_told_whether_only_the_host_may_change(host_only: bool) -> None:
    ada = hosting(host_only=host_only)
    ada.receive(state_messages.REQUEST, {}, BOB.id, NOW)
    said = run(ada, NOW, LocalSeconds(NOW + 20))
    assert {one.event for _, one in said} == {state_messages.SYNC, state_messages.DIGEST}
    assert all(one.payload.get("hostOnly", False) is host_only for _, one in said)


def test_others_changes_are_refused_on_receipt_and_undone_by_the_host() -> None:
    bob, ada = following(host_only=True), hosting(host_only=True)
    forged = {"tempo": 299, "revision": 5, "author": "cy"}
    assert bob.receive("tempo-change", forged, CY.id, NOW) == []
    (said,) = ada.receive("tempo-change", forged, CY.id, NOW)
    assert said == Broadcast("tempo-change", {"tempo": 120, "revision": 6})
    bob.receive(said.event, said.payload, ADA.id, NOW)
    assert (bob.state.tempo, ada.state.tempo) == (120, 120)
    assert said in ada.receive("tempo-change", {"tempo": 299}, CY.id, LocalSeconds(NOW + 1))


def test_a_host_that_has_just_come_back_takes_what_the_room_was_in_step_on() -> None:
    ada = Sharing(ADA.id, host_only=True, jitter=lambda: 0.5)
    ada.joined((ADA,), 1.7e9, NOW)
    ada.restore({"tempo": 99, "key": "F"}, NOW)
    ada.members_changed((ADA, BOB), 1.7e9, LocalSeconds(NOW + 5))

    ada.receive("tempo-change", {"tempo": 140, "revision": 5}, BOB.id, LocalSeconds(NOW + 5))
    ada.receive("key-change", {"key": "G", "revision": 1}, BOB.id, LocalSeconds(NOW + 16))

    assert (ada.state.tempo, ada.state.key) == (140, "F")


# Input


def test_a_resumed_session_is_said_field_by_field_and_plays_only_if_told_to() -> None:
    sharing = hosting()
    said = sharing.restore({"tempo": 90, "key": "A", "masterVolume": 0.5}, NOW)
    assert {one.event: one.payload["revision"] for one in said} == {"tempo-change": 1, "key-change": 1}
    assert sharing.state.is_playing is False
    with pytest.raises(WireError):
        sharing.restore({"tempo": 91, "key": "H"}, NOW)
    assert sharing.state.tempo == 90


@pytest.mark.parametrize("other", ["aaa", "zzz"])
def test_what_is_restored_never_replaces_a_change_that_somebody_made(other: str) -> None:
    sharing = Sharing(ADA.id, jitter=lambda: 0.5)
    sharing.restore({"tempo": 90, "key": "A"}, NOW)
    sharing.joined((ADA, BOB), 1.7e9, NOW)
    answer = {"targetPeerId": ADA.id, "hostId": BOB.id, "state": {"tempo": 140}, "stamps": {"tempo": [1, other]}}
    sharing.receive(state_messages.SYNC, answer, BOB.id, NOW)
    assert (sharing.state.tempo, sharing.state.key) == (140, "A")


@pytest.mark.parametrize(("field", "value"), [("tempo", 39), ("tempo", "90"), ("volume", 1), ("key", "H")])
def test_a_bad_change_is_refused_and_changes_nothing(field: str, value: object) -> None:
    sharing = hosting()
    with pytest.raises(WireError):
        sharing.change(field, value, NOW)
    assert sharing.state == RoomState()


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.sampled_from(FIELDS), inner, max_size=3),
    max_leaves=8,
)
stamps = st.lists(st.integers(-1, 2**54) | st.sampled_from(["a", "ada", "", 7]), min_size=2, max_size=2)
payloads = st.fixed_dictionaries(
    {},
    optional={
        "state": st.dictionaries(st.sampled_from((*FIELDS, "x")), json) | json,
        "stamps": st.dictionaries(st.sampled_from((*FIELDS, "x")), stamps) | json,
        "hostId": st.sampled_from(["ada", "bob", "cy", "nobody"]) | json,
        "targetPeerId": st.sampled_from(["ada", "bob"]) | json,
        "standing": st.integers(-1, 3) | json,
        "revision": st.integers(-1, 2000) | json,
        "author": st.sampled_from(["ada", "x"]) | json,
        "fields": json,
        "tempo": st.floats(0, 400) | json,
        "key": st.sampled_from(["A", "Bb"]) | json,
        "isPlaying": json,
    },
)
events = st.sampled_from(sorted(EVENTS)) | st.text(max_size=10)


@given(
    st.lists(st.tuples(events, payloads, st.sampled_from([ADA.id, CY.id, PeerId("stranger")])), max_size=12),
    st.booleans(),
)
def test_anything_heard_is_taken_or_a_wire_error_and_the_machine_goes_on(
    heard: list[tuple[str, dict[str, object], PeerId]], host_only: bool
) -> None:
    sharing = following(host_only=host_only)
    for step, (event, payload, sender) in enumerate(heard):
        with contextlib.suppress(WireError):
            sharing.receive(event, payload, sender, LocalSeconds(NOW + step * 0.2))
    assert sharing.host in {ADA.id, BOB.id, CY.id}
    assert len(run(sharing, NOW, LocalSeconds(NOW + 20))) < 60
    assert RoomState().merged(sharing.state).stamps == sharing.state.stamps


def test_nothing_grows_with_what_strangers_say() -> None:
    sharing = hosting()
    for step in range(3000):
        at = LocalSeconds(NOW + step * 0.01)
        stranger = PeerId(f"stranger{step}")
        sharing.receive(state_messages.REQUEST, {}, stranger, at)
        unknown = {f"x{step}": step}
        digest = {"hostId": stranger, "state": unknown, "stamps": {f"x{step}": [1, "a"], "key": [0, ""]}}
        sharing.receive(state_messages.DIGEST, digest, stranger, at)
    assert len(sharing.state.others) <= 8 and len(sharing.state.stamps) <= 13
    assert len(sharing._answering._answered_at) <= MOST_ANSWERS + 1
    assert len(sharing._hosting._claims) <= 3
    assert sharing.host == ADA.id


# The jam page does the same

VECTORS = Path(__file__).parents[1] / "vectors" / "state" / "sharing.json"
CASES = loads(VECTORS.read_text())


def told(sharing: Sharing, step: dict[str, Any]) -> list[list[Any]]:
    """What the machine says to one step of a vector."""
    at = LocalSeconds(step["at"])
    wall_s = 1.7e9 + at
    members = [Participant(PeerId(p), p, is_host, joined_at) for p, joined_at, is_host in step.get("members", ())]
    match step["do"]:
        case "run":
            return [[round(due, 6), one.event, one.payload] for due, one in run(sharing, LocalSeconds(0.0), at)]
        case "joined":
            said = sharing.joined(members, wall_s, at)
        case "members":
            said = sharing.members_changed(members, wall_s, at)
        case "receive":
            said = sharing.receive(step["event"], step["payload"], PeerId(step["sender"]), at)
        case "lost":
            sharing.lost()
            said = []
        case "leaving":
            said = sharing.leaving(wall_s)
        case "change":
            said = sharing.change(step["field"], step["value"], at)
        case _:
            said = sharing.restore(step["values"], at)
    return [[one.event, one.payload] for one in said]


@pytest.mark.parametrize("case", CASES, ids=[case["about"] for case in CASES])
def test_a_member_does_what_the_shared_vectors_say(case: dict[str, Any]) -> None:
    sharing = Sharing(PeerId(case["me"]), host_only=case["host_only"], jitter=lambda: 0.5)
    for step in case["steps"]:
        if step.get("refused"):
            with pytest.raises((WireError, LinkError)):
                told(sharing, step)
        else:
            assert told(sharing, step) == step["said"]
        assert sharing.host == step["host"]
        expected = step.get("state", {})
        assert {name: sharing.state.values()[name] for name in expected} == expected
