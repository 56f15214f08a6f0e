"""Fit the network to the truth of every frame."""

import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import model
import numpy as np
import optax
from dataset import Frames
from model import Layers

from jambridge.notes.features import LOWEST_PITCH

BURN_IN = 16  # frames of a passage that only fill the memory, where it is not the beginning of an item
PASSAGE = 64
PASSAGES = 8
BEGINNINGS = 0.12  # of the passages: what sounds from the first frame on, hum above all, is no note because of it
EARLY = 7  # frames after an onset that weigh more: so it is found sooner
EARLY_WEIGHT = 2.5
SOONEST = 2  # frames in which a high note should be found: its windows are short
HIGH = 72 - LOWEST_PITCH
SOONEST_WEIGHT = 2.5
RELATED_WEIGHT = 1.2
RELATED = (12, 19, 24, 28)  # semitones at which a note that is not there is easily taken for one
RATE = 4e-3
GOING_ON = 0.5  # of that rate, where a model has learned before: it shall not forget
WARMING = 100  # steps in which the rate rises
AVERAGED = 0.998  # of the weights, from step to step


def _early(sounding: np.ndarray, frames: int) -> np.ndarray:
    """The first `frames` of every note."""
    risen = sounding.copy()
    risen[:, 1:] &= ~sounding[:, :-1]
    early = np.zeros_like(sounding)
    for frame in range(frames):
        early[:, frame:] |= risen[:, : sounding.shape[1] - frame]
    return early & sounding


def passages(frames: Frames, random_: np.random.Generator) -> Iterator[tuple[np.ndarray, ...]]:
    """Random ones, their level shifted a little as the running peak may be elsewhere."""
    items, length = frames.whole.shape[:2]
    early, soonest = _early(frames.sounding, EARLY), _early(frames.sounding, SOONEST)
    soonest[..., :HIGH] = False
    while True:
        begins = random_.random(PASSAGES) < BEGINNINGS
        firsts = np.where(begins, 0, random_.integers(length - BURN_IN - PASSAGE, size=PASSAGES))
        cut = [
            (item, slice(first, first + BURN_IN + PASSAGE))
            for item, first in zip(random_.integers(items, size=PASSAGES), firsts, strict=True)
        ]
        observed = np.stack([frames.observed[place] for place in cut]).astype(np.float32)
        shift = random_.uniform(-0.12, 0.04, (PASSAGES, 1, 1, 1)).astype(np.float32)
        observed = np.where(observed > 0, np.clip(observed + shift, 0, 1.2), 0)
        whole, sounding, excused, soon, sooner = (
            np.stack([array[place] for place in cut])
            for array in (frames.whole, frames.sounding, frames.excused, early, soonest)
        )
        excused[~begins, :BURN_IN] = True
        yield observed, whole, sounding, excused, soon, sooner


def _entropy(logits: jax.Array, truth: jax.Array) -> jax.Array:
    return jax.nn.softplus(logits) - truth * logits


def loss(layers: Layers, observed: jax.Array, whole: jax.Array, *truth: jax.Array) -> jax.Array:
    logits = jax.vmap(partial(model.logits, layers))(observed, whole)
    sounding, excused, early, soonest = (array.astype(jnp.float32) for array in truth)
    related = jnp.zeros_like(sounding)
    for semitones in RELATED:
        related = related.at[..., semitones:].max(sounding[..., :-semitones])
        related = related.at[..., :-semitones].max(sounding[..., semitones:])
    quiet = 1 - jnp.max(sounding + excused, axis=-1, keepdims=True)
    true = 0.3 * sounding + EARLY_WEIGHT * early + SOONEST_WEIGHT * soonest
    false = (1 - sounding) * (RELATED_WEIGHT * related + 0.5 * quiet)
    weights = (1 - excused) * (1 + true + false)
    return (weights * _entropy(logits[..., 0], sounding)).mean() + 0.2 * (
        (1 - excused) * _entropy(logits[..., 1], early)
    ).mean()


def train(frames: Frames, steps: int, initial: Path | None, export_to: Path, minutes: float) -> None:
    layers, rate = (imported(initial), GOING_ON * RATE) if initial else (model.initial(0), RATE)
    fit(layers, loss, passages(frames, np.random.default_rng(0)), steps, export_to, minutes, rate)


def fit(
    layers: Layers,
    loss: Callable[..., jax.Array],
    batches: Iterator[tuple[np.ndarray, ...]],
    steps: int,
    export_to: Path,
    minutes: float = math.inf,
    rate: float = RATE,
) -> None:
    """Lessen `loss(layers, *batch)`, and write the averaged layers every 100 steps.

    `rate` falls to nothing after `steps`, or sooner when `minutes` are over.
    """
    optimiser = optax.chain(optax.clip_by_global_norm(1.0), optax.scale_by_adam())
    state, averaged = optimiser.init(layers), layers

    @jax.jit
    def step(
        layers: Layers, averaged: Layers, state: optax.OptState, batch: tuple[jax.Array, ...], now: float, keep: float
    ) -> tuple[Layers, Layers, optax.OptState, jax.Array]:
        value, gradients = jax.value_and_grad(loss)(layers, *batch)
        updates, state = optimiser.update(gradients, state)
        layers = jax.tree.map(lambda old, update: old - now * update, layers, updates)
        averaged = jax.tree.map(lambda old, new: keep * old + (1 - keep) * new, averaged, layers)
        return layers, averaged, state, value

    started_s, smoothed, done, index = time.monotonic(), 0.0, 0.0, 0
    with ThreadPoolExecutor(1) as ahead:
        coming = ahead.submit(next, batches)
        while done < 1:
            batch, coming = coming.result(), ahead.submit(next, batches)
            now = rate * min(1, (index + 1) / WARMING) * (0.005 + 0.995 * np.cos(np.pi / 2 * done) ** 2)
            keep = min(AVERAGED, (1 + index) / (10 + index))
            layers, averaged, state, value = step(layers, averaged, state, batch, now, keep)
            index += 1
            smoothed += (float(value) - smoothed) * max(0.01, 1 / index)
            spent_s = time.monotonic() - started_s
            done = max(index / steps, spent_s / (60 * minutes))
            if index % 100 == 0 or done >= 1:
                print(f"step {index} loss {smoothed:.5f} after {spent_s:.0f} s", flush=True)
                export(averaged, export_to)


def export(layers: Layers, path: Path) -> None:
    arrays = {
        f"{name}_{kind}": np.asarray(array, np.float32)
        for name, layer in layers.items()
        for kind, array in layer.items()
    }
    np.savez(path, **arrays)  # type: ignore[arg-type]  # for its stubs every keyword is `allow_pickle`


def imported(path: Path) -> Layers:
    with np.load(path) as arrays:
        names = dict.fromkeys(name.rpartition("_")[0] for name in arrays)
        return {name: {kind: jnp.array(arrays[f"{name}_{kind}"]) for kind in ("weights", "bias")} for name in names}
