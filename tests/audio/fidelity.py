"""How near what is heard is to what was played."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jambridge.audio.opus import Decoder
from jambridge.audio.playout.buffer import Playout
from jambridge.units import SAMPLE_RATE_HZ
from tests.audio import simulated
from tests.audio.simulated import Delay, Stereo, lan, listen, packets, steady

_FLOOR = 1e-5  # -100 dBFS: below, 16 bits have nothing


def fitted(sound: NDArray[np.floating], frequency_hz: float) -> tuple[float, float]:
    """Level in dB and ratio to all else in dB of a tone whose pitch may wander slowly; `sound` of shape (frames,)."""
    time = np.arange(len(sound)) / SAMPLE_RATE_HZ
    turned = sound * np.exp(-2j * np.pi * frequency_hz * time)
    slow = turned[: len(turned) // 960 * 960].reshape(-1, 960).mean(axis=1)
    middle = (np.arange(len(slow)) + 0.5) * 960 / SAMPLE_RATE_HZ
    phase = np.polyval(np.polyfit(middle, np.unwrap(np.angle(slow)), 5), time)
    angle = 2 * np.pi * frequency_hz * time + phase
    basis = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    parts = np.linalg.lstsq(basis, sound, rcond=None)[0]
    power = float(parts @ parts) / 2
    return 10 * math.log10(2 * power), 10 * math.log10(power / float(np.mean((sound - basis @ parts) ** 2)))


def played(
    sound: Stereo, ppm: float = 100.0, *, delay: Delay = lan, decoder: Decoder | None = None, frames: int = 480
) -> Stereo:
    """Through the encoder at 128 kbit/s, the network and the playout."""
    seconds = len(sound) / SAMPLE_RATE_HZ
    arriving = packets(simulated.encoded(sound, frames), seconds, delay, frames=frames, ppm=ppm, seed=3)
    return listen(Playout(decoder=decoder), arriving, steady(seconds - 0.1), keep=True).sound


class SilenceFill(Decoder):
    """What is missing is left silent."""

    def conceal(self, frames: int) -> Stereo:
        return np.zeros_like(super().conceal(frames))


def log_spectral_error(sound: Stereo, reference: Stereo, begins: NDArray[np.intp], frames: int) -> float:
    """In dB: RMS difference of log spectra up to 16 kHz, mean over stretches of `frames` from `begins`."""

    def spectra(whole: Stereo) -> NDArray[np.float64]:
        stretches = np.stack([whole[begin : begin + frames].mean(axis=1) for begin in begins])
        bins = np.abs(np.fft.rfft(stretches * np.hanning(frames))) / (frames / 4)
        return 20 * np.log10(bins[:, 1 : 1 + frames // 3] + _FLOOR)

    return float(np.sqrt(((spectra(sound) - spectra(reference)) ** 2).mean(axis=1)).mean())


@dataclass(frozen=True, slots=True)
class LossErrors:
    """Log-spectral errors against the same stream without loss, in dB, in the lost stretches alone."""

    concealed_db: float
    silent_db: float
    bend: float
    """The sharpest bend of the concealed sound over the sharpest without loss: a click would show."""


def errors_with_loss(piece: str, share: float, frames: int = 480, seconds: float = 12.0) -> LossErrors:
    music, loses = simulated.music(piece, seconds, 5.0), simulated.loses(share)
    whole = played(music, 0, frames=frames)
    concealed = played(music, 0, delay=loses, frames=frames)
    silent = played(music, 0, delay=loses, decoder=SilenceFill(), frames=frames)
    is_lost = (silent == 0).all(axis=1) & (whole != 0).any(axis=1)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], is_lost, [False]]).astype(int)))
    begins = np.array([(a + b) // 2 - frames // 2 for a, b in edges.reshape(-1, 2) if b - a > frames * 0.4])
    return LossErrors(
        log_spectral_error(concealed, whole, begins, frames),
        log_spectral_error(silent, whole, begins, frames),
        float(np.abs(np.diff(concealed, 2, axis=0)).max() / np.abs(np.diff(whole, 2, axis=0)).max()),
    )
