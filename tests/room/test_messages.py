"""What members say to each other: any payload is a value or a WireError."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jambridge.errors import UsageError, WireError
from jambridge.room import code, messages, presence
from jambridge.room.messages import Participant, Signal, SignalType
from jambridge.units import LocalSeconds, PeerId

json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
fields = st.sampled_from(["name", "isHost", "joinedAt", "instrument", "client", "sends", "capabilities"])
ids = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=20).map(PeerId)
people = st.builds(
    Participant,
    id=ids,
    name=st.text("abcXYZ0123", min_size=1, max_size=20),
    is_host=st.booleans(),
    joined_at=st.integers(0, 4_000_000_000_000).map(lambda ms: ms / 1000),
    sends=st.booleans(),
    capabilities=st.lists(st.text("abc", min_size=1, max_size=5), max_size=4).map(tuple),
)
signals = st.builds(
    Signal,
    type=st.sampled_from(SignalType),
    target=ids,
    sender=ids | st.none(),
    connection=st.none() | st.text("abc", min_size=1, max_size=10),
    data=st.dictionaries(st.text(), st.text(), max_size=3),
)


@given(people)
def test_presence_survives_the_wire(member: Participant) -> None:
    assert messages.parse_participant(member.id, messages.presence_payload(member)) == member


@given(signals)
def test_a_signal_survives_the_wire(signal: Signal) -> None:
    assert messages.parse_signal(messages.signal_payload(signal)) == signal


@given(st.text(), st.dictionaries(fields | st.text(), json))
def test_any_presence_is_a_participant_or_a_wire_error(key: str, meta: dict[str, object]) -> None:
    with contextlib.suppress(WireError):
        assert messages.parse_participant(key, meta).name


@given(st.dictionaries(st.sampled_from(["type", "targetPeerId", "fromPeerId", "connectionId", "data"]), json))
def test_any_payload_is_a_signal_or_a_wire_error(payload: dict[str, object]) -> None:
    with contextlib.suppress(WireError):
        messages.parse_signal(payload)


def test_names_cannot_paint_the_terminal() -> None:
    member = messages.parse_participant("a", {"name": "Ada\x1b[31m\nroot"})
    assert member.name == "Ada [31m root"


@pytest.mark.parametrize(("typed", "meant"), [("abc123", "ABC123"), (" ab c1 23 ", "ABC123"), ("music-42", "MUSIC-42")])
def test_codes_are_accepted_generously(typed: str, meant: str) -> None:
    assert code.parse(typed) == meant


@pytest.mark.parametrize(
    "typed", ["", "ABC12", "ABC1234", "AB-C12", "TOOLONGWORD-1", "ÄBC123", "ABC12\N{CYRILLIC SMALL LETTER A}"]
)
def test_an_impossible_code_is_refused_with_the_contracts_text(typed: str) -> None:
    with pytest.raises(UsageError, match="^Invalid room code"):
        code.parse(typed)


def test_generated_codes_use_the_alphabet_and_are_accepted() -> None:
    for _ in range(200):
        assert set(made := code.generate()) <= set(code.ALPHABET)
        assert code.parse(made) == made


def person(peer: str, joined_at: float, *, is_host: bool = False) -> Participant:
    return Participant(PeerId(peer), peer, is_host, joined_at)


def test_of_two_sockets_with_one_key_the_first_counts() -> None:
    members, dropped = presence.parse_state({"a": [{"name": "first"}, {"name": "forger"}], "b": [{}], "c": []})
    assert members[PeerId("a")].name == "first"
    assert dropped == 2


def test_a_flood_of_members_is_cut() -> None:
    members, dropped = presence.parse_state({str(key): [{"name": "x"}] for key in range(1000)})
    assert (len(members), dropped) == (presence.MOST_MEMBERS, 1000 - presence.MOST_MEMBERS)


@pytest.mark.parametrize("key", ["", "a b", "a\nE jambridge.app: forged", "\x1b[31m", "é", "x" * 65])
def test_a_key_that_could_paint_a_log_is_none(key: str) -> None:
    with pytest.raises(WireError):
        messages.parse_participant(key, {"name": "Ada"})


def test_members_lost_with_the_connection_are_awaited_and_leavers_are_not() -> None:
    roster = presence.Roster()
    ada, bob = person("ada", 1), person("bob", 2)
    roster.update({ada.id: ada, bob.id: bob}, LocalSeconds(0))

    roster.rejoined(LocalSeconds(10))
    assert roster.update({ada.id: ada}, LocalSeconds(11)) == (ada, bob)
    assert roster.update({ada.id: ada, bob.id: bob}, LocalSeconds(12)) == (ada, bob)
    assert roster.update({bob.id: bob}, LocalSeconds(13)) == (bob,)

    roster.rejoined(LocalSeconds(20))
    assert roster.update({}, LocalSeconds(20 + presence.REJOIN_GRACE_S)) == ()
    assert roster.awaited_until is None
