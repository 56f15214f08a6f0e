"""What the box remembers of itself."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jambridge import identity
from jambridge.errors import DeviceError


def test_name_and_room_are_made_once_and_kept(tmp_path: Path) -> None:
    first = identity.load(tmp_path)
    assert first.name.startswith("User")
    assert identity.load(tmp_path) == first


def test_adopted_lights_are_kept_beside_them(tmp_path: Path) -> None:
    before = identity.load(tmp_path)
    identity.adopt(tmp_path, ("bb", "aa"))
    after = identity.adopt(tmp_path, ("aa",))
    assert after.adopted == ("aa", "bb")
    assert (identity.load(tmp_path).name, identity.load(tmp_path).room) == (before.name, before.room)


@given(damage=st.binary(max_size=60) | st.just(b'{"name": 3, "room": [], "adopted": {}}'))
def test_a_damaged_file_is_made_anew(damage: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    place = tmp_path_factory.mktemp("state")
    (place / "identity.json").write_bytes(damage)
    made = identity.load(place)
    assert identity.load(place) == made
    assert len(made.room) == 6


def test_a_place_that_cannot_be_written_is_told_and_done_without(tmp_path: Path) -> None:
    made = identity.load(tmp_path / "missing")
    assert made.name
    with pytest.raises(DeviceError, match="cannot write"):
        identity.save(tmp_path / "missing", made)
    assert not list(tmp_path.iterdir())
    assert identity.adopted(tmp_path) == ()
    assert not list(tmp_path.iterdir()), "asking for the lights handed over writes nothing"


def test_a_state_directory_is_one_daemons(tmp_path: Path) -> None:
    assert not identity.is_claimed(tmp_path)
    assert not list(tmp_path.iterdir()), "asking writes nothing"
    with identity.claimed(tmp_path):
        assert identity.is_claimed(tmp_path)
        with pytest.raises(DeviceError, match=rf"already running here \(process {os.getpid()}\).*JAMBRIDGE_STATE"):
            identity.claimed(tmp_path).__enter__()
    assert not identity.is_claimed(tmp_path)


def test_who_asks_whether_a_daemon_runs_is_not_taken_for_one(tmp_path: Path) -> None:
    with identity.claimed(tmp_path):
        pass
    with ThreadPoolExecutor(4) as asking:
        answers = list(asking.map(identity.is_claimed, [tmp_path] * 2000))
    assert not any(answers)


def test_a_killed_daemon_holds_nothing(tmp_path: Path) -> None:
    claim = "import sys, time; from pathlib import Path; from jambridge import identity\n"
    claim += "with identity.claimed(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", claim, str(tmp_path)], stdout=subprocess.PIPE, text=True) as daemon:
        assert daemon.stdout is not None and daemon.stdout.readline() == "held\n"
        assert identity.is_claimed(tmp_path)
        daemon.kill()
        daemon.wait()
    assert not identity.is_claimed(tmp_path)
