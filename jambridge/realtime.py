"""What our processes have in common: punctual, without long collections; without an event loop, ended by signals."""

import gc
import os
import signal
import sys
from contextlib import suppress


def stop_on_signals() -> int:
    """A descriptor that is readable once SIGTERM or SIGINT has come."""
    stop_fd, signal_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(signal_fd, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    return stop_fd


def be_punctual(priority: int) -> None:
    """Real-time scheduling for this process and its threads to come, where this user may."""
    with suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))


def spare_what_stands() -> None:
    """Leave what there is by now out of all collections to come: a full one of the main process would take 30 ms."""
    gc.collect()
    gc.freeze()


def stop_collecting() -> None:
    """The loops make no cycles, and a collection would be a late frame."""
    spare_what_stands()
    gc.disable()


def silence_libraries() -> None:
    """Only Python writes to standard error from now on: PortAudio and JACK tell there of every server they miss."""
    sys.stderr = os.fdopen(os.dup(2), "w")
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    os.close(nothing)
