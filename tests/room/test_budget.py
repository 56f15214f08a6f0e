"""What a client sends when, and what that costs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jambridge.room.budget import (
    BURST,
    LED_BURST,
    LED_EVENT,
    LED_RATE,
    LED_RESERVE,
    MOST_WAITING,
    PRESENCE_CALLS,
    PRESENCE_WINDOW_S,
    RATE,
    SIGNAL_STALE_S,
    STALE_S,
    Outbox,
    PresenceCalls,
    Quota,
)
from jambridge.room.messages import SIGNAL_EVENT, Broadcast
from jambridge.units import LocalSeconds


def signal(number: int = 0) -> Broadcast:
    return Broadcast(SIGNAL_EVENT, {"number": number})


def leds(*colors: int) -> Broadcast:
    return Broadcast(LED_EVENT, {"colors": [{"r": color, "g": 0, "b": 0} for color in colors], "sequence": 1})


def tempo(value: float) -> Broadcast:
    return Broadcast("tempo-change", {"tempo": value})


def at(seconds: float) -> LocalSeconds:
    return LocalSeconds(seconds)


def taken(outbox: Outbox, now_s: float) -> list[Broadcast]:
    sent = []
    while (said := outbox.take(at(now_s))) is not None:
        sent.append(said)
    return sent


def test_a_burst_of_signals_passes_and_the_rest_waits_for_a_moment() -> None:
    outbox = Outbox()
    for number in range(50):
        outbox.put(signal(number), at(0))

    assert taken(outbox, 0) == [signal(number) for number in range(40)]
    wait_s = outbox.wait_s(at(0))
    assert wait_s is not None and 0 < wait_s <= 1 / RATE
    assert taken(outbox, 0.5) == [signal(number) for number in range(40, 50)]
    assert outbox.wait_s(at(1)) is None


def test_signals_go_before_all_else_and_the_newest_of_a_field_in_its_place() -> None:
    outbox = Outbox()
    for said in (tempo(100), Broadcast("state-request", {}), tempo(101), signal()):
        outbox.put(said, at(0))

    assert taken(outbox, 0) == [signal(), tempo(101), Broadcast("state-request", {})]


def test_two_answers_to_two_members_are_both_sent() -> None:
    outbox = Outbox()
    answers = [Broadcast("state-sync", {"targetPeerId": peer}) for peer in "ab"]
    for said in answers:
        outbox.put(said, at(0))

    assert taken(outbox, 0) == answers


def test_what_waited_too_long_is_dropped_and_counted() -> None:
    outbox = Outbox()
    outbox.put(tempo(1), at(0))
    outbox.put(signal(), at(0))

    assert taken(outbox, STALE_S + 0.1) == [signal()]
    outbox.put(signal(), at(10))
    assert taken(outbox, 10 + SIGNAL_STALE_S + 0.1) == []
    assert outbox.dropped == {"stale": 2}


def test_what_does_not_fit_is_refused_and_counted() -> None:
    outbox = Outbox()
    for number in range(300):
        outbox.put(signal(number), at(0))

    assert len(outbox) == MOST_WAITING
    assert outbox.dropped == {"outbox-full": 300 - MOST_WAITING}
    outbox.clear()
    assert (len(outbox), outbox.dropped["away"]) == (0, MOST_WAITING)


def test_over_hosted_supabase_leds_are_sent_on_change_and_twice_a_second() -> None:
    outbox = Outbox(hosted=True)
    sent = []
    for tick in range(240):  # four seconds of 60 Hz, the colours changing ten times a second
        outbox.put(leds(tick // 6), at(tick / 60))
        sent += taken(outbox, tick / 60)

    assert len(sent) == 8
    again = Outbox(hosted=True)
    for tick in range(240):
        again.put(leds(7), at(tick / 60))
        sent += taken(again, tick / 60)
    assert len(sent) == 9, "what did not change is not said again"


def test_a_colour_that_changed_back_before_it_was_sent_is_not_sent() -> None:
    outbox = Outbox(hosted=True)
    outbox.put(leds(1), at(0))
    assert taken(outbox, 0) == [leds(1)]
    outbox.put(leds(2), at(0.1))
    outbox.put(leds(1), at(0.2))
    assert taken(outbox, 1) == []


def test_at_a_hub_leds_have_the_full_rate_and_the_others_all_of_theirs() -> None:
    outbox = Outbox()
    sent = 0
    for tick in range(600):
        outbox.put(leds(tick), at(tick / 60))
        sent += len(taken(outbox, tick / 60))
    for number in range(50):
        outbox.put(signal(number), at(10))
    outbox.put(leds(600), at(10))

    assert sent == 600
    assert taken(outbox, 10) == [*(signal(number) for number in range(int(BURST))), leds(600)]
    assert outbox.wait_s(at(10)) == pytest.approx(1 / RATE)


def test_at_a_hub_leds_are_no_more_than_sixty_a_second() -> None:
    outbox = Outbox()
    sent = 0
    for tick in range(2400):  # ten seconds, four times too fast
        outbox.put(leds(tick), at(tick / 240))
        sent += len(taken(outbox, tick / 240))

    assert LED_RATE * 10 <= sent <= LED_BURST + LED_RATE * 10


def test_over_hosted_supabase_leds_leave_tokens_to_the_others() -> None:
    outbox = Outbox(hosted=True)
    for number in range(int(BURST - LED_RESERVE)):
        outbox.put(signal(number), at(0))
    outbox.put(leds(1), at(0))

    assert leds(1) not in taken(outbox, 0)
    assert taken(outbox, 0.1) == [leds(1)]


@given(st.lists(st.tuples(st.floats(0, 0.3), st.sampled_from([signal(), tempo(60), leds(1), leds(2)])), max_size=200))
def test_never_more_than_burst_and_rate_is_sent_and_every_wait_ends(said: list[tuple[float, Broadcast]]) -> None:
    outbox, now_s, sent = Outbox(hosted=True), 0.0, 0
    for pause_s, one in said:
        now_s += pause_s
        outbox.put(one, at(now_s))
        sent += len(taken(outbox, now_s))
    assert sent <= BURST + RATE * now_s + 1e-6

    for _ in range(2 * MOST_WAITING):
        if (wait_s := outbox.wait_s(at(now_s))) is None:
            break
        now_s += max(wait_s, 1e-6)
        taken(outbox, now_s)
    assert len(outbox) == 0


@given(st.lists(st.floats(0, 20), max_size=60))
def test_presence_is_called_at_most_five_times_in_thirty_seconds(pauses: list[float]) -> None:
    calls, now_s, made = PresenceCalls(), 0.0, []
    for pause_s in pauses:
        now_s += pause_s
        now_s += calls.wait_s(at(now_s))
        calls.made(at(now_s))
        made.append(now_s)

    for first, sixth in zip(made, made[PRESENCE_CALLS:], strict=False):
        assert sixth - first >= PRESENCE_WINDOW_S - 1e-6


def test_the_month_lasts_as_long_as_the_present_rate_says() -> None:
    quota = Quota()
    assert quota.days(at(0)) is None
    for second in range(3600):  # four members, one broadcast a second: four messages
        (quota.count_sent if second % 2 else quota.count_received)(4, at(second))

    days = quota.days(at(3600))
    assert days is not None and abs(days * 4 * 86_400 / 2_000_000 - 1) < 0.06
    assert (quota.sent, quota.received) == (1800, 1800)
    assert quota.days(at(3600 + Quota.WINDOW_S)) is None, "nothing was said for ten minutes"
