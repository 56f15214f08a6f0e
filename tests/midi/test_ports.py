"""Which of the systems that give ports is used, each asked by a process of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from jambridge.midi.ports import ALSA, NONE, NOT_ALLOWED
from tests.fakes.instrument import PERIOD_FRAMES, instrument
from tests.fakes.jack import jack

NOBODY = 65_534
ASK = f"""
import os, sys
from pathlib import Path
from jambridge.errors import DeviceError
from jambridge.midi import ports

ports.ALSA = Path(sys.argv[1])
if "as nobody" in sys.argv and os.geteuid() == 0:
    os.setuid({NOBODY})
try:
    print(*ports.present()[0])
except DeviceError as exc:
    print(exc)
"""
WITHOUT_JACK = {"JACK_DEFAULT_SERVER": "nobody", "JACK_NO_START_SERVER": "1"}


@pytest.fixture
def node() -> Iterator[Path]:
    """A sequencer's, with nothing behind it, where others may look."""
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = Path(folder) / "seq"
        path.touch()
        yield path


def asked(node: Path, environment: Mapping[str, str], *arguments: str) -> str:
    command = [sys.executable, "-c", ASK, str(node), *arguments]
    answer = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=True)
    return answer.stdout.strip()


def test_a_sequencer_that_this_user_may_not_use_is_told_as_that(node: Path) -> None:
    node.chmod(0)

    assert asked(node, WITHOUT_JACK, "as nobody") == NOT_ALLOWED
    node.unlink()
    assert asked(node, WITHOUT_JACK, "as nobody") == NONE


@pytest.mark.skipif(ALSA.exists(), reason="there is a sequencer here")
def test_where_a_sequencer_has_no_driver_jack_is_used(node: Path) -> None:
    with jack(period_frames=PERIOD_FRAMES) as server, instrument(server, "keys"):
        assert asked(node, server.environment) == "keys:out"
    assert asked(node, WITHOUT_JACK) == NONE
