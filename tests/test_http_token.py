import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jambridge import http_token
from jambridge.errors import ConfigError
from tests.fakes.worlds import ROOT


@contextmanager
def nothing_may_be_written() -> Iterator[None]:
    """As on a full disk: a file can be made, and remains empty."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def nobody() -> Iterator[None]:
    """Not root; by its real user as well, which access(2) asks for."""
    os.setresuid(65534, 65534, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


def test_a_token_is_made_once_for_its_owner_alone_and_then_read(tmp_path: Path) -> None:
    file = tmp_path / "new" / "token"

    made, is_new = http_token.keep(str(file))

    assert is_new and len(made) >= 40
    assert file.stat().st_mode & 0o777 == 0o600
    assert http_token.keep(str(file)) == (made, False)
    assert list(file.parent.iterdir()) == [file]


def test_one_that_cannot_be_written_leaves_no_empty_file_that_is_refused_ever_after(tmp_path: Path) -> None:
    file = tmp_path / "token"
    with nothing_may_be_written(), pytest.raises(ConfigError, match=r"http\.token_file: .*: File too large"):
        http_token.keep(str(file))

    assert list(tmp_path.iterdir()) == []
    assert http_token.keep(str(file))[1]


@pytest.mark.parametrize(
    "content", ["", "short", "with a space in it, longer", "two\nlines-of-a-token-or-so", "x" * 600]
)
def test_what_is_no_token_is_refused_with_the_remedy(tmp_path: Path, content: str) -> None:
    file = tmp_path / "token"
    file.write_text(content)
    file.chmod(0o600)

    for look in (http_token.keep, http_token.check):
        with pytest.raises(ConfigError, match=r"http\.token_file: .*one is made"):
            look(str(file))


def test_a_token_that_everybody_can_read_is_none(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("correct-horse-battery")
    file.chmod(0o644)

    with pytest.raises(ConfigError, match="chmod o="):
        http_token.keep(str(file))


def test_a_folder_in_its_place_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"http\.token_file: .*: Is a directory"):
        http_token.keep(str(tmp_path))


@ROOT
def test_one_that_cannot_be_made_is_seen_before_it_is_tried() -> None:
    """Not below `tmp_path`, into which nobody else may look."""
    with nobody(), pytest.raises(ConfigError, match=r"http\.token_file: /etc/nowhere/token: .*/etc may not be written"):
        http_token.check("/etc/nowhere/token")
    with nobody(), pytest.raises(ConfigError, match=r"token: (Permission denied|.*/root may not be written)"):
        http_token.check("/root/token")


def test_looking_whether_one_can_be_made_makes_none(tmp_path: Path) -> None:
    http_token.check(str(tmp_path / "new" / "token"))

    assert list(tmp_path.iterdir()) == []
