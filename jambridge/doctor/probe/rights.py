"""Groups, and what the scheduler grants."""

import grp
import os
import pwd
import resource
import threading
from contextlib import suppress

from jambridge.audio.card import kernel
from jambridge.doctor.judge.rights import RealTime, SoundRights

_GROUP = "audio"
_PRIORITY = 20  # what the sound cards' processes ask for, the highest


def sound() -> SoundRights:
    devices = list(kernel.NODES.glob("pcm*"))
    try:
        group = grp.getgrnam(_GROUP)
    except KeyError:  # a system without it
        group = None
    return SoundRights(
        cards=len(devices),
        may_open=any(os.access(device, os.R_OK | os.W_OK) for device in devices),
        is_root=os.geteuid() == 0,
        listed=group is not None and _name() in group.gr_mem,
        member=group is not None and group.gr_gid in (*os.getgroups(), os.getegid()),
    )


def real_time() -> RealTime:
    """Tried on a thread of its own: scheduling is a thread's."""
    granted: list[bool] = []

    def ask() -> None:
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(_PRIORITY))
            granted.append(True)

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    return RealTime(_PRIORITY, resource.getrlimit(resource.RLIMIT_RTPRIO)[0], bool(granted))


def _name() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return ""
