"""The MIDI ports, asked in a process of its own, for a JACK server that is frozen holds up whoever asks: as JSON.

python -m jambridge.doctor.probe.midi_ports
"""

import json
import sys

from jambridge import realtime
from jambridge.errors import DeviceError
from jambridge.midi import ports


def main() -> None:
    realtime.silence_libraries()
    try:
        answer: dict[str, object] = dict(zip(("inputs", "outputs"), ports.present(), strict=True))
    except DeviceError as exc:
        answer = {"problem": str(exc)}
    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
