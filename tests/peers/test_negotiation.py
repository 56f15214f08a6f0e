import itertools

from hypothesis import example, given
from hypothesis import strategies as st

from jambridge.peers import signals
from jambridge.peers.attempt import Phase
from jambridge.peers.candidates import MAX_CANDIDATES, Candidate
from jambridge.peers.negotiation import Negotiation
from jambridge.peers.signals import RemoteBye, RemoteCandidates, RemoteDescription
from jambridge.peers.steps import (
    Action,
    Answer,
    Apply,
    Broken,
    Close,
    Connected,
    Described,
    Dial,
    Event,
    Heard,
    Offer,
    Send,
)
from jambridge.room.messages import Signal, SignalType
from jambridge.units import LocalSeconds, PeerId
from tests.fakes.negotiated_world import World, description, fates

OFFER, ANSWER = description("offer", "offe"), description("answer", "answ")
CANDIDATES = tuple(Candidate("1", 1, f"192.0.2.{i}", 9, "host") for i in range(40))


class End:
    """A negotiation with a clock beside it."""

    def __init__(self, self_id: str, peer_id: str, *, expects_sound: bool = True) -> None:
        names = (f"ours{i}" for i in itertools.count())
        self.now = 0.0
        self.machine = Negotiation(
            PeerId(self_id),
            PeerId(peer_id),
            expects_sound=expects_sound,
            new_id=lambda: next(names),
            now=LocalSeconds(0.0),
        )

    def does(self, event: Event, now: float | None = None) -> list[Action]:
        self.now = self.now if now is None else now
        return self.machine.receive(event, LocalSeconds(self.now))

    def waits(self, until: float) -> list[Action]:
        """What it does of its own up to then."""
        actions: list[Action] = []
        while (due := self.machine.deadline) is not None and due <= until:
            actions += self.machine.tick(due)
        self.now = until
        return actions

    def offers(self) -> "End":
        assert self.waits(self.now) == [Offer(1)]
        self.does(Described(1, "text"))
        return self

    def connects(self) -> "End":
        self.does(RemoteDescription("ours0", ANSWER))
        self.does(Connected(1))
        return self


def bye(connection: str) -> Signal:
    return signals.bye(PeerId("a"), PeerId("b"), connection)


def types(actions: list[Action]) -> list[SignalType]:
    return [action.signal.type for action in actions if isinstance(action, Send)]


def test_the_lower_id_offers_at_once_and_the_higher_one_after_a_while() -> None:
    assert End("a", "b").waits(0) == [Offer(1)]
    assert End("b", "a").waits(2.9) == []
    assert End("b", "a").waits(3) == [Offer(1)]


def test_an_offer_without_an_answer_is_sent_again_after_2_4_and_8_seconds_then_given_up() -> None:
    end = End("a", "b").offers()

    assert [types(end.waits(until)) for until in (1.9, 2, 3.9, 4, 7.9, 8, 11.9)] == [[], *([["offer"], []] * 3)]
    assert end.waits(12) == [Send(bye("ours0")), Close(1)]
    assert end.waits(14) == [Offer(2)]


def test_an_offer_that_holds_no_more_is_made_anew_until_it_is_answered() -> None:
    end = End("a", "b").offers()

    assert end.machine.renew(LocalSeconds(3.0)) == [Send(bye("ours0")), Close(1), Offer(2)]
    assert end.machine.renew(LocalSeconds(3.0)) == [], "it is not described yet"
    end.does(Described(2, "text"), 3.1)
    end.does(RemoteDescription("ours1", ANSWER))
    assert end.machine.renew(LocalSeconds(4.0)) == []
    assert end.machine.failures == 0


def test_an_answer_is_applied_once() -> None:
    end = End("a", "b").offers()

    assert end.does(RemoteDescription("other", ANSWER)) == []
    assert end.does(RemoteDescription("ours0", ANSWER)) == [Apply(1, ANSWER)]
    assert end.does(RemoteDescription("ours0", ANSWER)) == []


def test_an_older_apps_answer_names_no_connection() -> None:
    assert End("a", "b").offers().does(RemoteDescription(None, ANSWER)) == [Apply(1, ANSWER)]


def test_the_lower_ids_offer_stands_when_offers_cross() -> None:
    lower, higher = End("a", "b").offers(), End("b", "a")
    assert higher.waits(3) == [Offer(1)]

    assert lower.does(RemoteDescription("theirs", OFFER)) == []
    assert higher.does(RemoteDescription("theirs", OFFER)) == [Close(1), Answer(2, OFFER)]


def test_an_offer_without_a_connection_is_always_answered_and_the_answer_names_none() -> None:
    end = End("a", "b").offers()

    assert end.does(RemoteDescription(None, OFFER)) == [Close(1), Answer(2, OFFER)]
    (answer,) = end.does(Described(2, "text"))
    assert isinstance(answer, Send)
    assert (answer.signal.type, answer.signal.connection) == (SignalType.ANSWER, None)


def test_an_offer_sent_again_gets_the_same_answer_again() -> None:
    end = End("b", "a")
    end.does(RemoteDescription("theirs", OFFER))
    first = end.does(Described(1, "text"))

    assert types(first) == ["answer"]
    assert end.does(RemoteDescription("theirs", OFFER)) == first


def test_one_offer_a_second_is_answered() -> None:
    end = End("b", "a")

    taken = [end.does(RemoteDescription(f"c{i}", OFFER), now=i * 0.3) != [] for i in range(8)]

    assert taken == [True, False, False, False, True, False, False, False]
    assert end.machine.refused == 6


def test_an_attempt_that_is_over_is_not_begun_again_by_a_late_offer() -> None:
    end = End("b", "a")
    end.does(RemoteDescription("theirs", OFFER))
    end.does(RemoteBye("theirs"))

    assert end.does(RemoteDescription("theirs", OFFER), now=5.0) == []


def test_candidates_wait_for_the_answer_and_are_bounded() -> None:
    end = End("a", "b").offers()

    assert end.does(RemoteCandidates("ours0", CANDIDATES[:10])) == []
    assert end.does(RemoteCandidates("ours0", CANDIDATES[10:])) == []
    assert end.does(RemoteDescription("ours0", ANSWER)) == [Apply(1, ANSWER), Dial(1, CANDIDATES[:MAX_CANDIDATES])]
    assert end.does(RemoteCandidates("ours0", CANDIDATES)) == []


def test_candidates_that_overtake_their_offer_are_kept_for_it() -> None:
    end = End("b", "a")

    assert end.does(RemoteCandidates("theirs", CANDIDATES[:2])) == []
    assert end.does(RemoteDescription("theirs", OFFER)) == [Answer(1, OFFER), Dial(1, CANDIDATES[:2])]
    assert end.does(RemoteCandidates("theirs", CANDIDATES[2:3])) == [Dial(1, CANDIDATES[2:3])]


def test_a_bye_closes_only_the_connection_it_names() -> None:
    end = End("a", "b").offers().connects()

    assert end.does(RemoteBye(None)) == []
    assert end.does(RemoteBye("other")) == []
    assert end.does(RemoteBye("ours0")) == [Close(1)]
    assert end.waits(1) == [Offer(2)]


def test_an_attempt_that_does_not_connect_in_15_seconds_is_given_up() -> None:
    end = End("a", "b").offers()
    end.does(RemoteDescription("ours0", ANSWER), now=1.0)

    assert end.waits(15.9) == []
    assert Close(1) in end.waits(16)


def test_five_seconds_of_silence_try_a_second_connection_and_the_first_is_kept_until_it_sounds() -> None:
    end = End("a", "b").offers().connects()
    end.does(Heard(1), now=10.0)

    assert end.waits(14.9) == []
    assert end.waits(15) == [Offer(2)]
    end.does(Described(2, "text"))
    assert end.does(RemoteDescription("ours1", ANSWER)) == [Apply(2, ANSWER)]
    assert end.does(Connected(2)) == []
    assert end.does(Heard(2)) == [Send(bye("ours0")), Close(1)]
    assert end.machine.live is not None
    assert end.machine.live.number == 2


def test_a_listener_is_not_missed_for_its_silence() -> None:
    end = End("a", "b", expects_sound=False).offers().connects()

    assert end.machine.deadline is None


def test_a_failed_second_connection_leaves_the_first_alone() -> None:
    end = End("a", "b").offers().connects()
    end.waits(5)
    end.does(Described(2, "text"))

    assert Close(1) not in end.does(Broken(2))
    assert end.machine.live is not None
    assert end.machine.live.phase is Phase.CONNECTED


def test_a_player_that_never_sounds_is_tried_ever_more_rarely() -> None:
    end = End("a", "b").offers().connects()
    offers: list[float] = []
    for second in range(1, 400):
        for action in end.waits(second):
            if isinstance(action, Offer):
                offers.append(second)
                number = action.number
                end.does(Described(number, "text"))
                assert end.machine.rising is not None
                end.does(RemoteDescription(end.machine.rising.connection, ANSWER))
                end.does(Connected(number))

    assert len(offers) < 10


def test_leaving_says_bye_to_both() -> None:
    end = End("a", "b").offers().connects()
    end.waits(5)
    end.does(Described(2, "text"))

    assert types(end.machine.leave()) == ["bye", "bye"]


disasters = st.lists(
    st.tuples(st.floats(0, 30), st.sampled_from(["break", "restart", "cut", "heal"]), st.integers(0, 1)), max_size=6
)


@given(
    drawn=st.lists(st.none() | st.floats(0.01, 3), max_size=30),
    happenings=disasters,
    sends=st.sampled_from([(True, True), (True, False), (False, True)]),
)
@example(drawn=[None], happenings=[], sends=(True, True))
def test_after_any_losses_and_failures_both_ends_hold_one_common_connection(
    drawn: list[float | None], happenings: list[tuple[float, str, int]], sends: tuple[bool, bool]
) -> None:
    world = World(fates(drawn, lambda: world.now > 30), sends=sends)
    for when, what, index in happenings:
        world.at(when, lambda what=what, index=index: happen(world, what, index))  # type: ignore[misc]
    world.at(30, lambda: happen(world, "heal", 0))

    world.run(until=150)

    one, other = world.live()
    assert one is not None
    assert other is not None
    assert (one.remote, other.remote) == (other.local, one.local)
    assert [len(end.connections) for end in world.ends.values()] == [1, 1]
    assert world.live() == [one, other]


@given(drawn=st.lists(st.none() | st.floats(0.01, 3), max_size=30), happenings=disasters)
def test_no_storm_at_most_two_connections_and_a_signal_a_second(
    drawn: list[float | None], happenings: list[tuple[float, str, int]]
) -> None:
    world = World(fates(drawn, lambda: False))
    for when, what, index in happenings:
        world.at(when, lambda what=what, index=index: happen(world, what, index))  # type: ignore[misc]

    for second in range(60):
        world.run(until=second)
        assert all(len(end.connections) <= 2 for end in world.ends.values())
    assert len(world.sent) < 60 * 3


def happen(world: World, what: str, index: int) -> None:
    match what:
        case "break":
            live = world.ends[index].negotiation.live
            if live is not None:
                world.tell(index, Broken(live.number))
        case "restart":
            world.restart(index)
        case "cut":
            world.path_is_cut = True
        case "heal":
            world.path_is_cut = False
