import itertools
from collections.abc import Callable

import numpy as np
import pytest

from jambridge.audio.mix.howl import HowlGuard, State
from jambridge.audio.mix.howl_signs import LOOKS
from jambridge.audio.mix.tonality import WINDOW_FRAMES, Spectrum
from jambridge.units import SAMPLE_RATE_HZ, LocalSeconds
from tests.audio.feedback import Look, Loop, Mono, piece, story

CLOSED_S = 1.0
PIECES = ("mono_violin", "bach_guitar", "chord_piano")


def noise(frames: int, seed: int = 0) -> Mono:
    return np.random.default_rng(seed).normal(0, 1e-3, frames)


def hears_loudspeaker(_comes: Mono, played: Mono) -> Mono:
    return np.clip(played * 0.5 + noise(len(played)), -1, 1)


def hears_the_same(comes: Mono, _played: Mono) -> Mono:
    """A musician here plays what the others play."""
    return comes


def hears_nothing(_comes: Mono, played: Mono) -> Mono:
    return np.zeros_like(played)


def jam(name: str, seconds: float) -> Mono:
    """Others who play at a moderate level, and their noise."""
    frames = round(seconds * SAMPLE_RATE_HZ)
    return np.resize(piece(name, 0.3), frames) + noise(frames, seed=1)


def feedback(name: str, gain: float, delay_s: float, seed: int, seconds: float) -> list[Look]:
    return list(story(jam(name, seconds), hears_loudspeaker, Loop(gain, delay_s, seed)))


def first(looks: list[Look], *states: State) -> float:
    """Seconds from the loop's closing to the first look in one of `states`."""
    return next(look.at_s for look in looks if look.state in states) - CLOSED_S


def swell(seconds: float, top_dbfs: float, shape: str) -> Mono:
    """A sine of 220 Hz that rises for `seconds`, is held for 3 s and ends."""
    times_s = np.arange(round((seconds + 5) * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    rise = np.clip((times_s - 1) / seconds, 0, 1)
    size = {"in amplitude": rise, "in dB": 10 ** (36 * (rise - 1) / 20), "rounded": np.sin(np.pi / 2 * rise) ** 2}[
        shape
    ]
    size = np.where((times_s < 1) | (times_s > seconds + 4), 0, size)
    ends_softly = np.convolve(size, np.hanning(480) / np.hanning(480).sum(), "same")
    return 10 ** (top_dbfs / 20) * ends_softly * np.sin(2 * np.pi * 220 * times_s)


@pytest.mark.parametrize("name", PIECES[:2])
@pytest.mark.parametrize(
    ("gain", "delay_s", "most_s"),
    [(3.0, 0.06, 1.1), (3.0, 0.1, 1.5), (3.0, 0.15, 1.6), (2.0, 0.06, 1.5), (2.0, 0.1, 1.8)],
)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_loop_that_grows_fast_is_turned_down_soon_after_it_closes(
    name: str, gain: float, delay_s: float, most_s: float, seed: int
) -> None:
    """Growing by 60 to 160 dB a second, from far below the music."""
    looks = feedback(name, gain, delay_s, seed, 5.0)

    assert 0 < first(looks, State.TRIAL) <= most_s
    assert first(looks, State.HOWLING) <= most_s + 0.5
    assert max(look.played_dbfs for look in looks if look.at_s > CLOSED_S + 3.0) < -20


@pytest.mark.parametrize("name", PIECES[:2])
@pytest.mark.parametrize(("gain", "delay_s"), [(1.2, 0.06), (1.2, 0.15), (1.5, 0.1), (2.0, 0.15)])
def test_a_loop_that_grows_slowly_is_turned_down_within_two_seconds_of_reaching_the_top(
    name: str, gain: float, delay_s: float
) -> None:
    looks = feedback(name, gain, delay_s, 2, 14.0)

    at_top = [look.at_s for look in looks if look.played_dbfs > -5]
    assert not at_top or first(looks, State.TRIAL) <= at_top[0] - CLOSED_S + 2.0
    assert first(looks, State.HOWLING) <= first(looks, State.TRIAL) + 0.5
    assert looks[-1].played_dbfs < -15


@pytest.mark.slow
@pytest.mark.parametrize(("gain", "delay_s"), [(3.0, 0.1), (1.5, 0.06), (2.0, 0.15)])
def test_a_loop_that_stays_is_not_heard_again_and_again(gain: float, delay_s: float) -> None:
    looks = feedback("mono_violin", gain, delay_s, 2, 60.0)

    deeper = sum(after.gain < before.gain * 0.5 for before, after in itertools.pairwise(looks))
    loud = sum(look.played_dbfs > -12 for look in looks if look.at_s > 5)
    assert deeper <= 3
    assert loud <= 30  # three seconds in a minute
    assert looks[-1].state is State.HOWLING


def test_a_loop_that_is_opened_gives_the_mix_its_volume_back() -> None:
    loop = Loop(3.0, 0.1, 1)
    looks = []
    for look in story(jam("mono_violin", 25.0), hears_loudspeaker, loop):
        looks.append(look)
        if look.state is State.HOWLING:
            loop.open()

    held = [look.at_s for look in looks if look.state is State.HOWLING]
    assert held[-1] - held[0] == pytest.approx(3 + 12, abs=0.5)
    assert looks[-1].gain == 1.0


@pytest.mark.parametrize("name", PIECES)
@pytest.mark.parametrize("rising", [False, True])
def test_music_is_never_turned_down_though_all_play_the_same(name: str, rising: bool) -> None:
    music = piece(name, 0.99)
    if rising:
        music *= 10 ** (12 * (np.arange(len(music)) / SAMPLE_RATE_HZ % 3 - 3) / 20)  # 12 dB in 3 s, again and again

    assert {look.state for look in story(music, hears_the_same)} == {State.LISTENING}


@pytest.mark.parametrize("name", PIECES)
@pytest.mark.parametrize("hears", [hears_the_same, hears_loudspeaker])
def test_a_mix_far_too_loud_is_the_limiter_s_business(name: str, hears: Callable[[Mono, Mono], Mono]) -> None:
    assert {look.state for look in story(piece(name, 4.0), hears)} == {State.LISTENING}


@pytest.mark.parametrize("shape", ["in amplitude", "in dB", "rounded"])
@pytest.mark.parametrize("seconds", [0.3, 1.0, 3.0])
@pytest.mark.parametrize("top_dbfs", [-12, -1])
def test_a_swelling_sine_of_both_is_no_howl(shape: str, seconds: float, top_dbfs: float) -> None:
    looks = list(story(swell(seconds, top_dbfs, shape), hears_the_same))

    assert not any(look.state is State.HOWLING for look in looks)
    if seconds != 1.0 or shape != "in dB":  # 36 dB in a second by equal steps: as a loop does, for half a second
        assert all(look.gain == 1.0 for look in looks)


def test_what_does_not_answer_is_given_back_within_a_second_and_a_half() -> None:
    """36 dB in a second, dB by dB: nothing but the missing answer tells it from a loop."""
    looks = list(story(swell(1.0, -6, "in dB"), hears_the_same))

    turned_down = [look.at_s for look in looks if look.gain < 1.0]
    assert 0 < len(turned_down) <= 15
    assert looks[-1].gain == 1.0
    assert not any(look.state is State.HOWLING for look in looks)


@pytest.mark.parametrize("gain", [1.5, 3.0])
def test_without_a_line_in_nothing_is_ever_turned_down(gain: float) -> None:
    looks = list(story(jam("mono_violin", 5.0), hears_nothing, Loop(gain, 0.06, 1)))

    assert all(look.gain == 1.0 for look in looks)


def test_an_old_word_of_the_line_in_does_not_count() -> None:
    guard = HowlGuard()
    times_s = np.arange(WINDOW_FRAMES) / SAMPLE_RATE_HZ
    guard.hear_input(1_000.0, -10.0, 1.0, LocalSeconds(0.0))

    for look in range(2 * LOOKS):
        size = 0.01 * 10 ** (look * 4 / 20)
        tone = Spectrum((size * np.sin(2 * np.pi * 1_000 * times_s)).astype(np.float32))
        guard.look(tone, LocalSeconds(1.0 + look / 10))

    assert guard.state is State.LISTENING
