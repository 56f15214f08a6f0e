"""The network of `jambridge.notes.network` for training: the same sums, over whole passages at once, in JAX."""

import jax
import jax.numpy as jnp
import numpy as np

from jambridge.notes.constantq import BINS
from jambridge.notes.features import BINS_SHOWN, CHANGES, PITCHES, REGISTERS
from jambridge.notes.network import LAGS, MEMORY, NEIGHBOURS, OUTPUTS, SHAPES, TELLING

Layers = dict[str, dict[str, jax.Array]]


def initial(seed: int) -> Layers:
    keys = jax.random.split(jax.random.PRNGKey(seed), len(SHAPES))
    layers = {
        name: {"weights": jax.random.normal(key, shape) * np.sqrt(2 / shape[0]), "bias": jnp.zeros(shape[1])}
        for key, (name, shape) in zip(keys, SHAPES.items(), strict=True)
    }
    layers["memory"]["weights"] *= 0.5
    layers["memory"]["bias"] = layers["memory"]["bias"].at[:MEMORY].set(jnp.linspace(-3, 0, MEMORY))
    layers["note"]["bias"] = jnp.array([-3.0, -4.0])
    return layers


def logits(layers: Layers, observed: jax.Array, whole: jax.Array) -> jax.Array:
    """Shapes (frames, OBSERVED, BINS) and (frames, GLOBALS) of one passage to (frames, PITCHES, OUTPUTS).

    The passage's first frame is taken to have always been, and the memory to be empty.
    """
    shown = _stack(observed, whole)
    narrow = jax.nn.relu(_layer(layers["narrow"], jax.nn.relu(_layer(layers["wide"], shown))))
    code = jnp.tanh(_layer(layers["code"], narrow))
    seen = [narrow, code, *_shifted(code, NEIGHBOURS), *(_lagged(code, lag) for lag in LAGS)]
    context = jax.nn.relu(_layer(layers["context"], jnp.concatenate(seen, axis=-1)))
    memory = _remembered(_layer(layers["memory"], context))
    told = _shifted(_layer(layers["told"], memory), TELLING)
    last = jax.nn.relu(_layer(layers["last"], jnp.concatenate([context, memory, *told], axis=-1)))
    out = _layer(layers["note"], last)
    assert out.shape[1:] == (PITCHES, OUTPUTS)
    return out


def _stack(observed: jax.Array, whole: jax.Array) -> jax.Array:
    frames = len(observed)
    changes = [observed[:, of] - _lagged(observed[:, of], lag) for of, lag in CHANGES]
    layers = jnp.concatenate([observed, jnp.stack(changes, axis=1)], axis=1)
    layers = jnp.pad(layers, ((0, 0), (0, 0), (0, 1))).reshape(frames, -1)
    assert layers.shape[1] % (BINS + 1) == 0
    registers = jnp.broadcast_to(REGISTERS.T, (frames, *REGISTERS.T.shape))
    everywhere = jnp.broadcast_to(whole[:, None], (frames, PITCHES, whole.shape[1]))
    return jnp.concatenate([layers[:, BINS_SHOWN.T], registers, everywhere], axis=-1)


def _layer(layer: dict[str, jax.Array], inputs: jax.Array) -> jax.Array:
    return inputs @ layer["weights"] + layer["bias"]


def _lagged(values: jax.Array, frames: int) -> jax.Array:
    return jnp.concatenate([jnp.repeat(values[:1], frames, axis=0), values[:-frames]])


def _shifted(values: jax.Array, semitones: tuple[int, ...]) -> list[jax.Array]:
    beyond = max(map(abs, semitones))
    padded = jnp.pad(values, ((0, 0), (beyond, beyond), (0, 0)))
    return [padded[:, beyond + distance : beyond + distance + PITCHES] for distance in semitones]


def _remembered(opened: jax.Array) -> jax.Array:
    gates, candidates = jax.nn.sigmoid(opened[..., :MEMORY]), jnp.tanh(opened[..., MEMORY:])

    def move(memory: jax.Array, now: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        gate, candidate = now
        moved = memory + gate * (candidate - memory)
        return moved, moved

    return jax.lax.scan(move, jnp.zeros_like(gates[0]), (gates, candidates))[1]
