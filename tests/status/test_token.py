from pathlib import Path

import pytest

from jambridge.errors import ConfigError
from jambridge.status import token


def test_a_token_is_made_once_for_its_owner_alone_and_then_read(tmp_path: Path) -> None:
    file = tmp_path / "new" / "token"

    made, is_new = token.keep(str(file))

    assert is_new and len(made) >= 40
    assert file.stat().st_mode & 0o777 == 0o600
    assert token.keep(str(file)) == (made, False)


@pytest.mark.parametrize(
    "content", ["", "short", "with a space in it, longer", "two\nlines-of-a-token-or-so", "x" * 600]
)
def test_what_is_no_token_is_refused_with_the_remedy(tmp_path: Path, content: str) -> None:
    file = tmp_path / "token"
    file.write_text(content)
    file.chmod(0o600)

    with pytest.raises(ConfigError, match=r"http\.token_file: .*one is made"):
        token.keep(str(file))


def test_a_token_that_everybody_can_read_is_none(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("correct-horse-battery")
    file.chmod(0o644)

    with pytest.raises(ConfigError, match="chmod o="):
        token.keep(str(file))


def test_a_folder_in_its_place_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"http\.token_file: .*: Is a directory"):
        token.keep(str(tmp_path))
