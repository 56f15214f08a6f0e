"""An instrument at a JACK server, in a process of its own: what python-rtmidi does to it, it does to nobody else.

Standard input: a list of messages in hexadecimal a line, which are played in one period; at its end the instrument is
pulled out. Standard output: a line once it is plugged in, then [CLOCK_MONOTONIC seconds, whether it was heard and not
played, message] for each message.
"""

import json
import os
import queue
import sys
import threading
import time

import rtmidi

_SWITCH_S = 0.0002  # a callback that waits longer for another thread is late for its period


def main(name: str) -> None:
    sys.setswitchinterval(_SWITCH_S)
    told = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what JACK prints
    events: queue.SimpleQueue[tuple[float, bool, bytes] | None] = queue.SimpleQueue()
    out = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name=name)
    out.open_virtual_port("out")
    ear = rtmidi.MidiIn(rtmidi.API_UNIX_JACK, name=f"{name} in", queue_size_limit=1)
    ear.ignore_types(sysex=False, timing=False, active_sense=False)
    ear.set_callback(lambda event, _: events.put((time.monotonic(), True, bytes(event[0]))))
    ear.open_virtual_port("in")
    print(file=told, flush=True)

    def play() -> None:
        for line in sys.stdin:
            for message in map(bytes.fromhex, json.loads(line)):
                events.put((time.monotonic(), False, message))
                out.send_message(message)
        events.put(None)

    threading.Thread(target=play, daemon=True).start()
    while (event := events.get()) is not None:
        at, is_heard, message = event
        print(json.dumps([at, is_heard, message.hex()]), file=told, flush=True)
    out.close_port()
    ear.close_port()
    # Neither deleted nor its callback taken away: one that waits for the interpreter would find its memory freed.
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
