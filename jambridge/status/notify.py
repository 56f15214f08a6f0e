"""sd_notify(3): tells systemd that we are ready and, as long as none of our loops hangs, alive."""

import os
import socket


def notify(*lines: str) -> bool:
    """Send state lines such as READY=1; False where nobody listens."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.sendto("\n".join(lines).encode(), address)
    except OSError:
        return False
    return True


def watchdog_period_s() -> float | None:
    """How often systemd wants WATCHDOG=1, halved as it advises; None where it does not watch."""
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    if not microseconds.isdigit() or os.environ.get("WATCHDOG_PID") not in (None, str(os.getpid())):
        return None
    return int(microseconds) / 2e6
