"""A program that looks for a sound card, and once its standard input ends opens it; it prints what came of each.

python -m tests.fakes.opening NAME input|output
"""

import os
import sys

from jambridge.audio.card import cards
from jambridge.audio.card.cards import Direction
from jambridge.errors import DeviceError


def main(name: str, kind: str) -> None:
    direction = Direction(kind)
    try:
        cards.look()
        card = cards.find(name or None, direction)
        print("found" if card else "nothing", flush=True)
        sys.stdin.read()
        if card:
            stream = cards.open_stream(card, direction, 128, lambda _: None, lambda *_: None)
            print("open", int(stream.samplerate))
    except DeviceError as exc:
        print(exc)
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
