"""The pure parts below the detector."""

import numpy as np
import pytest

from jambridge.notes import constantq, features, level, network, pitch, tracker
from jambridge.notes.constantq import BIN_HZ, BIN_MIDI, BINS, ConstantQ
from jambridge.notes.decimate import Decimator, lowpass
from jambridge.notes.soft_attack import BAND_LAGS, BANDS, SIDES, AttackWeights, SoftAttack
from jambridge.units import MidiNote
from tests.notes.signals import in_hops, noise, tone


def gain_db(filter_: np.ndarray, frequency_hz: float, rate_hz: float) -> float:
    phases = np.exp(-2j * np.pi * frequency_hz / rate_hz * np.arange(len(filter_)))
    return float(20 * np.log10(abs(filter_ @ phases) + 1e-12))


def test_the_low_pass_passes_and_stops() -> None:
    filter_ = lowpass(63, 2_550, 24_000)

    assert filter_.sum() == pytest.approx(1)
    np.testing.assert_array_equal(filter_, filter_[::-1])
    assert gain_db(filter_, 1_500, 24_000) == pytest.approx(0, abs=0.1)
    assert gain_db(filter_, 2_550, 24_000) == pytest.approx(-6, abs=0.1)
    assert gain_db(filter_, 4_500, 24_000) < -50


@pytest.mark.parametrize(("taps", "cutoff_hz"), [(4, 100), (5, 0), (5, 500), (5, 600)])
def test_an_impossible_filter_is_refused(taps: int, cutoff_hz: float) -> None:
    with pytest.raises(ValueError, match="no filter"):
        lowpass(taps, cutoff_hz, 1_000)


def test_decimation_does_not_depend_on_the_blocks() -> None:
    sound, filter_ = noise(0.1, 0.1)[np.newaxis], lowpass(23, 9_800, 48_000)
    expected = np.convolve(sound[0], filter_)[1 : sound.shape[1] : 2]

    for frames in (2, 8, 120, 4_800):
        decimator = Decimator(1, filter_, 2, frames)
        pieces = [decimator.decimate(piece) for piece in np.split(sound, sound.shape[1] // frames, axis=1)]

        np.testing.assert_allclose(np.concatenate(pieces, axis=1)[0], expected, atol=1e-6)


def test_decimation_keeps_the_newest_sample() -> None:
    block = np.zeros((1, 8), np.float32)
    block[0, -1] = 1

    assert Decimator(1, np.array([0, 0, 1], np.float32), 2, 8).decimate(block)[0, -1] == 1


def test_a_window_ends_soft_and_sums_to_one() -> None:
    window = constantq.window(1_000, 0.7)

    assert window.sum() == pytest.approx(1)
    assert int(np.argmax(window)) == pytest.approx(700, abs=2)
    assert window[[0, -1]].max() < 0.01 * window.max()


@pytest.mark.parametrize("index", [20, 100, 150, 200, 260])
def test_a_sine_stands_out_at_its_bin_with_its_amplitude(index: int) -> None:
    banks = ConstantQ(1)

    for hop in in_hops(tone(float(BIN_MIDI[index]), amplitude=0.1, partials=1)):
        decibels = banks.analyse(hop[np.newaxis])[0]

    assert decibels.shape == (constantq.SPECTRA, BINS)
    assert decibels[: constantq.ULTRA].argmax(axis=1).tolist() == [index, index]
    np.testing.assert_allclose(decibels[: constantq.INNOVATION, index], -20, atol=1.5)


def test_a_steady_tone_is_foretold_and_a_new_one_is_not() -> None:
    banks = ConstantQ(1)
    index = 3 * (69 - constantq.LOWEST_MIDI)

    innovation_db = [
        float(banks.analyse(hop[np.newaxis])[0, constantq.INNOVATION, index])
        for hop in in_hops(np.concatenate([tone(69, 0.5, partials=1), tone(81, 0.5, partials=1)]))
    ]

    assert max(innovation_db[20:30]) < -60
    assert max(innovation_db[30:34]) > -40


def test_bins_are_thirds_of_semitones() -> None:
    assert BIN_HZ[3 * (69 - constantq.LOWEST_MIDI)] == pytest.approx(440)


def test_partials_outside_the_banks_are_nothing() -> None:
    bins = features.partial_bins({1 / 3: 1, 1.0: 0, 12.0: 0})

    assert bins.shape == (features.PITCHES, 5)
    assert (bins[0, :3] == BINS).all()
    assert bins[-1, 4] == BINS
    assert (bins[:, 3] == 3 * (features.PITCH_MIDI - constantq.LOWEST_MIDI)).all()


def test_features_do_not_depend_on_the_level() -> None:
    loud, soft = features.Features(1), features.Features(1)
    spectra = np.random.default_rng(1).uniform(-30, -10, (1, constantq.SPECTRA, BINS)).astype(np.float32)

    ours, theirs = loud.stack(spectra), soft.stack(spectra - 20)

    level_of_all = 1 + features.FEATURES - features.GLOBALS
    np.testing.assert_allclose(
        np.delete(ours, level_of_all, axis=0), np.delete(theirs, level_of_all, axis=0), atol=1e-5
    )
    assert ours.shape == (1 + features.FEATURES, 1, features.PITCHES)
    assert (ours[0] == 1).all()


@pytest.mark.parametrize("cents", [-45, -20, 0, 20, 45])
def test_the_tuning_is_told(cents: int) -> None:
    banks, stacks = ConstantQ(2), features.Features(2)
    sounds = [in_hops(tone(60 + cents / 100)), in_hops(tone(61 + cents / 100))]

    for hops in np.stack(sounds, axis=1):
        _, whole = stacks.observe(banks.analyse(hops))

    told = np.degrees(np.arctan2(whole[:, 6], whole[:, 5])) * 100 / 360
    np.testing.assert_allclose(told, cents, atol=6)


def test_what_never_ends_is_steady_and_a_note_is_not() -> None:
    banks, stacks = ConstantQ(1), features.Features(1)
    hum, note = 3 * (45 - constantq.LOWEST_MIDI), 3 * (64 - constantq.LOWEST_MIDI)
    sound = tone(45, 2, 0.02, partials=1)
    sound[48_000:] += tone(64, 1, 0.1, partials=1)

    for hop in in_hops(sound):
        observed, _ = stacks.observe(banks.analyse(hop[np.newaxis]))

    assert observed[0, features.STEADY, hum] == pytest.approx(observed[0, constantq.SLOW, hum], abs=0.02)
    assert observed[0, features.STEADY, note] < observed[0, constantq.SLOW, note] - 0.5


def arrays() -> dict[str, np.ndarray]:
    with np.load(network.MODEL) as model:
        return dict(model)


def test_the_model_has_the_layers_of_the_network_and_nothing_else() -> None:
    shapes = {name: array.shape for name, array in arrays().items()}

    expected = {f"{name}_weights": shape for name, shape in network.SHAPES.items()}
    assert shapes == expected | {f"{name}_bias": shape[1:] for name, shape in network.SHAPES.items()}
    assert all(np.isfinite(array).all() for array in arrays().values())


def test_a_model_of_another_shape_is_refused() -> None:
    wrong = arrays() | {"code_bias": np.zeros(11, np.float32)}

    with pytest.raises(ValueError, match="code_bias"):
        network.Weights.of(wrong)
    with pytest.raises(ValueError, match="wide_weights"):
        network.Weights.of({})


def test_logits_are_one_a_pitch_and_stream() -> None:
    runs = network.Network(3, network.Weights.load())

    logits = runs.logits(np.zeros((1 + features.FEATURES, 3, features.PITCHES), np.float32))

    assert logits.shape == (network.OUTPUTS, 3, features.PITCHES)
    np.testing.assert_allclose(logits[:, 0], logits[:, 2], atol=1e-4)


def followed(*logits: float) -> list[bool]:
    follows = tracker.Tracker(1, tracker.OperatingPoint(begin=1, at_once=2, end=0))
    return [
        bool(follows.follow(np.full((network.OUTPUTS, 1, features.PITCHES), one, np.float32))[0, 0]) for one in logits
    ]


@pytest.mark.parametrize(
    ("logits", "sounding"),
    [
        ((0.5, 1.5, 0.5, 1.5, 1.5), (False, False, False, False, True)),
        ((2.5, -1, 0.5, -1, -1, -1), (True, True, True, True, False, False)),
        ((2.5, 0.5, 0.5, 0.5), (True, True, True, True)),
    ],
)
def test_a_note_begins_when_confirmed_and_ends_when_gone(logits: tuple[float, ...], sounding: tuple[bool, ...]) -> None:
    assert tuple(followed(*logits)) == sounding


def test_without_a_peak_nothing_is_measured() -> None:
    rising = np.linspace(-80, -20, BINS, dtype=np.float32)

    assert pitch.frequency_hz(rising, MidiNote(60)) is None


@pytest.mark.parametrize("note", [features.LOWEST_PITCH, features.HIGHEST_PITCH])
def test_the_outermost_notes_are_measured(note: int) -> None:
    flat = np.full((2, BINS), -30, np.float32)

    assert pitch.frequency_hz(flat[0], MidiNote(note)) is None
    assert pitch.velocity(flat, MidiNote(note)) == pytest.approx(0.5)


def test_levels() -> None:
    assert level.dbfs(np.zeros(8, np.float32)) == level.SILENCE_DBFS
    assert level.dbfs(np.full(8, -1, np.float32)) == 0
    assert level.dbfs(np.full(8, 0.1, np.float32)) == pytest.approx(-20)


def test_only_sound_is_let_through() -> None:
    samples = np.array([0.5, -1.5, np.nan, np.inf, -np.inf, 1e30, 1e-40], np.float32)

    assert level.safe(samples).tolist() == [0.5, -1.5, 0, 0, 0, 0, 0]


@pytest.mark.parametrize("semitones", [network.NEIGHBOURS, network.TELLING, (3,), (-2, 0, 1)])
def test_every_pitch_sees_its_neighbours_and_nobody_beyond_the_range(semitones: tuple[int, ...]) -> None:
    codes = np.random.default_rng(1).random((2, 3, features.PITCHES), np.float32)
    seen = np.zeros((len(semitones), 2, 3, features.PITCHES), np.float32)

    network._Neighbours(2, 3, semitones).see(codes, seen)

    around = np.pad(codes, ((0, 0), (0, 0), (24, 24)))
    for distance, one in zip(semitones, seen, strict=True):
        np.testing.assert_array_equal(one, around[:, :, 24 + distance : 24 + distance + features.PITCHES])


def test_the_network_of_attacks_lets_every_band_see_its_neighbours_lately() -> None:
    weights = AttackWeights.load()
    bands = np.random.default_rng(1).random((20, BANDS), np.float32)
    known = np.concatenate([bands[:1].repeat(max(BAND_LAGS), axis=0), bands])
    known = np.pad(known, ((0, 0), (SIDES, SIDES)))

    def surely(step: int) -> float:
        newest = max(BAND_LAGS) + step
        seen = [known[newest - lag, side : side + BANDS] for side in range(2 * SIDES + 1) for lag in BAND_LAGS]
        units = np.array(seen).T
        for of, bias in (weights.first, weights.second):
            units = np.maximum(units @ of + bias, 0)
        of, bias = weights.whole
        whole = np.maximum(np.concatenate([units.mean(axis=0), units.max(axis=0)]) @ of + bias, 0)
        of, bias = weights.attack
        return float(whole @ of[:, 0] + bias[0])

    attack = SoftAttack(weights)
    told = np.concatenate([attack.follow(bands[:7]), attack.follow(bands[7:])])
    np.testing.assert_allclose(told, [surely(step) for step in range(len(bands))], rtol=1e-4, atol=1e-4)
