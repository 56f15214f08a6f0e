import pytest

from jambridge.audio.playout.arrivals import MAX_PACKETS, Arrivals, Fate, Packet
from jambridge.units import LocalSeconds


def packet(sequence: int, timestamp: int | None = None, payload: bytes = b"x") -> Packet:
    timestamp = sequence * 480 if timestamp is None else timestamp
    return Packet(sequence & 0xFFFF, timestamp & 0xFFFF_FFFF, LocalSeconds(0), payload)


def put(arrivals: Arrivals, *sequences: int) -> list[Fate]:
    return [arrivals.put(packet(sequence))[0] for sequence in sequences]


def begun(first: int = 10) -> Arrivals:
    """`first` is played."""
    arrivals = Arrivals()
    put(arrivals, first)
    arrivals.begin()
    play(arrivals)
    return arrivals


def play(arrivals: Arrivals) -> int:
    waiting, _ = arrivals.pop()
    arrivals.position = waiting.timestamp + 480
    return waiting.sequence


@pytest.mark.parametrize("first", [10, 65_534])
def test_packets_wait_in_the_order_of_their_numbers_past_the_wrap_of_these(first: int) -> None:
    arrivals = begun(first)

    fates = put(arrivals, first + 3, first + 1, first + 2, first + 2)

    assert fates == [Fate.QUEUED, Fate.QUEUED, Fate.QUEUED, Fate.REPEATED]
    assert [one.sequence for one in arrivals] == [first + 1, first + 2, first + 3]
    assert [one.timestamp for one in arrivals] == [480 * (first + n) for n in (1, 2, 3)]


def test_timestamps_go_on_past_their_wrap() -> None:
    arrivals = Arrivals()
    arrivals.put(packet(1, 0xFFFF_FF00))
    arrivals.begin()

    _, waiting = arrivals.put(packet(2, 0xFFFF_FF00 + 480))

    assert waiting.timestamp == 0xFFFF_FF00 + 480


def test_what_did_not_come_is_lost_and_late_once_it_comes_and_a_repeat_is_neither() -> None:
    arrivals = begun(10)
    put(arrivals, 13)
    play(arrivals)
    assert (arrivals.lost, arrivals.late) == (2, 0)

    fates = put(arrivals, 11, 11, 10, 13)

    assert fates == [Fate.LATE, Fate.REPEATED, Fate.REPEATED, Fate.REPEATED]
    assert (arrivals.lost, arrivals.late) == (1, 1)


def test_the_next_packet_is_late_when_its_time_has_passed() -> None:
    arrivals = begun(10)
    arrivals.position = 12 * 480

    assert put(arrivals, 11, 12) == [Fate.LATE, Fate.QUEUED]
    assert (arrivals.lost, arrivals.late) == (0, 1)


@pytest.mark.parametrize(
    "stray",
    [packet(20_000, 480 * 11), packet(11, 480 * 400), packet(11, -480 * 800), packet(11, payload=bytes(9000))],
    ids=["number", "ahead", "behind", "size"],
)
def test_a_stray_is_not_taken_and_two_that_follow_each_other_are_a_new_stream(stray: Packet) -> None:
    arrivals = begun(10)

    assert arrivals.put(stray)[0] is Fate.STRANGE
    assert not arrivals.begins_anew(stray)
    assert not arrivals.begins_anew(packet(3))
    assert arrivals.begins_anew(packet(4))


def test_no_more_than_so_many_wait() -> None:
    arrivals = begun(0)

    fates = [arrivals.put(packet(number, 500 + number))[0] for number in range(1, 900)]

    assert fates.count(Fate.QUEUED) == len(arrivals) == MAX_PACKETS


def test_of_those_that_wait_for_the_beginning_the_ones_that_are_over_can_be_left_out() -> None:
    arrivals = Arrivals()
    put(arrivals, 1, 2, 3)

    arrivals.drop_before(2.5 * 480)
    assert [one.sequence for one in arrivals] == [2, 3]
    arrivals.drop_before(100 * 480)
    assert [one.sequence for one in arrivals] == [3]


def test_packets_that_are_late_and_far_ahead_at_once_are_no_work_and_lose_nothing() -> None:
    arrivals = Arrivals()
    arrivals.put(packet(0))
    arrivals.begin()
    arrivals.pop()
    arrivals.position = 480

    for number in range(1, 200):
        arrivals.put(Packet(number * 990 & 0xFFFF, 0, LocalSeconds(0.0), b"x"))

    assert arrivals.lost == 0
    assert len(arrivals._missing) == 0
