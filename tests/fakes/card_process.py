"""A program that uses a sound card: `tone NAME` plays 997 Hz, `level NAME` says how loud 997 Hz is, a line every 0.1 s.

What is unplugged, frozen or gone shows from outside: by silence, by lines that stop, by the end.
"""

import sys
import threading
from typing import Any

import numpy as np
import sounddevice

RATE_HZ = 48_000
LEVEL = 0.5
BLOCK_FRAMES = 4800
END = threading.Event()


def main() -> None:
    act, name = sys.argv[1:]
    phase = 2 * np.pi * 997 * np.arange(RATE_HZ) / RATE_HZ
    tone = (LEVEL * np.exp(1j * phase)).astype(np.complex64)
    position = 0

    def play(block: Any, *_: Any) -> None:
        nonlocal position
        block[:] = tone.real[(position + np.arange(len(block))) % RATE_HZ, None]
        position += len(block)

    def hear(block: Any, *_: Any) -> None:
        amplitude = 2 * abs(np.vdot(tone[: len(block)], block[:, 0])) / len(block) / LEVEL
        print(f"{amplitude:.3f}", flush=True)

    shape = {"device": name, "channels": 2, "samplerate": RATE_HZ, "finished_callback": END.set}
    stream = (
        sounddevice.OutputStream(callback=play, blocksize=128, latency="low", **shape)
        if act == "tone"
        else sounddevice.InputStream(callback=hear, blocksize=BLOCK_FRAMES, **shape)
    )
    with stream:
        END.wait()


if __name__ == "__main__":
    main()
