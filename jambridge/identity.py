"""What the box remembers of itself between starts: its name, its room, and the lights it was given."""

import fcntl
import json
import logging
import os
import re
import secrets
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import platformdirs

from jambridge import strict_json, whole_file
from jambridge.errors import DeviceError, UsageError, WireError
from jambridge.room import code
from jambridge.strict_json import JsonObject
from jambridge.units import RoomCode

log = logging.getLogger(__name__)

_FILE = "identity.json"
_ID = re.compile("[0-9a-f]{16}")
_LOCK = "running"
_EXCLUSIVE = struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
"""The whole file, as struct flock of fcntl(2)."""
_MAX_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Identity:
    """`id` tells boxes apart; `adopted` are the MACs of the controllers that were handed over with `leds adopt`."""

    id: str
    name: str
    room: RoomCode
    adopted: tuple[str, ...] = ()


def state_directory() -> Path:
    """systemd's, or the user's; made if missing.

    Raises:
        DeviceError: it cannot be made.
    """
    given = os.environ.get("STATE_DIRECTORY", "").partition(":")[0] or os.environ.get("JAMBRIDGE_STATE")
    path = Path(given) if given else platformdirs.user_state_path("jambridge")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise DeviceError(f"cannot make the state directory {path}: {exc.strerror} (set JAMBRIDGE_STATE)") from exc
    return path


@contextmanager
def claimed(directory: Path) -> Iterator[None]:
    """Hold the state directory against a second daemon; the kernel lets go when we end, however that is.

    Raises:
        DeviceError: a daemon runs there.
    """
    try:
        descriptor = os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:  # a full disk or one that cannot be written is told where something is to be kept there
        yield
        return
    try:
        try:
            fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _EXCLUSIVE)
        except OSError as exc:
            holder = os.read(descriptor, 20).decode("ascii", "replace").strip() or "?"
            raise DeviceError(
                f"jambridge is already running here (process {holder}): stop that one first, "
                "or give this one a state directory of its own with JAMBRIDGE_STATE"
            ) from exc
        with suppress(OSError):
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(descriptor)


def is_claimed(directory: Path) -> bool:
    """Whether a daemon runs there; who asks is not in the way of one that starts, nor of others who ask."""
    try:
        with (directory / _LOCK).open("rb") as file:
            in_the_way = fcntl.fcntl(file, fcntl.F_OFD_GETLK, _EXCLUSIVE)
    except OSError:  # there never was one, or it is another user's
        return False
    return not in_the_way.startswith(struct.pack("h", fcntl.F_UNLCK))


def load(directory: Path) -> Identity:
    """The identity kept in `directory`; what is missing or damaged there is made anew and kept."""
    kept = _read(directory)
    own, name = kept.get("id"), kept.get("name")
    identity = Identity(
        id=own if isinstance(own, str) and _ID.fullmatch(own) else secrets.token_hex(8),
        name=name if isinstance(name, str) and name else f"User{secrets.randbelow(9000) + 1000}",
        room=own_room(directory) or code.generate(),
        adopted=adopted(directory),
    )
    if asdict(identity) != {**kept, "adopted": identity.adopted}:
        try:
            save(directory, identity)
        except DeviceError as exc:  # a full disk is no reason to stay silent: it is another name next time
            log.warning("name and room are not kept over restarts error=%s", exc)
    return identity


def own_room(directory: Path) -> RoomCode | None:
    """The box's own room, as the file says; writes nothing and never fails."""
    try:
        return code.parse(str(_read(directory).get("room"))[:40])
    except UsageError:
        return None


def adopted(directory: Path) -> tuple[str, ...]:
    """The controllers handed over, as the file says now; writes nothing and never fails."""
    kept = _read(directory).get("adopted")
    return tuple(str(mac) for mac in kept) if isinstance(kept, list) else ()


def _read(directory: Path) -> JsonObject:
    try:
        return strict_json.loads_object((directory / _FILE).read_bytes(), _MAX_BYTES)
    except (OSError, WireError):
        return {}


def adopt(directory: Path, macs: tuple[str, ...]) -> Identity:
    """Remember `macs` as ours to drive."""
    identity = load(directory)
    identity = replace(identity, adopted=tuple(sorted({*identity.adopted, *macs})))
    save(directory, identity)
    return identity


def save(directory: Path, identity: Identity) -> None:
    """Keep it; a full disk must not leave half an identity.

    Raises:
        DeviceError: the directory cannot be written.
    """
    try:
        whole_file.write(directory / _FILE, json.dumps(asdict(identity)).encode())
    except OSError as exc:
        raise DeviceError(f"cannot write {directory / _FILE}: {exc.strerror}") from exc
