from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from jambridge.notes.bands import COARSE, FINE, Spectrum
from jambridge.notes.frame import HOP_FRAMES
from jambridge.notes.onset import ONSET_BLOCK, OnsetDetector
from jambridge.units import SAMPLE_RATE_HZ, hz
from tests.bench import onsets as bench
from tests.bench.truth import pieces
from tests.notes.signals import Sound, hum, noise, pluck, silence, tone

MUSIC = Path(__file__).parents[1] / "fixtures" / "music"


def told_s(sound: Sound) -> list[float]:
    """The ends of the blocks in which an attack was told."""
    detector = OnsetDetector()
    blocks = sound[: len(sound) // ONSET_BLOCK * ONSET_BLOCK].reshape(-1, ONSET_BLOCK)
    attacked = np.concatenate([detector.process(some) for some in np.array_split(blocks, max(1, len(blocks) // 3))])
    return [float(index + 1) * ONSET_BLOCK / SAMPLE_RATE_HZ for index in np.flatnonzero(attacked)]


def test_blocks_fill_hops() -> None:
    assert HOP_FRAMES % ONSET_BLOCK == 0


@pytest.mark.parametrize("spectrum", [COARSE, FINE])
def test_bands_rise_and_none_is_empty(spectrum: Spectrum) -> None:
    assert (np.diff(spectrum.band_starts()) > 0).all()


@pytest.mark.parametrize("note", [36, 48, 60, 72, 84])
def test_each_pluck_is_told_once_within_15_ms(note: int) -> None:
    sound = np.concatenate([silence(0.31), *(pluck(note, 0.33) for _ in range(4))])

    told = told_s(sound)

    assert told == pytest.approx([0.31 + 0.33 * index for index in range(4)], abs=0.015)
    assert all(at_s > 0.31 + 0.33 * index for index, at_s in enumerate(told))


def test_an_attack_in_a_sounding_chord_is_told() -> None:
    chord = tone(48, 2) + tone(55, 2)
    chord[SAMPLE_RATE_HZ:] += pluck(76, 1)

    (at_s,) = [at_s for at_s in told_s(chord) if at_s > 0.2]

    assert at_s == pytest.approx(1.0, abs=0.015)


@pytest.mark.parametrize(("before", "after"), [(67, 69), (67, 65), (72, 74)])
def test_a_voice_that_moves_on_is_told_though_nothing_grows_louder(before: int, after: int) -> None:
    """One of three, tied: the old note fades into the new one in 40 ms."""
    share = np.clip((np.arange(2 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ - 1) / 0.04, 0, 1).astype(np.float32)
    moving = tone(before, 2) * np.cos(np.pi / 2 * share) + tone(after, 2) * np.sin(np.pi / 2 * share)
    chord = tone(52, 2) + tone(60, 2) + moving

    (at_s,) = [at_s for at_s in told_s(chord) if at_s > 0.2]

    assert 1.0 < at_s < 1.06


@pytest.mark.parametrize("note", [55, 69, 81])
def test_vibrato_is_no_attack(note: int) -> None:
    times_s = np.arange(2 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    swing = 0.3 / 12 * np.log(2) * np.cos(2 * np.pi * 5.5 * times_s)  # 30 cents
    phase = 2 * np.pi * np.cumsum(hz(note) * np.exp(swing)) / SAMPLE_RATE_HZ
    sound = np.sum([0.1 * np.sin(k * phase) / k for k in range(1, 9)], axis=0).astype(np.float32)

    assert not [at_s for at_s in told_s(sound) if at_s > 0.1]


@pytest.mark.parametrize("rms", [0.001, 0.01, 0.1])
@pytest.mark.parametrize("pink", [True, False])
def test_steady_noise_is_silent_once_it_has_begun(rms: float, *, pink: bool) -> None:
    assert not [at_s for at_s in told_s(noise(5, rms, pink=pink)) if at_s > 0.1]


@pytest.mark.parametrize(
    "sound", [silence(2), hum(2, 0.003), hum(2, 0.1, 60.0), tone(69, 2), np.full(96_000, 0.9, np.float32)]
)
def test_what_does_not_change_is_silent(sound: Sound) -> None:
    assert not [at_s for at_s in told_s(sound) if at_s > 0.1]


def test_faint_sounds_are_none() -> None:
    assert told_s(np.concatenate([silence(0.5), pluck(60, 1, amplitude=3e-5)])) == []


@pytest.mark.filterwarnings("error")
@given(arrays.arrays(np.float32, (4, ONSET_BLOCK), elements=st.floats(width=32)))
def test_any_samples_are_survived(blocks: Sound) -> None:
    detector = OnsetDetector()
    detector.process(blocks)
    detector.process(silence(1).reshape(-1, ONSET_BLOCK))

    assert detector.process(pluck(60, 0.05).reshape(-1, ONSET_BLOCK)).sum() == 1


@given(counts=st.lists(st.integers(0, 12), max_size=12))
def test_blocks_at_once_are_as_one_by_one(counts: list[int]) -> None:
    blocks = np.concatenate([silence(0.05), pluck(60, 0.15), pluck(67, 0.4)]).reshape(-1, ONSET_BLOCK)
    many, single = OnsetDetector(), OnsetDetector()

    attacked = np.concatenate([many.process(some) for some in np.split(blocks, np.cumsum(counts, dtype=np.intp))])

    assert attacked.tolist() == [bool(single.process(block[np.newaxis])[0]) for block in blocks]
    assert attacked.sum() == 2


@pytest.mark.parametrize("shape", [(ONSET_BLOCK,), (1, ONSET_BLOCK + 1), (1, 1, ONSET_BLOCK)])
def test_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="blocks must be"):
        OnsetDetector().process(np.zeros(shape, np.float32))


def test_struck_strings_are_told_as_well_and_as_soon_as_was_measured() -> None:
    """Measured: every attack of both pieces, none false, the median after 5 ms, nine of ten within 8."""
    for piece in pieces(MUSIC):
        if piece.name not in ("chord_piano", "bach_guitar"):
            continue
        one = bench.score(bench.attacks_s(piece), told_s(piece.hops.ravel()), seconds=1)
        assert one.false <= 1
        assert len(one.delays_s) >= 0.95 * one.attacks
        assert np.median(one.delays_s) <= 0.008
        assert np.percentile(one.delays_s, 90) <= 0.015
