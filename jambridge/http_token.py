"""The owner's way in from another machine: a secret in a file, made on the first run and shown once."""

import os
import secrets
import stat
from pathlib import Path
from tempfile import NamedTemporaryFile

from jambridge.errors import ConfigError

_LEAST = 16
_MOST = 512


def keep(file: str) -> tuple[str, bool]:
    """The token in `file`, made if there is no such file; and whether it was made now.

    Raises:
        ConfigError: the file cannot be made or read, everybody may read it, or it holds no token.
    """
    path, token = Path(file), secrets.token_urlsafe(32)
    try:
        if path.exists():
            return _read(file), False
        path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.") as draft:
            draft.write(f"{token}\n")
            draft.flush()
            os.fsync(draft.fileno())
            os.link(draft.name, file)  # whole or not at all
    except OSError as exc:
        raise _refused(file, exc) from exc
    return token, True


def check(file: str) -> None:
    """Raises ConfigError where `keep` would, as far as that can be seen; makes nothing."""
    path = Path(file)
    try:
        if path.exists():
            _read(file)
            return
        above = next(one for one in path.absolute().parents if one.exists())
    except OSError as exc:
        raise _refused(file, exc) from exc
    if not os.access(above, os.W_OK | os.X_OK):
        raise ConfigError(f"http.token_file: {file}: cannot be made, {above} may not be written: name another place")


def _read(file: str) -> str:
    path = Path(file)
    try:
        text = path.read_text("utf-8").strip()
        is_open = path.stat().st_mode & stat.S_IROTH
    except OSError as exc:
        raise _refused(file, exc) from exc
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


def _refused(file: str, exc: OSError) -> ConfigError:
    return ConfigError(f"http.token_file: {file}: {exc.strerror}")
