"""Whatever is wrong with a sound card is said in a sentence that helps, and the causes here are real ones.

But for one: no machine of ours has a sound card of the kernel's. What that says of one in use is copied from others.
"""

import fcntl
import math
import os
import pty
import subprocess
import sys
import termios
import tty
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from jambridge.audio.card import cards, kernel
from tests.fakes.jack import jack
from tests.fakes.lines import line_out
from tests.fakes.sound_card import SoundCard, environment, sound_card
from tests.fakes.worlds import AS_NOBODY, NOBODY, ROOT, without_permission, without_portaudio

PATIENCE_S = 20.0


def program(name: str, kind: str, alsa: Mapping[str, str], before: Sequence[str] = ()) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*before, sys.executable, "-m", "tests.fakes.opening", name, kind],
        env=os.environ | alsa,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def opening(name: str, kind: str, alsa: Mapping[str, str], before: Sequence[str] = ()) -> str:
    """The last line it says."""
    with program(name, kind, alsa, before) as running:
        return running.communicate(timeout=PATIENCE_S)[0].splitlines()[-1]


@dataclass
class Told:
    """A stream, as far as it tells of itself."""

    latency: float
    samplerate: float = 48_000.0

    def start(self) -> None: ...


@pytest.mark.parametrize(
    ("told_s", "believed_s"), [(0.0107, 0.0107), (-1.0, 0.0), (math.nan, 0.0), (math.inf, 0.0), (4e6, 0.0)]
)
def test_a_latency_that_makes_no_sense_is_none(told_s: float, believed_s: float) -> None:
    assert cards.latency_s(Told(told_s)) == believed_s


@pytest.mark.parametrize("kind", ["input", "output"])
def test_a_card_that_does_not_exist_lists_those_that_do(tmp_path: Path, kind: str) -> None:
    with sound_card(tmp_path / "one", "first") as first, sound_card(tmp_path / "two", "second") as second:
        alsa = environment(tmp_path, first, second)
        assert opening("other", kind, alsa) == (
            f"no sound card with an {kind} is called 'other' (audio.{kind}); there are: first, second"
        )
        assert opening("SECO", kind, alsa) == "open 48000", "part of the name is enough"


def test_where_there_is_no_card_at_all_one_by_name_is_missed_and_any_is_not(tmp_path: Path) -> None:
    alsa = environment(tmp_path, SoundCard(tmp_path / "absent", "absent"))

    assert opening("other", "input", alsa).endswith("there is no card with an input at all")
    assert opening("", "input", alsa) == "nothing"


def test_a_card_that_knows_neither_rate_says_what_to_do() -> None:
    with jack(96_000) as server:
        assert opening("system", "input", server.environment) == (
            "system takes neither 48 kHz nor 44.1 kHz: set it to 48 kHz, or name another card (audio.input)"
        )


def test_programs_of_ours_in_jack_are_no_cards() -> None:
    with jack() as server, line_out("system", server.environment) as line:
        line.until_open()
        server.await_ports("^jambridge-out:")
        assert opening("jambridge", "input", server.environment).endswith("there are: system")


@ROOT
def test_a_missing_portaudio_is_named_with_the_command_that_brings_it() -> None:
    assert opening("any", "input", {}, without_portaudio()) == "PortAudio is missing: sudo apt install libportaudio2"


@ROOT
def test_without_permission_the_group_is_named(tmp_path: Path) -> None:
    before = without_permission(str(tmp_path))
    sentence = "no permission for the sound cards: sudo usermod -aG audio $USER, then log in again"

    assert opening("any", "input", {}, before) == sentence
    assert opening("", "output", {}, before) == sentence


@ROOT
def test_a_card_that_another_program_holds_is_said_to_be_in_use(tmp_path: Path) -> None:
    """ALSA's `file` plugin reads a terminal, which is kept for its owner alone between the look and the opening."""
    master, terminal = pty.openpty()
    tty.setraw(terminal)
    os.chown(terminal, NOBODY, NOBODY)
    held = (
        f'pcm.held {{ type file slave.pcm null file "/dev/null" infile "{os.ttyname(terminal)}" format raw\n'
        '  hint { show on description "held" } }\n'
    )
    with program("held", "input", readable(tmp_path, held), AS_NOBODY) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "found\n"
        fcntl.ioctl(terminal, termios.TIOCEXCL)
        said = running.communicate(timeout=PATIENCE_S)[0]
    os.close(master)
    os.close(terminal)

    assert said == "held is in use by another program: end that, or name another card (audio.input)\n"


def test_the_kernel_tells_which_program_holds_a_card(tmp_path: Path) -> None:
    (tmp_path / "cards").write_text(
        " 0 [PCH            ]: HDA-Intel - HDA Intel PCH\n                      HDA Intel PCH at 0xf7f10000 irq 134\n"
        " 1 [CODEC          ]: USB-Audio - USB Audio CODEC\n                      Burr-Brown at usb-1, full speed\n"
    )
    (tmp_path / "pcm").write_text(
        "00-00: ALC269VC Analog : ALC269VC Analog : playback 1 : capture 1\n"
        "01-00: USB Audio : USB Audio : playback 1 : capture 1\n"
    )
    _substream(tmp_path / "card0" / "pcm0c" / "sub0", "closed\n")
    _substream(tmp_path / "card1" / "pcm0p" / "sub0", "closed\n")
    _substream(
        tmp_path / "card1" / "pcm0c" / "sub0",
        f"state: RUNNING\nowner_pid   : {os.getpid()}\ntrigger_time: 15067.5\ntstamp      : 0.0\ndelay       : 96\n",
    )
    ours = Path("/proc/self/comm").read_text().strip()

    assert kernel.in_use("usb audio codec", is_input=True, proc=tmp_path) == ours
    assert kernel.in_use("hw:1,0", is_input=True, proc=tmp_path) == ours
    assert kernel.in_use("usb audio codec", is_input=False, proc=tmp_path) is None
    assert kernel.in_use("PCH", is_input=True, proc=tmp_path) is None
    assert kernel.in_use("PCH", is_input=True, proc=tmp_path / "nothing") is None


def test_a_card_of_several_substreams_is_in_use_once_all_are(tmp_path: Path) -> None:
    (tmp_path / "cards").write_text(" 0 [X              ]: X - Many\n                      Many\n")
    (tmp_path / "pcm").write_text("00-00: Many : Many : playback 2\n")
    _substream(tmp_path / "card0" / "pcm0p" / "sub0", "owner_pid   : 999999999\n")
    _substream(tmp_path / "card0" / "pcm0p" / "sub1", "closed\n")
    assert kernel.in_use("many", is_input=False, proc=tmp_path) is None

    _substream(tmp_path / "card0" / "pcm0p" / "sub1", "owner_pid   : 999999998\n")
    assert kernel.in_use("many", is_input=False, proc=tmp_path) == "process 999999999"


def readable(directory: Path, definition: str) -> dict[str, str]:
    """ALSA's configuration, for whoever reads it."""
    for parent in (directory, *directory.parents[:2]):
        parent.chmod(parent.stat().st_mode | 0o055)
    config = directory / "asound.conf"
    config.write_text(f"</usr/share/alsa/alsa.conf>\n{definition}")
    return {"ALSA_CONFIG_PATH": str(config)}


def _substream(directory: Path, status: str) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "status").write_text(status)
