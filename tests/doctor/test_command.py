"""`jambridge doctor` as a person types it."""

import itertools
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from jambridge.commands import doctor as command
from jambridge.config import Config
from tests.fakes.ports import free_port

SECRET = "the-turn-secret-of-this-band"
QUIET = {  # nothing of this machine's networks, sound and neighbours
    "audio": {"input": "none", "output": "none"},
    "midi": {"inputs": "none", "outputs": "none"},
    "light": {"mode": "off"},
    "hub": {"mode": "off"},
    "webrtc": {"ice_servers": []},
}


def doctor(config: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "jambridge", "doctor", "--config", str(config), *arguments],
        env={"PATH": os.environ["PATH"], "HOME": str(config.parent), "JAMBRIDGE_STATE": str(config.parent / "state")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def written(directory: Path, **sections: object) -> Path:
    config = directory / "config.yaml"
    config.write_text(json.dumps({"http": {"port": free_port()}, **QUIET, **sections}))
    return config


@pytest.mark.slow
def test_everything_is_told_in_order_with_what_to_do_and_bundled_without_secrets(tmp_path: Path) -> None:
    (tmp_path / "turn-secret").write_text(SECRET)
    (tmp_path / "turn-secret").chmod(0o600)
    server = {"urls": "turn:127.0.0.1", "secret_file": str(tmp_path / "turn-secret")}
    hub = {"url": f"http://127.0.0.1:{free_port()}"}
    bundle = tmp_path / "bundle.zip"
    config = written(tmp_path, webrtc={"ice_servers": [server]}, room={"code": "XKCD42"}, hub=hub)
    done = doctor(config, "--bundle", str(bundle))
    lines = done.stdout.splitlines()

    assert done.stderr == f"{bundle} is written: look through it before you hand it on\n"
    assert done.returncode == 69, "there is no hub"
    assert lines[0].startswith("✓ configuration")
    names = [line[2:].split("  ")[0] for line in lines if not line.startswith("  ")]
    for name in ("jambridge", "Python", "libraries", "real time", "mDNS", "processor", "disk", "clock", "temperature"):
        assert name in names, done.stdout
    assert all(line[:2] in ("✓ ", "· ", "! ", "✗ ", "  ") for line in lines)
    for first, following in itertools.pairwise([*lines, ""]):
        assert first[:1] not in "!✗" or following.strip().startswith("→ "), "what is wrong has a remedy"

    assert bundle.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(bundle) as archive:
        parts = {name: archive.read(name).decode() for name in archive.namelist()}
    assert set(parts) >= {"findings.txt", "findings.json", "config.yaml", "status.json", "journal.txt", "versions.json"}
    assert "aiortc" in parts["versions.json"]
    assert "turn-secret" in parts["config.yaml"], "where it stands is no secret"
    for name, text in parts.items():
        assert SECRET not in text, name
        assert "XKCD42" not in text, name


def test_a_wrong_configuration_is_told_whole_and_all_else_as_well(tmp_path: Path) -> None:
    """And a bundle that cannot be written is said behind it."""
    config = written(tmp_path, lihgt={"mode": "off"}, webrtc={"max_peers": 7})
    bundle = tmp_path / "none" / "bundle.zip"
    done = doctor(config, "--json", "--bundle", str(bundle))
    said = json.loads(done.stdout)

    assert said["ok"] is False
    wrong = [one for one in said["findings"] if one["check"] == "configuration"]
    assert [one["verdict"] for one in wrong] == ["failure", "failure", "note"]
    assert any("lihgt: unknown key (did you mean 'light'?)" in one["reason"] for one in wrong)
    assert all(one["remedy"] for one in wrong[:2])
    assert {"disk", "clock"} <= {one["check"] for one in said["findings"]}, "all else is looked at"
    assert done.stderr == f"cannot write {bundle}: No such file or directory\n"
    assert done.returncode == 74


@pytest.mark.parametrize("written_so", ["hub: {mode: x}", "a: [", "\x00"])
def test_a_wrong_configuration_ends_with_78(tmp_path: Path, written_so: str) -> None:
    """Of all that is looked at, this alone is asked here: the rest takes its time."""
    config = tmp_path / "config.yaml"
    config.write_text(written_so)
    settings, where, problems = command._read(config)

    assert (settings, where) == (Config(), "")
    assert problems is not None
    assert command._status(problems, []) == 78


@pytest.mark.parametrize("arguments", [["nonsense"], ["--nonsense"]])
def test_a_mistyped_command_is_usage(arguments: list[str], tmp_path: Path) -> None:
    assert doctor(written(tmp_path), *arguments).returncode == 64
