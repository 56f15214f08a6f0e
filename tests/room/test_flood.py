"""Token buckets and muting."""

from hypothesis import given
from hypothesis import strategies as st

from jambridge.room.flood import FloodGuard, RoomGuard, TokenBucket


def test_a_burst_passes_and_then_the_rate() -> None:
    bucket = TokenBucket(rate=30, burst=60)

    assert sum(bucket.take(0.0) for _ in range(100)) == 60
    assert sum(bucket.take(1.0) for _ in range(100)) == 30


@given(st.lists(st.floats(0, 0.5), max_size=200))
def test_never_more_than_burst_and_rate_pass(pauses: list[float]) -> None:
    bucket, now_s, passed = TokenBucket(rate=30, burst=60), 0.0, 0
    for pause in pauses:
        now_s += pause
        passed += bucket.take(now_s)

    assert passed <= 60 + 30 * now_s + 1e-6


def test_who_floods_is_muted_for_ten_seconds_and_then_heard_again() -> None:
    guard = FloodGuard()
    while guard.admit(0.0):
        pass

    assert not guard.admit(9.9)
    assert guard.admit(10.0)


def test_one_who_floods_is_muted_and_the_others_are_heard() -> None:
    guard = RoomGuard()
    admitted = [guard.admit("loud", 0.0) for _ in range(200)]
    assert sum(admitted) == 60
    assert guard.admit("quiet", 0.0)
    assert not guard.admit("loud", 9.0)
    assert guard.admit("loud", 11.0)


def test_many_names_are_bounded_by_the_room() -> None:
    guard = RoomGuard()
    assert sum(guard.admit(str(name), 0.0) for name in range(1000)) == 400
