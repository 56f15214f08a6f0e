"""Which libraries are installed, and whether those with machine code load: in a process of its own, one may crash it.

python -m jambridge.doctor.probe.libraries: a line each, the name and then `ok` or why not.
"""

import importlib
import sys
from collections.abc import Sequence
from importlib import metadata

from jambridge.doctor.probe import aside
from jambridge.errors import DeviceError

_OWN = "jambridge"
_OK = "ok"
_OPUS = "libopus"
WITH_MACHINE_CODE = (
    *("aiohttp", "av", "cryptography.hazmat.bindings._rust", "google_crc32c", "numpy", "pydantic_core", "pylibsrtp"),
    *("rtmidi", "soundfile", "soxr", "yaml"),
)


def required() -> Sequence[str]:
    """By our own package; none where it is not installed as one."""
    try:
        return metadata.requires(_OWN) or ()
    except metadata.PackageNotFoundError:
        return ()


def installed() -> dict[str, str]:
    """Versions by name, in lower case."""
    return {(one.name or "").lower(): one.version for one in metadata.distributions()}


async def broken() -> dict[str, str]:
    """Modules that do not load, with the reason; one that takes the process along is the last."""
    said = await aside.program([sys.executable, "-m", "jambridge.doctor.probe.libraries"])
    status, text = said or (1, "")
    outcomes = {name: why for name, _, why in (line.partition(" ") for line in text.splitlines()) if why != _OK}
    if status != 0:
        last = next(reversed(outcomes), "python")
        outcomes[last] = outcomes.get(last) or f"it crashes ({-status if status < 0 else status})"
    return outcomes


def main() -> None:
    for name in (*WITH_MACHINE_CODE, _OPUS):
        sys.stdout.write(f"{name} ")
        sys.stdout.flush()
        sys.stdout.write(f"{_loads(name)}\n")


def _loads(name: str) -> str:
    try:
        if name == _OPUS:
            from jambridge.audio import opus

            opus.Encoder()
        else:
            importlib.import_module(name)
    except (ImportError, OSError, DeviceError) as exc:
        return " ".join(str(exc).split()) or type(exc).__name__
    return _OK


if __name__ == "__main__":
    main()
