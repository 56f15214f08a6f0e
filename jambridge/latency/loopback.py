"""Measured over a cable from line-out to line-in: the cards alone, and then everything that lies between them."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from jambridge.audio.card.cards import NO_DEVICE
from jambridge.config import AudioConfig
from jambridge.errors import DeviceError
from jambridge.latency import cable, chain
from jambridge.latency.budget import Basis, Kind, Stage, Way
from jambridge.latency.cable import RoundTrip
from jambridge.latency.chain import Circles
from jambridge.latency.compose import packet_ms
from jambridge.latency.remedy import BUFFER, CARDS, PACKET, REST, with_remedy
from jambridge.strict_json import JsonObject
from jambridge.units import SAMPLE_RATE_HZ

_ENOUGH, _RELIABLE = 0.5, 0.9  # of the chirps
_MOST_ASTRAY_MS = 2.0  # of stages that are measured apart from their sum
_IN_JACK = (
    "; in JACK, without a cable, connect jambridge-plays:out_* with jambridge-hears:in_*, and when these are gone, "
    "jambridge-out:out_* with jambridge-in:in_*"
)
_FRAME_MS = 1000 / SAMPLE_RATE_HZ


@dataclass(frozen=True, slots=True)
class Loopback:
    """`totals_ms`: of each chirp that came back, all that it went through."""

    cards: RoundTrip
    totals_ms: list[float]
    played: int
    missed: int
    way: Way

    def percentile(self, share: float) -> float:
        return float(np.percentile(self.totals_ms, share))


def measure(section: AudioConfig, seconds: float, say: Callable[[str], None]) -> Loopback:
    """Play chirps for `seconds`; `say` gets a line before each part.

    Raises:
        DeviceError: a card fails, or nothing is heard.
        UnavailableError: two peers on this machine do not reach each other.
    """
    if NO_DEVICE in (section.input, section.output):
        raise DeviceError("audio.input and audio.output must both name a card: those that the cable connects")
    say("Clicking sounds are played now: loudspeakers down, please. First the cards alone ...")
    cards = asyncio.run(_cards(section))
    say(
        f"{cards.output} is heard at {cards.input}. Now the whole chain: {seconds:.0f} s, "
        f"and {chain.SETTLE_S:.0f} before ..."
    )
    return compose(cards, asyncio.run(chain.measure(section, cards.gain, seconds)), section)


def compose(cards: RoundTrip, circles: Circles, section: AudioConfig) -> Loopback:
    """What both measurements say together.

    Raises:
        DeviceError: too little was heard again.
    """
    there = [_FRAME_MS * echo.position for echo in circles.echoes if echo]
    if len(there) < _ENOUGH * len(circles.echoes) or not there:
        raise DeviceError(
            f"only {len(there)} of {len(circles.echoes)} chirps came back through the whole chain: turn line-out or "
            f"line-in up, and let nothing else play or be heard there{_IN_JACK if cards.is_jack else ''}"
        )
    cards_ms, total_ms = float(np.median(cards.delays_ms)), float(np.median(there))
    full_ms = packet_ms(circles.packet_frames, round(cards.block_frames * SAMPLE_RATE_HZ / cards.rate_hz))
    waited_ms = float(np.median(circles.depths_ms))
    rest_ms = total_ms - cards_ms - full_ms - waited_ms
    stages = (
        Stage(CARDS, cards_ms),
        Stage(PACKET, full_ms, Basis.CONFIGURED),
        Stage(BUFFER, waited_ms),
        Stage(REST, rest_ms),
    )
    doubt = _doubt(len(there), len(circles.echoes), rest_ms)
    beyond = ("the network between two boxes",)
    way = Way(Kind.LOOPBACK, f"{cards.input} → {cards.output}", "host", stages, beyond, doubt=doubt)
    return Loopback(cards, there, len(circles.echoes), circles.missed, with_remedy(way, section))


def _doubt(heard: int, played: int, rest_ms: float) -> str | None:
    doubts = [f"only {heard} of {played} chirps came back"] if heard < _RELIABLE * played else []
    if rest_ms < -_MOST_ASTRAY_MS:
        doubts.append(f"the stages are {-rest_ms:.0f} ms more than the whole")
    return f"{' and '.join(doubts)}; is the machine busy? Measure again with nothing beside it" if doubts else None


def as_json(measured: Loopback) -> JsonObject:
    return {
        "input": measured.cards.input,
        "output": measured.cards.output,
        "rate_hz": measured.cards.rate_hz,
        "block_frames": measured.cards.block_frames,
        "cards_ms": _spread(measured.cards.delays_ms),
        "total_ms": _spread(measured.totals_ms),
        "software_ms": round(measured.percentile(50) - float(np.median(measured.cards.delays_ms)), 2),
        "heard": len(measured.totals_ms),
        "played": measured.played,
        "missed_blocks": measured.missed,
        "cable_gain_db": round(20 * float(np.log10(measured.cards.gain)), 1),
    }


def _spread(ms: list[float]) -> JsonObject:
    shares = {"least": 0, "p50": 50, "p99": 99, "most": 100}
    return {name: round(float(np.percentile(ms, share)), 2) for name, share in shares.items()}


async def _cards(section: AudioConfig) -> RoundTrip:
    found = await cable.measure(section)
    if len(found.delays_ms) < _ENOUGH * found.played or not found.delays_ms:
        raise DeviceError(
            f"nothing of what {found.output} plays is heard at {found.input}: connect line-out with line-in by a "
            f"cable, turn both up (alsamixer), and measure again{_IN_JACK if found.is_jack else ''}"
        )
    return found
