"""Replacing a file in one step: whoever reads it finds what was there before or what is new, never half of it."""

import os
import secrets
from pathlib import Path


def write(file: Path, content: bytes, mode: int = 0o666) -> None:
    """On the disk when this returns; `mode` is for the kernel, less the umask.

    Raises:
        OSError: it cannot be written, and what was there before still is.
    """
    draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as written:
            written.write(content)
            written.flush()
            os.fsync(written.fileno())
        draft.replace(file)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
