"""The disk, by writing on it, and the sensors."""

import os
import re
import tempfile
from pathlib import Path

from jambridge.doctor.judge.machine import Disk, Heat
from jambridge.doctor.probe import aside

THERMAL = Path("/sys/class/thermal")
FIRMWARE = Path("/sys/devices/platform/soc/soc:firmware/get_throttled")
_TRIED_BYTES = 64 * 1024  # of noise, for a disk may compress
_MOST_C = 200.0


def disk(directory: Path) -> Disk:
    """Write something there, as the daemon does, and remove it."""
    try:
        sizes = os.statvfs(directory)
        with tempfile.NamedTemporaryFile(dir=directory, prefix=".doctor-") as file:
            file.write(os.urandom(_TRIED_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except OSError as exc:
        return Disk(str(directory), _free_bytes(directory), exc.errno or 0)
    return Disk(str(directory), sizes.f_bavail * sizes.f_frsize)


async def heat(thermal: Path = THERMAL, firmware: Path = FIRMWARE) -> Heat:
    said = await aside.program(["vcgencmd", "get_throttled"])
    text = said[1] if said and said[0] == 0 else _text(firmware)
    bits = re.search(r"(?:0x|^)([0-9a-fA-F]{1,8})\s*$", text)
    return Heat(_hottest(thermal), int(bits[1], 16) if bits else None)


def _hottest(thermal: Path) -> float | None:
    """In °C; the kernel tells thousandths."""
    told = (_text(sensor).strip() for sensor in thermal.glob("thermal_zone*/temp"))
    known = [int(text) / 1000 for text in told if text.lstrip("-").isdigit()]
    return max((celsius for celsius in known if 0 < celsius < _MOST_C), default=None)


def _free_bytes(directory: Path) -> int:
    try:
        sizes = os.statvfs(directory)
    except OSError:
        return 0
    return sizes.f_bavail * sizes.f_frsize


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError):
        return ""
