"""The command. A signal during the slow imports already means a clean exit."""

import os
import signal
import sys
from contextlib import suppress
from types import FrameType


def _leave(_number: int, _frame: FrameType | None) -> None:
    os._exit(0)  # nothing was opened yet


def main() -> None:
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, _leave)
    from jambridge.cli import run_command

    status = run_command(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # a closed pipe
            stream.flush()
    os._exit(status)  # taking an interpreter apart that has done WebRTC took a second, of the three that SIGTERM has


if __name__ == "__main__":
    main()
