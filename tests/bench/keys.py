"""A struck string as a piano has it: stiff, its upper partials dying first, a knock of the hammer. Pure.

Partials at k f0 sqrt(1 + B k²) with B as N. H. Fletcher and T. D. Rossing, "The Physics of Musical Instruments" (1998),
chapter 12, give for the middle of the keyboard; levels and decays are by ear.
"""

import numpy as np
from numpy.typing import NDArray

from jambridge.units import MidiNote, hz

RATE_HZ = 48_000
ATTACK_S = 0.003
DAMPED_S = 0.03
PEAK = 0.3
AUDIBLE = 0.1 * PEAK
"""20 dB below its loudest: the first sample above is the attack's first audible one."""
_INHARMONICITY = 4e-4
_PARTIALS = 12
_KNOCK_S = 0.01
_KNOCK = 0.05


def strike(note: MidiNote, length_s: float, random: np.random.Generator) -> NDArray[np.float32]:
    """One note, shape (frames,), damped at its end."""
    at = np.arange(round(length_s * RATE_HZ)) / RATE_HZ
    order = np.arange(1, _PARTIALS + 1)[:, np.newaxis]
    frequency_hz = order * hz(note) * np.sqrt(1 + _INHARMONICITY * order**2)
    level = np.where(frequency_hz < RATE_HZ / 2.5, order**-1.3 * np.abs(np.sin(np.pi * order / 8)), 0)
    phase = random.uniform(0, 2 * np.pi, order.shape)
    decay = np.exp(-at * (1.2 + 0.7 * order))
    sound = (level * decay * np.sin(2 * np.pi * frequency_hz * at + phase)).sum(axis=0)
    sound *= np.clip(at / ATTACK_S, 0, 1) * np.clip((at[-1] - at) / DAMPED_S, 0, 1)
    sound /= np.abs(sound).max()
    sound += _KNOCK * random.standard_normal(len(at)) * np.exp(-at / _KNOCK_S) * np.clip(at / 0.001, 0, 1)
    struck: NDArray[np.float32] = (PEAK * sound).astype(np.float32)
    return struck


def first_audible(sound: NDArray[np.float32]) -> int:
    """The frame of the first sample that is."""
    return int(np.argmax(np.abs(sound) >= AUDIBLE))
