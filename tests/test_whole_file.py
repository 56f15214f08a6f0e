from pathlib import Path

import pytest

from jambridge import whole_file


def test_a_file_is_replaced_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "kept"
    for content in (b"one", b"another"):
        whole_file.write(file, content, 0o600)
        assert file.read_bytes() == content
    assert (list(tmp_path.iterdir()), file.stat().st_mode & 0o777) == ([file], 0o600)


def test_what_cannot_be_replaced_stays_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(IsADirectoryError):
        whole_file.write(folder, b"a folder is no file")
    assert (list(tmp_path.iterdir()), list(folder.iterdir())) == ([folder], [])
    with pytest.raises(FileNotFoundError):
        whole_file.write(tmp_path / "missing" / "kept", b"")
