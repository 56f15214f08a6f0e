"""A simulated room: whatever is lost, late or forged, its members end with one state and one host."""

import itertools
from functools import partial

import pytest

from jambridge.room import state_messages
from jambridge.room.messages import Broadcast, Participant
from jambridge.room.sharing import HOST_GRACE_S
from jambridge.room.state import FIELDS, MOST_AHEAD, RoomState, Stamp, Trust
from jambridge.units import PeerId
from tests.room.simulated import Member, World

HEALED_S = 11.0
DAY_S = 86_400.0
SEEDS = 80
FEW = 12
MORE = pytest.param(3000, marks=pytest.mark.slow)


def settled(world: World, members: int) -> list[Member]:
    """A room whose host is beyond doubt: the first of the list."""
    everyone = [world.member() for _ in range(members)]
    for member in everyone:
        world.join(member)
        world.run(1.5)
    world.run(20)
    return everyone


def gather(world: World, members: int, *, skew_s: float = 0.0) -> list[Member]:
    everyone = []
    for _ in range(members):
        everyone.append(world.member(skew_s=world.random.uniform(-skew_s, skew_s)))
        world.join(everyone[-1])
        world.run(world.random.random() * 2)
    return everyone


def play(world: World, members: list[Member], changes: int) -> None:
    for _ in range(changes):
        world.change(world.random.choice(members))
        world.run(world.random.expovariate(4))


# Loss


@pytest.mark.parametrize("seeds", [SEEDS, MORE])
def test_four_members_are_equal_eleven_seconds_after_the_last_change_at_five_percent_loss(seeds: int) -> None:
    for seed in range(seeds):
        world = World(seed, loss=0.05)
        play(world, gather(world, 4), changes=40)
        world.run(HEALED_S)
        assert not world.disagreement(), seed


@pytest.mark.parametrize("seeds", [SEEDS // 4, MORE])
def test_they_are_equal_in_the_end_at_thirty_percent_loss(seeds: int) -> None:
    for seed in range(seeds):
        world = World(seed, loss=0.3)
        play(world, gather(world, 4), changes=40)
        world.run(60)
        assert not world.disagreement(), seed


def test_a_room_at_rest_costs_one_message_in_ten_seconds() -> None:
    world = World(1)
    settled(world, 4)
    before = len(world.spoken)
    world.run(100)
    assert [said.event for _, _, said in world.spoken[before:]] == [state_messages.DIGEST] * 10


def test_a_member_alone_says_nothing() -> None:
    world = World(1)
    alone = settled(world, 1)[0]
    before = len(world.spoken)
    world.run(60)
    assert (len(world.spoken), alone.sharing.deadline, alone.sharing.host) == (before, None, alone.id)


# Coming, going, dying, splitting


def churn(world: World, skew_s: float) -> list[Member]:
    members, chance = gather(world, 5, skew_s=skew_s), world.random
    for _ in range(25):
        member, what = chance.choice(members), chance.random()
        host = next((other for other in members if other.id == member.sharing.host), member)
        if what < 0.1 and member.hub:
            world.leave(member)
        elif what < 0.2 and not member.hub:
            world.join(member)
        elif what < 0.27:
            (world.quit if what < 0.23 else world.leave)(host)
        elif what < 0.33 and len(members) < 9:
            members += gather(world, 1, skew_s=skew_s)
        elif what < 0.37:
            restart(world)
        elif member.hub:
            world.change(member)
        world.run(chance.expovariate(1))
    return members


def restart(world: World) -> None:
    """The hub is gone for a while; its members come back one by one."""
    here = world.at_hub("hub")
    for member in here:
        world.leave(member)
    world.run(world.random.random() * 5)
    for member in here:
        world.join(member)
        world.run(world.random.random())


@pytest.mark.parametrize("skew_s", [0.0, DAY_S])
@pytest.mark.parametrize(
    ("seeds", "loss", "patience_s"), [(FEW, 0.05, 30.0), pytest.param(1500, 0.05, 30.0, marks=pytest.mark.slow)]
)
def test_members_who_come_and_go_end_with_one_state_and_host(
    seeds: int, loss: float, patience_s: float, skew_s: float
) -> None:
    for seed in range(seeds):
        world = World(seed, loss=loss)
        for member in churn(world, skew_s):
            if not member.hub:
                world.join(member)
        world.run(patience_s)
        assert not world.disagreement(), seed


@pytest.mark.parametrize("everyone_moves", [False, True])
@pytest.mark.parametrize("seeds", [FEW, MORE])
def test_two_halves_of_a_room_become_one_again(seeds: int, everyone_moves: bool) -> None:
    for seed in range(seeds):
        world = World(seed, loss=0.05)
        members = gather(world, 2 + seed % 6)
        world.run(world.random.random() * 20)
        for member in members[::2]:
            world.leave(member)
            world.join(member, "other")
        play(world, members, changes=15)
        for member in members:
            if everyone_moves or member.hub == "other":
                world.leave(member)
                world.run(world.random.random() * 0.3)
                world.join(member)
        world.run(20)
        assert not world.disagreement(), seed


def test_a_host_that_comes_to_the_room_of_another_yields_and_its_followers_follow() -> None:
    world = World(3)
    ada, bob = world.member("ada"), world.member("bob")
    cy, dan = world.member("aaa-cy"), world.member("aab-dan")  # lower ids, and earlier: neither counts
    for member, hub in ((cy, "other"), (dan, "other"), (ada, "hub"), (bob, "hub")):
        world.join(member, hub)
        world.run(20)
    assert [member.sharing.host for member in (ada, bob, cy, dan)] == [ada.id, ada.id, cy.id, cy.id]
    for member in (cy, dan):
        world.leave(member)
        world.join(member)
    world.run(2)
    assert [member.sharing.host for member in (ada, bob, cy, dan)] == [ada.id] * 4


def test_the_host_is_the_same_when_its_hub_is_back() -> None:
    world = World(4)
    members = settled(world, 4)
    for member in members:
        world.leave(member)
    world.run(2)
    for member in reversed(members):
        world.join(member)
        world.run(1)
        assert {other.sharing.host for other in members} == {members[0].id}


def named(world: World, since: int = 0) -> list[tuple[PeerId, str]]:
    """Who has said that who hosts from now on."""
    return [
        (who, said.payload["hostId"])
        for _, who, said in world.spoken[since:]
        if said.event == state_messages.HOST_CHANGE
    ]


@pytest.mark.parametrize("seeds", [FEW, MORE])
def test_a_host_that_is_away_for_a_moment_stays_whoever_comes_meanwhile(seeds: int) -> None:
    for seed in range(seeds):
        world = World(seed, loss=0.05)
        members = settled(world, 2 + seed % 3)
        host, before = members[0], len(world.spoken)
        for _ in range(3):
            world.leave(host)
            newcomer = world.member(skew_s=-3000.0)
            world.at(world.now + world.random.random() * 4, partial(world.join, newcomer))
            world.run(HOST_GRACE_S - 1)
            world.join(host)
            world.run(world.random.random() * 30)
        world.run(HEALED_S)
        assert not world.disagreement(), seed
        assert members[1].sharing.host == host.id, seed
        assert not {whom for who, whom in named(world, before) if who in {member.id for member in members}}, seed


@pytest.mark.parametrize("seeds", [FEW, MORE])
def test_of_a_host_that_stays_away_one_other_takes_the_place_and_says_so(seeds: int) -> None:
    for seed in range(seeds):
        world = World(seed, loss=0.05)
        ada, *others = settled(world, 3 + seed % 3)
        bob = min(others, key=lambda member: member.id)  # all joined at the same time
        before = len(world.spoken)
        world.leave(ada)
        world.run(HOST_GRACE_S + 1)
        assert named(world, before) == [(bob.id, bob.id)], seed
        assert not world.disagreement(), seed
        world.join(ada)
        world.run(HEALED_S)
        assert not world.disagreement(), seed
        assert ada.sharing.host == bob.id, seed


def test_a_host_that_goes_on_purpose_is_followed_at_once() -> None:
    world = World(5)
    ada, bob, _ = settled(world, 3)
    before = len(world.spoken)
    world.quit(ada)
    world.run(1.5)
    assert not world.disagreement()
    assert named(world, before) == [(ada.id, bob.id), (bob.id, bob.id)]


def test_two_who_both_found_an_empty_room_agree() -> None:
    for seed in range(20):
        world = World(seed)
        ada, bob = world.member(), world.member()
        ada.hub = bob.hub = "hub"
        for member in (ada, bob):
            world.tell(member, member.sharing.joined((member.me,), world.wall(member), world.now))
        for member in (ada, bob):
            member.present = {other.id: other.me for other in (ada, bob)}
            both = tuple(member.present.values())
            world.tell(member, member.sharing.members_changed(both, world.wall(member), world.now))
        world.run(2)
        assert not world.disagreement(), seed


@pytest.mark.parametrize("seeds", [FEW, MORE])
def test_a_host_only_room_follows_its_host(seeds: int) -> None:
    for seed in range(seeds):
        world = World(seed, loss=0.05, host_only=True)
        members = gather(world, 4)
        play(world, members, changes=30)
        world.leave(members[0])
        play(world, members[1:], changes=10)
        world.join(members[0])
        world.run(20)
        assert not world.disagreement(), seed


# Liars


def lie(world: World, liar: Member, honest: list[Member]) -> Broadcast:
    chance = world.random
    peer = chance.choice([*honest, liar]).id
    revision = chance.choice([0, 3, 400, 5000, Trust.ANSWER, 2**53 - 1])
    stamps = {name: [revision, chance.choice([liar.id, peer, "zzzz"])] for name in FIELDS}
    return chance.choice(
        [
            Broadcast(state_messages.HOST_CHANGE, {"hostId": liar.id, "standing": 2}),
            Broadcast(state_messages.HOST_CHANGE, {"hostId": peer, "standing": chance.choice([0, 1, 2, 9, "2"])}),
            Broadcast(state_messages.DIGEST, {"hostId": liar.id, "standing": 2, "stamps": stamps}),
            Broadcast(
                chance.choice([state_messages.DIGEST, state_messages.SYNC]),
                {"hostId": liar.id, "targetPeerId": peer, "stamps": stamps, "state": RoomState(tempo=41).values()},
            ),
            Broadcast(state_messages.REQUEST, {}),
            Broadcast("tempo-change", {"tempo": chance.randint(40, 300), "revision": revision, "author": peer}),
            Broadcast("tempo-change", {"tempo": chance.randint(40, 300)}),
        ]
    )


@pytest.mark.parametrize("seeds", [FEW, MORE])
def test_a_liar_never_becomes_host_and_what_it_leaves_behind_heals(seeds: int) -> None:
    for seed in range(seeds):
        world = World(seed, loss=0.05)
        honest = settled(world, 4)
        liar = world.member("!", joined_at=world.now + 1.7e9 - world.random.choice([0, 3000, 80_000, 2e9, -2e9]))
        liar.me = Participant(liar.id, "x", True, liar.me.joined_at)
        liar.hub = "hub"
        for member in honest:
            world.look(member)
        for _ in range(60):
            world.broadcast(liar.id, "hub", lie(world, liar, honest))
            world.change(world.random.choice(honest))
            world.run(world.random.random() * 0.3)
            assert {member.sharing.host for member in honest} == {honest[0].id}, seed
        world.leave(liar)
        world.change(honest[-1])
        world.run(HEALED_S)
        assert not world.disagreement(), seed
        assert max(member.sharing.state.revision for member in honest) < 5 * 2**41
        assert all(count < 60 * 8 for count in (member.sent for member in honest))


@pytest.mark.parametrize("seeds", [FEW, MORE])
def test_a_newcomer_is_not_fooled_where_others_know_better(seeds: int) -> None:
    for seed in range(seeds):
        world = World(seed, loss=0.05)
        honest = settled(world, 3)
        liar = world.member("!")
        liar.hub = "hub"
        for member in honest:
            world.look(member)
        world.run(3)
        newcomer = world.member()
        world.join(newcomer)
        for _ in range(50):
            world.broadcast(liar.id, "hub", lie(world, liar, [*honest, newcomer]))
            world.run(0.3)
        world.leave(liar)
        world.run(HEALED_S)
        assert not world.disagreement(), seed
        assert newcomer.sharing.host == honest[0].id


def test_a_field_beyond_the_last_revision_stays_in_reach() -> None:
    world = World(6)
    ada, bob = settled(world, 2)
    for revision in (2**53 - 1, 1001, Trust.ANSWER):
        world.broadcast(bob.id, "hub", Broadcast("tempo-change", {"tempo": 99, "revision": revision}))
        world.run(1)
    assert ada.sharing.state == RoomState()
    assert ada.sharing.dropped["too far ahead"] == 3


def test_who_was_led_astray_takes_the_hosts_word() -> None:
    """Whose field is further ahead than the host accepts would otherwise keep it for ever."""
    world = World(7)
    ada, bob = settled(world, 2)
    bob.sharing.state = bob.sharing.state.put("tempo", 99.0, Stamp(5000, "zzz"))
    world.run(HEALED_S)
    assert not world.disagreement()
    assert ada.sharing.state.tempo == bob.sharing.state.tempo == 120


def test_a_newcomer_joins_a_room_with_a_long_history() -> None:
    world = World(8)
    ada = settled(world, 1)[0]
    for tempo in itertools.islice(itertools.cycle((90, 91)), MOST_AHEAD * 3):
        ada.sharing.change("tempo", tempo, world.now)
    newcomer = world.member()
    world.join(newcomer)
    world.run(1)
    assert newcomer.sharing.state.stamps["tempo"] == (MOST_AHEAD * 3, ada.id)
