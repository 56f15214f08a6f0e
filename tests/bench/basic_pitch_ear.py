"""Runs in the peers' own environment: for each sound file named on the standard input, its notes on one line.

They are what basic-pitch's own `predict` gives with its defaults, as [begins_s, over_s, midi].
"""

import contextlib
import json
import os
import sys
from pathlib import Path

from basic_pitch import ICASSP_2022_MODEL_PATH  # type: ignore[import-not-found]
from basic_pitch.inference import Model, predict  # type: ignore[import-not-found]


def main() -> None:
    answers = sys.stdout
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        model = Model(ICASSP_2022_MODEL_PATH)
        answers.write("ready\n")
        answers.flush()
        for line in sys.stdin:
            _, _, events = predict(line.strip(), model)
            notes = [(float(begins_s), float(over_s), int(midi)) for begins_s, over_s, midi, *_ in events]
            answers.write(json.dumps(notes) + "\n")
            answers.flush()


if __name__ == "__main__":
    main()
