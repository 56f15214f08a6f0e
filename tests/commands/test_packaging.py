"""What a package ships: real man, real shells."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

JAMBRIDGE = (sys.executable, "-m", "jambridge")


def said(*arguments: str, **environment: str) -> str:
    done = subprocess.run(
        [*JAMBRIDGE, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


def test_the_manual_has_every_command_and_is_well_formed(tmp_path: Path) -> None:
    page = tmp_path / "jambridge.1"
    page.write_text(said("man"))

    if shutil.which("man"):
        shown = subprocess.run(
            ["man", "--local-file", "--warnings", page],
            env={**os.environ, "MANWIDTH": "100", "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            check=True,
        )
        assert shown.stderr == ""
        assert "leds adopt NAME|MAC|all" in shown.stdout and "EXIT STATUS" in shown.stdout
    text = page.read_text()
    for command in ("run", "check\\-config", "leds preview", "sessions resume", "sim wled", "doctor supabase"):
        assert f"\n.SS {command}" in text
    assert ".SS schema" not in text and "\\-\\-with\\-parent" not in text


def test_bash_completes_commands_and_options(tmp_path: Path) -> None:
    launcher = tmp_path / "jambridge"
    launcher.write_text(f'#!/bin/sh\nexec {" ".join(JAMBRIDGE)} "$@"\n')
    launcher.chmod(0o755)
    script = tmp_path / "completion"
    script.write_text(said("completion", "bash"))
    ask = (
        f"source {script}; COMP_WORDS=(jambridge leds ''); COMP_CWORD=2; "
        "_jambridge_completion jambridge; echo ${COMPREPLY[@]}"
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", ask],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert {"list", "adopt", "preview"} <= set(done.stdout.split())


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_have_a_script_too(shell: str) -> None:
    assert f"complete_{shell}" in said("completion", shell)
