from hypothesis import given
from hypothesis import strategies as st

from jambridge.peers.roles import CLOCK, MIDI, partners, players
from jambridge.room.messages import Participant
from jambridge.units import PeerId


def member(peer: str, joined_at: float, *, sends: bool = True, capabilities: tuple[str, ...] = ()) -> Participant:
    return Participant(PeerId(peer), peer, is_host=False, joined_at=joined_at, sends=sends, capabilities=capabilities)


rooms = st.lists(
    st.builds(
        member,
        st.text("abcdef", min_size=1, max_size=3),
        st.integers(0, 5).map(float),
        sends=st.booleans(),
        capabilities=st.sampled_from([(), (CLOCK,), (MIDI,), (CLOCK, MIDI)]),
    ),
    unique_by=lambda who: who.id,
    max_size=10,
)


def test_players_connect_with_each_other_and_with_listeners() -> None:
    room = [member("a", 1), member("b", 2), member("c", 3, sends=False)]

    assert partners(PeerId("a"), room, 3) == {"b", "c"}
    assert partners(PeerId("c"), room, 3) == {"a", "b"}


def test_a_fifth_musician_waits_and_the_order_of_joining_decides() -> None:
    room = [member(peer, joined_at) for peer, joined_at in zip("edcba", range(5), strict=True)]

    assert players(room, 3) == {"e", "d", "c", "b"}
    assert partners(PeerId("a"), room, 3) == frozenset()
    assert partners(PeerId("b"), room, 3) == {"c", "d", "e"}


def test_listeners_do_not_connect_with_each_other() -> None:
    room = [member("a", 1, sends=False), member("b", 2, sends=False)]

    assert partners(PeerId("a"), room, 3) == frozenset()


def test_listening_bridges_connect_for_the_clock_and_not_with_other_listeners() -> None:
    clock = (CLOCK,)
    room = [member(peer, n, sends=False, capabilities=clock) for n, peer in enumerate("abcdef")]
    room += [member("x", 0, sends=False), member("p", 9)]

    assert partners(PeerId("a"), room, 3) == {"b", "c", "d", "p"}
    assert partners(PeerId("f"), room, 3) == {"p"}
    assert partners(PeerId("x"), room, 3) == {"p"}


def test_who_may_play_over_midi_connects_with_others_who_may_and_who_keeps_the_clock_alone_as_before() -> None:
    room = [
        member("box", 1, sends=False, capabilities=(CLOCK, MIDI)),
        member("page", 2, sends=False, capabilities=(MIDI,)),
        member("older", 3, sends=False, capabilities=(CLOCK,)),
        member("guest", 4, sends=False),
    ]

    assert partners(PeerId("box"), room, 3) == {"page", "older"}
    assert partners(PeerId("page"), room, 3) == {"box"}
    assert partners(PeerId("older"), room, 3) == {"box"}
    assert partners(PeerId("guest"), room, 3) == frozenset()


def test_one_who_is_not_in_the_room_has_no_partners() -> None:
    assert partners(PeerId("x"), [member("a", 1)], 3) == frozenset()


@given(room=rooms, max_peers=st.integers(0, 5))
def test_both_ends_choose_the_same_pairs(room: list[Participant], max_peers: int) -> None:
    chosen = {who.id: partners(who.id, room, max_peers) for who in room}

    for one, others in chosen.items():
        assert one not in others
        assert all(one in chosen[other] for other in others)


@given(room=rooms, max_peers=st.integers(0, 5))
def test_nobody_hears_more_than_the_players(room: list[Participant], max_peers: int) -> None:
    sending = {who.id for who in room if who.sends}

    for who in room:
        heard = partners(who.id, room, max_peers) & sending
        assert len(heard) <= max_peers + (not who.sends)
