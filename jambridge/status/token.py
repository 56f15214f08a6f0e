"""The owner's way in from another machine: a secret in a file, made on the first run and shown once."""

import os
import secrets
import stat
from pathlib import Path

from jambridge.errors import ConfigError

_LEAST = 16
_MOST = 512


def keep(file: str) -> tuple[str, bool]:
    """The token in `file`, made if there is no such file; and whether it was made now.

    Raises:
        ConfigError: the file cannot be made or read, everybody may read it, or it holds no token.
    """
    token = secrets.token_urlsafe(32)
    try:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return _read(file), False
    except OSError as exc:
        if Path(file).exists():  # where nothing may be written, as systemd's credentials
            return _read(file), False
        raise ConfigError(f"http.token_file: {file}: {exc.strerror}") from exc
    with os.fdopen(descriptor, "w") as made:
        made.write(f"{token}\n")
    return token, True


def _read(file: str) -> str:
    path = Path(file)
    try:
        text = path.read_text("utf-8").strip()
        is_open = path.stat().st_mode & stat.S_IROTH
    except OSError as exc:
        raise ConfigError(f"http.token_file: {file}: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise ConfigError(f"http.token_file: {file}: not a text file (UTF-8)") from exc
    if is_open:
        raise ConfigError(f"http.token_file: {file}: everybody on this machine can read it: chmod o= {file}")
    if not _LEAST <= len(text) <= _MOST or not text.isascii() or not text.isprintable() or " " in text:
        raise ConfigError(
            f"http.token_file: {file}: a token is one line of {_LEAST} to {_MOST} characters without spaces; "
            "remove the file and one is made"
        )
    return text
