"""Token buckets and muting."""

from hypothesis import given
from hypothesis import strategies as st

from jambridge.hub.limits import FloodGuard, Limits, TokenBucket


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
    guard = FloodGuard(Limits())
    while guard.admit(0.0):
        pass

    assert not guard.admit(9.9)
    assert guard.admit(10.0)
