import itertools
import math
import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from jambridge.audio.opus import MOST_FRAMES, Decoder
from jambridge.audio.playout.arrivals import MAX_PACKETS, Packet
from jambridge.audio.playout.buffer import Playout
from jambridge.audio.playout.depth import Safety
from jambridge.units import SAMPLE_RATE_HZ, LocalSeconds
from tests.audio import simulated
from tests.audio.fidelity import errors_with_loss, fitted, played
from tests.audio.simulated import START_S, Delay, Heard, Hum, in_bursts, jitter, lan, listen, packets, steady
from tests.audio.test_voice import spoken

IMPAIRED: dict[str, Delay] = {
    "5 % loss": simulated.loses(0.05),
    "20 % in bursts": simulated.loses_in_bursts(0.2),
    "30 +- 20 ms, reordered": jitter,
    "5 % loss, 30 +- 20 ms": simulated.loses(0.05, jitter),
    "20 % in bursts, 30 +- 20 ms": simulated.loses_in_bursts(0.2, jitter),
}


def hummed(
    playout: Playout, seconds: float, delay: Delay = lan, *, frames: int = 480, ppm: float = 0.0, keep: bool = False
) -> Heard:
    """A stream of sound that costs nothing to decode."""
    return listen(
        playout, packets([bytes(frames // 48)], seconds, delay, frames=frames, ppm=ppm), steady(seconds), keep=keep
    )


def at(seconds: float) -> LocalSeconds:
    return LocalSeconds(START_S + seconds)


def _fifty_later(rng: random.Random, now: float) -> float | None:
    return 0.05 if now > 3 else lan(rng, now)


def _nothing_at_first(rng: random.Random, now: float) -> float | None:
    return max(rng.uniform(0.0002, 0.0006), 0.7 - now)


# Delay


@pytest.mark.parametrize(
    ("frames", "callback", "at_most_ms"), [(480, 128, 4.2), (240, 128, 4.2), (480, 64, 2.8), (480, 256, 7.5)]
)
def test_on_a_clean_network_packets_wait_for_little_more_than_a_callback(
    frames: int, callback: int, at_most_ms: float
) -> None:
    playout = Playout(decoder=Hum())

    heard = listen(playout, packets([bytes(frames // 48)], 40, frames=frames), steady(40, callback))

    report = playout.report()
    assert heard.depths(20).max() < at_most_ms
    assert report.late <= 1 and report.concealed < 0.0005 and report.splices == 0


@pytest.mark.parametrize(("ppm", "seconds"), [(100, 180), (-100, 180), (-400, 100)])
def test_a_card_that_runs_faster_or_slower_is_followed_without_a_splice(ppm: float, seconds: float) -> None:
    playout = Playout(decoder=Hum())

    depths = hummed(playout, seconds, ppm=ppm).depths(60)

    report = playout.report()
    assert report.splices == 0 and report.lost == 0 and report.concealed < 0.001
    assert report.rate_ppm == pytest.approx(ppm, abs=60)
    assert np.abs(depths - depths.mean()).max() < 1.5


@pytest.mark.parametrize(("frames", "at_most_ms"), [(240, 3.6), pytest.param(480, 3.5, marks=pytest.mark.slow)])
def test_packets_that_always_reach_the_same_callback_are_never_missed_and_wait_for_no_other(
    frames: int, at_most_ms: float
) -> None:
    playout = Playout(decoder=Hum())

    heard = listen(playout, *simulated.on_one_grid(120, frames, 128, 0.0008))

    report = playout.report()
    assert heard.depths(20).max() < at_most_ms
    assert (report.inserted, report.late, report.splices) == (0, 0, 0)


def test_packets_that_are_late_now_and_then_tell_nothing_of_the_card() -> None:
    playout = Playout(decoder=Hum())

    def one_in_ten_seconds_is_late(rng: random.Random, now: float) -> float:
        return rng.uniform(0.0002, 0.0006) + (0.006 if now % 10.5 < 0.01 else 0)

    hummed(playout, 120, one_in_ten_seconds_is_late)

    assert playout.report().inserted > 3
    assert abs(playout._follower.drift) < 10e-6


@pytest.mark.slow
@pytest.mark.parametrize("ppm", [100, -100])
def test_a_card_is_followed_for_half_an_hour(ppm: float) -> None:
    playout = Playout()

    heard = listen(playout, packets(simulated.some_music(), 1800, ppm=ppm), steady(1800))

    depths = heard.depths(60)
    assert playout.report().splices == 0 and playout.report().lost == 0
    assert np.abs(depths - depths.mean()).max() < 3


@pytest.mark.parametrize("delay", IMPAIRED.values(), ids=IMPAIRED.keys())
def test_on_a_bad_network_the_delay_does_not_grow(delay: Delay) -> None:
    playout = Playout(decoder=Hum())

    heard = hummed(playout, 120, delay)

    report = playout.report()
    assert heard.slope_ms_a_minute(20) < 1
    assert heard.depths(20).max() < 30
    assert report.late < 10 and report.splices == 0


@pytest.mark.slow
@pytest.mark.parametrize("delay", IMPAIRED.values(), ids=IMPAIRED.keys())
@pytest.mark.parametrize("ppm", [100, -100])
def test_nor_does_it_with_real_sound_from_a_card_of_another_clock(delay: Delay, ppm: float) -> None:
    playout = Playout()

    heard = listen(playout, packets(simulated.some_music(), 600, delay, ppm=ppm), steady(600))

    assert heard.slope_ms_a_minute(60) < 1
    assert heard.depths(60).max() < 35
    assert playout.report().splices == 0


def test_loss_is_told_apart_from_jitter() -> None:
    losing, jittery = Playout(decoder=Hum()), Playout(decoder=Hum())
    arriving = packets([bytes(10)], 60, simulated.loses(0.05))

    listen(losing, arriving, steady(60))
    hummed(jittery, 60, jitter)

    assert losing.report().lost == pytest.approx(6000 - len(arriving), abs=2)
    assert (losing.report().late, losing.report().underruns) == (0, 0)
    assert losing.report().concealed == pytest.approx(0.05, abs=0.01)
    assert jittery.report().lost == 0
    assert jittery.report().late >= jittery.report().underruns > 0
    assert jittery.report().jitter_ms == pytest.approx(20, abs=2)


def test_the_safer_the_longer_packets_wait_and_the_fewer_are_late() -> None:
    reports = {}
    for safety in Safety:
        reports[safety] = Playout(safety, Hum())
        hummed(reports[safety], 30, jitter)

    late = [reports[safety].report().late for safety in (Safety.SAFE, Safety.NORMAL, Safety.FAST)]
    waited = [reports[safety].report().target_ms for safety in (Safety.SAFE, Safety.NORMAL, Safety.FAST)]
    assert late == sorted(late) and late[0] < late[2]
    assert waited == sorted(waited, reverse=True)


def test_callbacks_in_bursts_are_waited_for_like_the_network() -> None:
    playout = Playout(decoder=Hum())

    listen(playout, packets([bytes(10)], 10), in_bursts(10))
    before = playout.report()
    arriving = [packet for packet in packets([bytes(10)], 60) if packet.arrived_at > at(10)]
    listen(playout, arriving, itertools.dropwhile(lambda pull: pull[0] <= at(10), in_bursts(60)))

    assert playout.report().late == before.late
    assert playout.report().depth_ms < 13


def test_a_late_packet_makes_the_next_ones_wait_at_once() -> None:
    playout = Playout(decoder=Hum())

    hummed(playout, 8, _fifty_later)

    report = playout.report()
    assert report.inserted == 1
    assert report.late < 8
    assert report.depth_ms < 6


@pytest.mark.parametrize("seconds", [100, pytest.param(600, marks=pytest.mark.slow)])
def test_after_stalls_of_the_network_the_delay_is_small_again_within_seconds(seconds: float) -> None:
    playout = Playout(decoder=Hum())

    heard = hummed(playout, seconds, simulated.stalls(20, 0.5))

    times, depths = np.array(heard.times_s), np.array(heard.depths_ms)
    assert depths[(times % 20 > 3) & (times > 20)].max() < 6
    assert playout.report().underruns == pytest.approx(seconds / 20 - 1, abs=1)


@pytest.mark.parametrize("stall_s", [0.15, 0.5, 3.0])
def test_after_a_stall_of_the_output_what_has_piled_up_is_skipped_in_one_splice(stall_s: float) -> None:
    playout = Playout(decoder=Hum())
    pulls = (pull for pull in steady(20) if not at(10) < pull[0] < at(10 + stall_s))

    heard = listen(playout, packets([bytes(10)], 20), pulls, keep=True)

    steepest = np.abs(np.diff(heard.sound[:, 0])).max()
    assert heard.depths(10 + stall_s + 1).max() < 14  # whole packets are skipped
    assert playout.report().splices <= 1
    assert steepest < 0.01


@pytest.mark.parametrize("by_s", [0.4, -0.4])
def test_a_new_path_of_the_network_is_followed_both_ways(by_s: float) -> None:
    playout = Playout(decoder=Hum())

    def moves(rng: random.Random, now: float) -> float:
        return rng.uniform(0.0002, 0.0006) + max(by_s if now > 15 else 0, -by_s if now < 15 else 0)

    heard = hummed(playout, 40, moves)

    assert heard.depths(27).max() < 8
    assert playout.report().splices <= 3


def test_what_a_stall_left_behind_before_the_beginning_is_passed_over() -> None:
    playout = Playout(decoder=Hum())

    heard = hummed(playout, 3, _nothing_at_first)

    assert heard.depths(1).max() < 16


# Sound


@pytest.mark.parametrize("frames", [240, 480])
def test_a_tone_is_as_clean_as_opus_makes_it_while_the_clock_is_followed(frames: int) -> None:
    time = np.arange(8 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    mono = (0.5 * np.sin(2 * np.pi * 997 * time)).astype(np.float32)
    tone = np.stack([mono, mono], axis=1)
    decoder = Decoder()
    decoded = np.concatenate([decoder.decode(payload) for payload in simulated.encoded(tone, frames)])

    level_db, clean_db = fitted(played(tone, frames=frames)[4 * SAMPLE_RATE_HZ :, 0].astype(float), 997 * (1 + 1e-4))

    assert level_db == pytest.approx(20 * math.log10(0.5), abs=0.1)
    assert clean_db == pytest.approx(fitted(decoded[SAMPLE_RATE_HZ:, 0].astype(float), 997)[1], abs=0.5)


def test_a_sweep_keeps_its_level_up_to_16_khz() -> None:
    time = np.arange(12 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    rate = math.log(18_000 / 40) / 12
    sweep = 0.3 * np.sin(2 * np.pi * 40 / rate * np.expm1(rate * time)).astype(np.float32)

    heard = played(np.stack([sweep, sweep], axis=1))[:, 0]

    edges = 50 * 2 ** np.arange(0, math.log2(16_000 / 50), 1 / 3)

    def bands(sound: NDArray[np.float32]) -> NDArray[np.float64]:
        power = np.abs(np.fft.rfft(sound, 13 * SAMPLE_RATE_HZ)) ** 2
        places = (np.append(edges, 16_000) * 13).astype(int)
        return np.array([10 * np.log10(power[a:b].sum()) for a, b in itertools.pairwise(places)])

    assert np.abs(bands(heard) - bands(sweep)).max() < 1


def test_opposite_phases_stay_opposite() -> None:
    time = np.arange(3 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    tone = (0.5 * np.sin(2 * np.pi * 440 * time)).astype(np.float32)

    heard = played(np.stack([tone, -tone], axis=1))[SAMPLE_RATE_HZ:]

    together, apart = np.mean(heard.sum(axis=1) ** 2), np.mean((heard[:, 0] - heard[:, 1]) ** 2)
    assert 10 * math.log10(apart / max(together, 1e-12)) > 40


@pytest.mark.parametrize("piece", simulated.PIECES)
def test_at_five_percent_loss_what_is_concealed_is_far_nearer_to_the_sound_than_silence(piece: str) -> None:
    errors = errors_with_loss(piece, 0.05)

    assert errors.concealed_db < errors.silent_db - 12
    assert errors.bend < 1.2  # no clicks


def test_speech_is_recovered_from_the_packet_that_follows() -> None:
    payloads = spoken(20)
    playout = Playout()

    listen(playout, packets(payloads, 20, simulated.loses(0.1, jitter), frames=960), steady(20))

    assert playout.report().lost > 20 < playout.report().recovered  # where the next was there already


# Streams


def test_a_pause_of_the_sender_is_not_loss() -> None:
    playout = Playout(decoder=Hum())
    arriving = [packet for packet in packets([bytes(10)], 10) if not at(3) < packet.arrived_at < at(4.5)]
    renumbered = [Packet(index, one.timestamp, one.arrived_at, one.payload) for index, one in enumerate(arriving)]

    heard = listen(playout, renumbered, steady(10), keep=True)

    report = playout.report()
    assert (report.lost, report.late, report.underruns, report.inserted, report.concealed) == (0, 0, 0, 0, 0)
    assert not heard.sound[int(3.3 * SAMPLE_RATE_HZ) : int(4.4 * SAMPLE_RATE_HZ)].any()
    assert heard.sound[int(4.6 * SAMPLE_RATE_HZ) : int(9.9 * SAMPLE_RATE_HZ)].min() > 0.49
    assert np.abs(np.diff(heard.sound[:, 0])).max() < 0.01


def test_another_sender_takes_over_without_a_click_and_with_its_own_numbers() -> None:
    playout = Playout(decoder=Hum())
    first = [one for one in packets([bytes(10)], 5, ppm=200) if one.arrived_at < at(2)]
    second = [
        Packet(one.sequence + 30_000 & 0xFFFF, one.timestamp + 12_345_678 & 0xFFFF_FFFF, one.arrived_at, one.payload, 1)
        for one in packets([bytes(5)], 5, frames=240)
        if one.arrived_at > at(2)
    ]

    heard = listen(playout, [*first, *second], steady(5), keep=True)

    assert playout.report().lost == 0 and playout.report().malformed == 0
    assert np.abs(np.diff(heard.sound[:, 0])).max() < 0.01
    assert heard.sound[int(2.05 * SAMPLE_RATE_HZ) : int(4.9 * SAMPLE_RATE_HZ)].min() > 0.49


@pytest.mark.parametrize("jump", [(5000, 0), (0, 10_000_000), (0, -10_000_000), (-3000, -48_000)])
def test_a_stream_that_jumps_begins_anew(jump: tuple[int, int]) -> None:
    playout = Playout(decoder=Hum())
    arriving = [
        one
        if one.arrived_at < at(2)
        else Packet(one.sequence + jump[0] & 0xFFFF, one.timestamp + jump[1] & 0xFFFF_FFFF, one.arrived_at, one.payload)
        for one in packets([bytes(10)], 6)
    ]

    heard = listen(playout, arriving, steady(6), keep=True)

    assert heard.sound[3 * SAMPLE_RATE_HZ : int(5.9 * SAMPLE_RATE_HZ)].min() > 0.49
    assert playout.report().depth_ms < 10


def test_frames_of_any_length_play_and_their_length_may_change() -> None:
    sound = simulated.music("chord_piano", 3.0, 2.0)
    blocks = [
        *simulated.encoded(sound, 120)[:80],
        *simulated.encoded(sound, 960)[10:40],
        *spoken(60)[:20],
        *spoken(10)[:50],
    ]
    playout, arriving, timestamp = Playout(), [], 0
    for index, payload in enumerate(blocks):
        arriving.append(Packet(index, timestamp, at(0.1 + timestamp / SAMPLE_RATE_HZ), payload))
        timestamp += 120 if index < 80 else 960 if index < 110 else 2880 if index < 130 else 480

    heard = listen(playout, arriving, steady(3), keep=True)

    report = playout.report()
    assert (report.lost, report.malformed, report.late) == (0, 0, 0)
    assert np.abs(heard.sound).max() > 0.05


def test_garbage_is_counted_and_concealed_and_sound_goes_on() -> None:
    payloads = list(simulated.some_music())
    payloads[20::40] = [b"\xff\xff\xff"] * len(payloads[20::40])
    payloads[30::40] = [b""] * len(payloads[30::40])
    playout = Playout()

    listen(playout, packets(payloads, 20), steady(20))

    report = playout.report()
    assert report.malformed == pytest.approx(98, abs=4)
    assert report.concealed == pytest.approx(0.05, abs=0.01)
    assert report.lost == 0 and report.depth_ms < 6


PAYLOADS = [
    *(payload for frames in (120, 240, 480, 960) for payload in simulated.some_music(frames)[100:103]),
    *spoken(60)[5:8],
    b"",
    b"\xff" * 30,
    bytes(9000),
]
put_near = st.tuples(st.integers(-20, 60), st.integers(-60, 120).map(lambda n: n * 120), st.sampled_from(PAYLOADS))
put_any = st.tuples(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF_FFFF), st.binary(max_size=40))
step = st.tuples(
    st.lists(put_near | put_near | put_any, max_size=6),
    st.sampled_from([0, 1, 64, 128, 480, 2048]),
    st.sampled_from([0.0, 0.0027, 0.01, 0.3, 2.5]),
)
Step = tuple[Sequence[tuple[int, int, bytes]], int, float]


@given(st.lists(step, max_size=20), st.sampled_from(Safety), st.integers(1, 3))
def test_any_packets_and_pulls_give_full_finite_blocks_in_bounded_memory(
    steps: list[Step], safety: Safety, streams: int
) -> None:
    playout, now = Playout(safety), START_S
    for count, (puts, frames, passed_s) in enumerate(steps):
        for sequence, timestamp, payload in puts:
            came = LocalSeconds(now)
            playout.put(Packet(sequence & 0xFFFF, timestamp & 0xFFFF_FFFF, came, payload, count % streams))
        now += passed_s
        block = playout.pull(frames, LocalSeconds(now))
        assert block.shape == (frames, 2) and block.dtype == np.float32
        assert np.isfinite(block).all()
        assert len(playout._arrivals) <= MAX_PACKETS
        assert playout._ready.frames <= 2 * MOST_FRAMES
    assert all(math.isfinite(value) for value in vars_of(playout))


def vars_of(playout: Playout) -> list[float]:
    report = playout.report()
    return [float(getattr(report, name)) for name in report.__dataclass_fields__]


def test_before_anything_came_there_is_silence() -> None:
    playout = Playout()

    assert not playout.pull(128, at(0)).any()
    assert playout.report().concealed == 0
