"""The ways of sound and light through a running daemon, from what its status says. Pure.

A packet's first sample waits until the packet is full, and its last one waits as long again to be played: each is
later by the packet's length, and by what the encoder looks ahead.
"""

import math
from dataclasses import replace
from typing import Any

from jambridge.audio.opus import LOOKAHEAD_FRAMES
from jambridge.config import AudioConfig, LightConfig
from jambridge.latency.budget import Basis, Kind, Stage, Way
from jambridge.latency.remedy import BUFFER, CAPTURE, FRAME, HEARING, NETWORK, OTHERS, PACKET, PLAYOUT, with_remedy
from jambridge.strict_json import JsonObject
from jambridge.units import SAMPLE_RATE_HZ

LOOKAHEAD_MS = 1000 * LOOKAHEAD_FRAMES / SAMPLE_RATE_HZ
ONSET_MS = 7.0
"""From an attack in the sound to its flash, the median of the detector's tests."""
THEIR_CARD = "the other end's sound card"
THEIR_PLAYOUT = "the other end's jitter buffer"
WLED = "the strip's own network and controller"

_LENGTHS_MS = (2.5, 5.0, 10.0, 20.0, 40.0, 60.0)  # of Opus frames, RFC 6716 section 2.1.4
_FEWEST_PACKETS = 10


def ways(
    before: JsonObject, now: JsonObject, passed_s: float, section: AudioConfig, light: LightConfig
) -> tuple[Way, ...]:
    """Every way, from two readings of the status `passed_s` apart, and what is configured."""
    audio, delay_ms = now["audio"], now["light"].get("delay_ms")
    packets = {peer["id"]: peer["packets"] for peer in before["audio"]["peers"]}
    found: list[Way] = []
    for peer in audio["peers"]:
        since = peer["packets"] - packets.get(peer["id"], peer["packets"])
        theirs = Stage(PACKET, *_packets(since, passed_s))
        found.append(_heard(peer, theirs, audio["output"], section))
        if audio["input"]["sends"]:
            found.append(_sent(peer, audio["input"], section))
        if _is_lit(now):
            before_hearing = [_half(theirs), _network(peer)]
            found.append(_lit(peer["name"], peer["path"], before_hearing, delay_ms, light, THEIR_CARD))
    if _is_lit(now) and audio["input"]["card"]:
        found.append(_lit("line-in", None, [_card(CAPTURE, audio["input"], section)], delay_ms, light))
    return tuple(with_remedy(way, section) for way in found)


def packet_ms(packet_frames: int, block_frames: int) -> float:
    """What a packet adds, on average, to sound that a card hands over in blocks; all at 48 kHz.

    The first sample of a block has waited for its last one, which is counted as the card's; so far the packet waits
    with it, and there is less to add: less than nothing where several packets fill at once.
    """
    waited = packet_frames - (block_frames + math.gcd(block_frames, packet_frames)) / 2
    return 1000 * waited / SAMPLE_RATE_HZ + LOOKAHEAD_MS


def _heard(peer: Any, packet: Stage, output: Any, section: AudioConfig) -> Way:
    waited = Stage(BUFFER, *_known(peer["latency_ms"]["playout"]))
    stages = (packet, _network(peer), waited, _card(PLAYOUT, output, section))
    return Way(Kind.HEARD, peer["name"], peer["path"], stages, (THEIR_CARD,))


def _sent(peer: Any, line_in: Any, section: AudioConfig) -> Way:
    frames = round(line_in["packet_ms"] * SAMPLE_RATE_HZ / 1000)
    packet = Stage(PACKET, packet_ms(frames, section.block_frames), Basis.CONFIGURED)
    stages = (_card(CAPTURE, line_in, section), packet, _network(peer))
    return Way(Kind.SENT, peer["name"], peer["path"], stages, (THEIR_PLAYOUT, THEIR_CARD))


def _lit(
    who: str, path: str | None, before: list[Stage], delay_ms: float | None, light: LightConfig, *beyond: str
) -> Way:
    """A note waits until the other rooms can show it, `delay_ms` after it was played, where all show it together.

    And for the next frame by half its length, on average.
    """
    heard = [*before, Stage(HEARING, ONSET_MS, Basis.TYPICAL)]
    if delay_ms is not None:
        heard.append(Stage(OTHERS, max(0.0, delay_ms - sum(stage.ms or 0.0 for stage in heard)), Basis.MEASURED))
    frame = Stage(FRAME, 1000 / light.max_fps / 2, Basis.CONFIGURED)
    return Way(Kind.LIGHT, who, path, (*heard, frame), (*beyond, WLED))


def _half(packet: Stage) -> Stage:
    """Of a packet that is heard as soon as it is there, a note waits for the half, on average."""
    return replace(packet, ms=None if packet.ms is None else (packet.ms + LOOKAHEAD_MS) / 2)


def _card(name: str, card: Any, section: AudioConfig) -> Stage:
    """What the driver says; at least a block, which some drivers forget."""
    if not card["card"]:
        return Stage(name, None, Basis.UNKNOWN)
    block_ms = 1000 * section.block_frames / (card["rate_hz"] or SAMPLE_RATE_HZ)
    if card["latency_ms"] > block_ms:
        return Stage(name, card["latency_ms"], Basis.DRIVER)
    return Stage(name, block_ms, Basis.CONFIGURED)


def _network(peer: Any) -> Stage:
    return Stage(NETWORK, *_known(peer["latency_ms"]["network"]))


def _known(ms: float | None) -> tuple[float | None, Basis]:
    return ms, Basis.UNKNOWN if ms is None else Basis.MEASURED


def _packets(count: int, passed_s: float) -> tuple[float | None, Basis]:
    """The length of packets of which so many came, as long as a packet may be, and its look-ahead."""
    if count < _FEWEST_PACKETS or passed_s <= 0:
        return None, Basis.UNKNOWN
    apart_ms = 1000 * passed_s / count
    return min(_LENGTHS_MS, key=lambda length: abs(length - apart_ms) / length) + LOOKAHEAD_MS, Basis.MEASURED


def _is_lit(status: JsonObject) -> bool:
    return any(one["state"] == "driven" for one in status["light"]["controllers"])
