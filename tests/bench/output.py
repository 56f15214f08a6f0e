"""How regular the output is while three peers play on 300 LEDs: the WLED's wire, the kernel's times of arrival."""

import sys
import time
from itertools import pairwise

import numpy as np

from tests.bench.stage import PIXELS, open_stage, table
from tests.bench.strips import steady

SECONDS = 60.0
SETTLE_S = 3.0
SHOW_S = 0.015  # WLED shows at most once in that time


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    with open_stage("music") as stage:
        time.sleep(SETTLE_S)
        began = time.monotonic()
        time.sleep(seconds)
        packets = stage.wire.ddp(began)
        frames = stage.wire.frames(PIXELS, began)
    gaps_ms = 1000 * np.diff([frame.at for frame in frames])
    pushed_ms = 1000 * max(frame.burst_s for frame in frames)
    unpushed = sum(not last.push and following.offset == 0 for last, following in pairwise(packets))
    p1, p50, p99 = np.quantile(gaps_ms, [0.01, 0.5, 0.99])
    rows = [
        ("frames a second", f"{len(frames) / seconds:.2f}", "60"),
        ("between frames p1 / p50 / p99, ms", f"{p1:.1f} / {p50:.1f} / {p99:.1f}", ""),
        ("    sd of all; of those that no attack hurried", f"{gaps_ms.std():.2f}; {steady(gaps_ms).std():.2f}", "0.5"),
        ("longest gap, ms", f"{gaps_ms.max():.1f}", "50"),
        ("shortest gap, ms", f"{gaps_ms.min():.1f}", f"{1000 * SHOW_S:.0f}"),
        (f"gaps under {1000 * SHOW_S:.0f} ms", f"{int((gaps_ms < 1000 * SHOW_S).sum())} of {len(gaps_ms)}", ""),
        ("longest burst of one frame, ms", f"{pushed_ms:.2f}", "one burst"),
        ("packets a frame", f"{len(packets) / len(frames):.2f}", "1"),
        ("frames whose last packet does not push", str(unpushed), "0"),
    ]
    table(f"Output over {seconds:.0f} s, three peers, {PIXELS} LEDs", ("", "measured", "bar"), rows)


if __name__ == "__main__":
    main()
