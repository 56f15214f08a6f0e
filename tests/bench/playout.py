"""What the playout of one remote stream costs, how long packets wait in it, and how loss sounds. Prints tables; asserts
nothing. Clocks and networks are simulated, sound and codec are real. `python -m tests.bench.playout [seconds]`
"""

import itertools
import math
import sys
import time

import numpy as np
from rich.console import Console
from rich.table import Table

from jambridge.audio.opus import Decoder
from jambridge.audio.playout.buffer import Playout
from jambridge.audio.playout.depth import Safety
from jambridge.units import SAMPLE_RATE_HZ, LocalSeconds
from tests.audio import simulated
from tests.audio.fidelity import errors_with_loss, fitted, played
from tests.audio.simulated import Delay, Hum, in_bursts, jitter, lan, listen, packets, steady

SETTLED_S = 20.0
NETWORKS: dict[str, Delay] = {
    "LAN": lan,
    "5 % loss": simulated.loses(0.05),
    "20 % in bursts": simulated.loses_in_bursts(0.2),
    "30 +- 20 ms": jitter,
    "30 +- 20 ms, 5 % loss": simulated.loses(0.05, jitter),
    "30 +- 20 ms, 20 % in bursts": simulated.loses_in_bursts(0.2, jitter),
    "2 ms exponential, 1 % 20 ms later": lambda rng, _: rng.expovariate(500) + (0.02 if rng.random() < 0.01 else 0),
    "500 ms of nothing every 20 s": simulated.stalls(20, 0.5),
}


def cpu_us_a_packet(frames: int, decoder: Decoder | Hum, seconds: float) -> float:
    """Of this process, for put, decoding, resampling and all callbacks of 128 frames."""
    payloads = [bytes(frames // 48)] if isinstance(decoder, Hum) else simulated.some_music(frames)
    arriving, pulls = packets(payloads, seconds, frames=frames), list(steady(seconds))
    playout, waiting, pulled = Playout(decoder=decoder), iter(arriving), 0
    began = time.process_time()
    packet = next(waiting, None)
    for now, count in pulls:
        while packet is not None and packet.arrived_at <= now:
            playout.put(packet)
            packet = next(waiting, None)
        pulled += len(playout.pull(count, LocalSeconds(now)))
    return (time.process_time() - began) / len(arriving) * 1e6


def costs(seconds: float) -> Table:
    table = Table(
        "packet", "µs a packet", "without decoding", "% of a core", title="CPU of one stream, callbacks of 128"
    )
    for frames in (480, 240):
        whole, bare = cpu_us_a_packet(frames, Decoder(), seconds), cpu_us_a_packet(frames, Hum(), seconds)
        share = whole * 1e-6 * SAMPLE_RATE_HZ / frames * 100
        table.add_row(f"{frames / 48:g} ms", f"{whole:.0f}", f"{bare:.0f}", f"{share:.2f}")
    return table


def delays(seconds: float) -> Table:
    columns = (
        "network",
        "prefers",
        "mean ms",
        "least - most",
        "ms a minute",
        "late %",
        "lost %",
        "made up %",
        "splices",
    )
    table = Table(*columns, "inserted", title=f"How long packets wait, of 10 ms, callbacks of 128, {seconds:g} s")
    for (name, delay), safety in itertools.product(NETWORKS.items(), Safety):
        _add(table, name, safety, listen_to(delay, safety, seconds), seconds)
    _add(table, "LAN, four callbacks at once", Safety.NORMAL, listen_to(lan, Safety.NORMAL, seconds, 4), seconds)
    return table


def listen_to(delay: Delay, safety: Safety, seconds: float, together: int = 1) -> tuple[Playout, simulated.Heard]:
    playout = Playout(safety, Hum())
    pulls = steady(seconds) if together == 1 else in_bursts(seconds, together=together)
    return playout, listen(playout, packets([bytes(10)], seconds, delay), pulls)


def _add(table: Table, name: str, safety: Safety, result: tuple[Playout, simulated.Heard], seconds: float) -> None:
    report, heard = result[0].report(), result[1]
    depths = heard.depths(SETTLED_S)
    shares = (report.late / seconds, report.lost / seconds, 100 * report.concealed)
    counts = (str(report.splices), str(report.inserted))
    extent = f"{depths.min():.1f} - {depths.max():.1f}"
    slope = f"{heard.slope_ms_a_minute(SETTLED_S):.2f}"
    table.add_row(name, safety, f"{depths.mean():.1f}", extent, slope, *(f"{share:.2f}" for share in shares), *counts)


def losses() -> Table:
    columns = ("piece", "packet", "concealed dB", "filled with silence dB", "difference", "sharpest bend")
    table = Table(*columns, title="Log-spectral error in what is lost, at 5 % loss")
    for piece, frames in itertools.product(simulated.PIECES, (480, 240)):
        errors = errors_with_loss(piece, 0.05, frames, 20.0)
        both = (errors.concealed_db, errors.silent_db, errors.silent_db - errors.concealed_db)
        table.add_row(piece, f"{frames / 48:g} ms", *(f"{value:.1f}" for value in both), f"{errors.bend:.2f}")
    return table


def tones() -> Table:
    table = Table("packet", "through Opus alone dB", "and the playout, +100 ppm dB", title="997 Hz at 128 kbit/s")
    mono = (0.5 * np.sin(2 * math.pi * 997 * np.arange(8 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ)).astype(np.float32)
    tone = np.stack([mono, mono], axis=1)
    for frames in (480, 240):
        decoder = Decoder()
        alone = np.concatenate([decoder.decode(payload) for payload in simulated.encoded(tone, frames)])
        both = fitted(alone[SAMPLE_RATE_HZ:, 0].astype(float), 997)[1], _settled(played(tone, frames=frames))
        table.add_row(f"{frames / 48:g} ms", *(f"{value:.1f}" for value in both))
    return table


def _settled(sound: simulated.Stereo) -> float:
    return fitted(sound[4 * SAMPLE_RATE_HZ :, 0].astype(float), 997 * (1 + 1e-4))[1]


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 120.0
    console = Console(width=150)
    for table in (costs(min(seconds, 30.0)), delays(seconds), losses(), tones()):
        console.print(table)


if __name__ == "__main__":
    main()
