"""Fit the small network of `jambridge.notes.soft_attack` to when notes and drums begin."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import augment
import jax
import jax.numpy as jnp
import numpy as np
import training
from dataset import read
from model import Layers

from jambridge.notes.bands import FINE, ONSET_BLOCK, Bands
from jambridge.notes.soft_attack import BAND_LAGS, BANDS, SHAPES, SIDES
from jambridge.units import SAMPLE_RATE_HZ
from tests.bench.onsets import attacks_s
from tests.bench.truth import Piece

STEP_S = FINE.every * ONSET_BLOCK / SAMPLE_RATE_HZ
SOON_S, LATE_S, PAST_S = 0.006, 0.046, 0.085  # after an attack: when it should be told, may be told, is over
PASSAGE, PASSAGES = 96, 16
SETTLED = 12  # steps after which what began with the file is no attack
NOISES = 300

_NAMES = ("bands", "attacked", "excused")


@dataclass(frozen=True)
class Steps:
    """Shapes (items, steps, BANDS) and twice (items, steps). `excused`: an attack may be told or not."""

    bands: np.ndarray
    attacked: np.ndarray
    excused: np.ndarray


def observe(piece: Piece) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    samples, step = piece.hops.ravel(), FINE.every * ONSET_BLOCK
    raised = Bands(FINE).follow(samples[: samples.size // step * step], FINE.every - 1)
    ends_s = (np.arange(len(raised)) + 1) * STEP_S
    attacks = np.array([-np.inf, *attacks_s(piece)])
    since_s = ends_s - attacks[np.searchsorted(attacks, ends_s, "right") - 1]
    attacked = (since_s >= SOON_S) & (since_s < LATE_S)
    return raised.astype(np.float16), attacked, (since_s < PAST_S) & ~attacked


def prepare(folder: Path, group: range, cache: Path) -> None:
    """Observe items that are not in the cache."""
    stored = cache / f"{group[0]:04}.npz"
    if not stored.exists():
        cache.mkdir(parents=True, exist_ok=True)
        columns = zip(*(observe(read(folder / f"{number:04}.flac")) for number in group), strict=True)
        np.savez(stored, **dict(zip(_NAMES, map(np.stack, columns), strict=True)))  # type: ignore[arg-type]


def load(caches: list[Path]) -> Steps:
    groups = [np.load(path) for cache in caches for path in sorted(cache.glob("*.npz"))]
    return Steps(*(np.concatenate([group[name] for group in groups]) for name in _NAMES))


def noises(count: int) -> Steps:
    """Of every colour and as loud as can be: nothing begins in them."""
    random_ = np.random.default_rng(0)
    sounds = [augment.noise(random_, random_.uniform(-65, -10), random_.uniform(0, 2)) for _ in range(count)]
    bands = [Bands(FINE).follow(sound, FINE.every - 1)[SETTLED:] for sound in sounds]
    nothing = np.zeros((count, len(bands[0])), bool)
    return Steps(np.stack(bands).astype(np.float16), nothing, nothing)


def initial(seed: int) -> Layers:
    keys = jax.random.split(jax.random.PRNGKey(seed), len(SHAPES))
    layers = {
        name: {"weights": jax.random.normal(key, shape) * np.sqrt(2 / shape[0]), "bias": jnp.zeros(shape[1])}
        for key, (name, shape) in zip(keys, SHAPES.items(), strict=True)
    }
    layers["attack"]["bias"] -= 2.0
    return layers


def logits(layers: Layers, bands: jax.Array) -> jax.Array:
    """(..., steps, BANDS) to (..., steps); the first max(BAND_LAGS) steps see themselves instead of what was before."""
    before = jnp.concatenate([jnp.repeat(bands[..., :1, :], max(BAND_LAGS), axis=-2), bands], axis=-2)
    count = bands.shape[-2]
    past = [before[..., max(BAND_LAGS) - lag : max(BAND_LAGS) - lag + count, :] for lag in BAND_LAGS]
    beside = jnp.pad(jnp.stack(past, axis=-1), [(0, 0)] * (bands.ndim - 1) + [(SIDES, SIDES), (0, 0)])
    shown = jnp.concatenate([beside[..., side : side + BANDS, :] for side in range(2 * SIDES + 1)], axis=-1)
    of_bands = jax.nn.relu(_layer(layers["second"], jax.nn.relu(_layer(layers["first"], shown))))
    pooled = jnp.concatenate([of_bands.mean(axis=-2), of_bands.max(axis=-2)], axis=-1)
    return _layer(layers["attack"], jax.nn.relu(_layer(layers["whole"], pooled)))[..., 0]


def _layer(layer: dict[str, jax.Array], inputs: jax.Array) -> jax.Array:
    return inputs @ layer["weights"] + layer["bias"]


def _passages(steps: tuple[Steps, ...], random_: np.random.Generator) -> Iterator[tuple[np.ndarray, ...]]:
    shares = np.array([len(one.attacked) for one in steps])
    while True:
        cut = []
        for one in random_.choice(len(steps), PASSAGES, p=shares / shares.sum()):
            items, length = steps[one].attacked.shape
            item, first = random_.integers(items), random_.integers(length - PASSAGE)
            cut.append((steps[one], (item, slice(first, first + PASSAGE))))
        yield tuple(np.stack([getattr(one, name)[place] for one, place in cut]) for name in _NAMES)


def loss(layers: Layers, bands: jax.Array, attacked: jax.Array, excused: jax.Array) -> jax.Array:
    surely = logits(layers, bands.astype(jnp.float32))[:, max(BAND_LAGS) :]
    attacked, excused = (array[:, max(BAND_LAGS) :].astype(jnp.float32) for array in (attacked, excused))
    return ((1 - excused) * (jax.nn.softplus(surely) - attacked * surely)).mean()


def train(steps: tuple[Steps, ...], count: int, export_to: Path) -> None:
    training.fit(initial(0), loss, _passages(steps, np.random.default_rng(0)), count, export_to)
