"""Worlds in which something is missing, entered before a program starts; all take root."""

import os
import subprocess

import pytest

NOBODY = 65534
AS_NOBODY = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="takes root")
_WITHOUT_PERMISSION = """
mount --make-rprivate /
mount -t tmpfs none "$1" && mkdir "$1/snd" && mknod -m 660 "$1/snd/pcmC0D0c" c 116 24
mknod -m 666 "$1/null" c 1 3 && mknod -m 666 "$1/urandom" c 1 9 && mount --move "$1" /dev
shift && exec "$@"
"""
_WITHOUT_PORTAUDIO = 'mount --make-rprivate / && mount --bind /dev/null "$1" && shift && exec "$@"'
_FULL = """
mount --make-rprivate / && mount -t tmpfs -o size=64k none "$1"
if head -c 1M /dev/zero >"$1/all" 2>/dev/null; then exit 1; fi
shift && exec "$@"
"""
_READ_ONLY = 'mount --make-rprivate / && mount -t tmpfs -o ro none "$1" && shift && exec "$@"'


def elsewhere(script: str, place: str) -> tuple[str, ...]:
    """In a world of mounts of its own, where `script` changes something at `place`."""
    return ("unshare", "--mount", "sh", "-ec", script, "sh", place)


def without_permission(place: str) -> tuple[str, ...]:
    """A /dev with a sound card that belongs to root, for a user who is not; `place` is an empty directory."""
    return (*elsewhere(_WITHOUT_PERMISSION, place), *AS_NOBODY)


def without_portaudio() -> tuple[str, ...]:
    listed = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    library = next(line.rpartition("=> ")[2] for line in listed.splitlines() if "libportaudio.so.2 " in line)
    return elsewhere(_WITHOUT_PORTAUDIO, library)


def full(place: str) -> tuple[str, ...]:
    """`place` is a disk that has no room left."""
    return elsewhere(_FULL, place)


def read_only(place: str) -> tuple[str, ...]:
    return elsewhere(_READ_ONLY, place)
