"""`jambridge listen FILE --json` with good files and bad ones: real files through the command line."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import soundfile
from numpy.typing import NDArray

from jambridge import listen_command
from jambridge.cli import run_command
from jambridge.config import Config
from jambridge.light.control import LightSettings
from jambridge.light.effects import Style
from jambridge.sim.wled import open_sim
from tests.notes.signals import Sound, silence, tone

RATE_HZ = 48_000
UNAVAILABLE = 69

Frame = dict[str, Any]


class NotJsonError(Exception):
    pass


def frames_of(printed: str) -> list[Frame]:
    def refuse(constant: str) -> None:
        raise NotJsonError(constant)

    return [json.loads(line, parse_constant=refuse) for line in printed.splitlines()]


def heard(path: Path, capsys: pytest.CaptureFixture[str]) -> list[Frame]:
    """What the command prints of a file that it reads to its end, saying nothing else."""
    status = run_command(["listen", str(path), "--json"])
    captured = capsys.readouterr()
    assert (status, captured.err) == (0, "")
    return frames_of(captured.out)


def written(path: Path, sound: NDArray[Any], rate_hz: int = RATE_HZ, subtype: str = "FLOAT") -> Path:
    soundfile.write(path, sound, rate_hz, subtype=subtype)
    return path


def notes(frame: Frame) -> list[str]:
    return [note["note"] for note in frame["notes"]]


def test_a_frame_has_what_the_contract_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frames = heard(written(tmp_path / "sound.wav", np.concatenate([silence(0.5), tone(57.1)])), capsys)

    assert [frame["time"] for frame in frames] == [round((index + 1) / 60, 4) for index in range(90)]
    assert [frame["time"] for frame in frames if frame["onset"]] == [round(31 / 60, 4)]
    last = frames[-1]
    assert last.keys() == {"time", "onset", "level_dbfs", "notes"}
    assert last["level_dbfs"] == pytest.approx(-21.1, abs=0.5)
    (note,) = last["notes"]
    assert (note["note"], note["midi"]) == ("A3", 57)
    assert note["frequency"] == pytest.approx(221.27, abs=0.2)
    assert note["cents"] == pytest.approx(10, abs=1.5)
    assert 0 < note["velocity"] <= 1


BAD: dict[str, Sound] = {
    "not a number": np.full(RATE_HZ, np.nan, np.float32),
    "infinite": np.full(RATE_HZ, np.inf, np.float32),
    "beyond all measure": np.full(RATE_HZ, -3e38, np.float32),
    "direct current": np.full(RATE_HZ, 0.9, np.float32),
    "denormal": np.full(RATE_HZ, 1e-40, np.float32),
    "full-scale square": np.sign(tone(57, partials=1)).astype(np.float32),
    "holes": np.where(np.arange(RATE_HZ) % 997, tone(64), np.float32(np.nan)),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_bad_samples_leave_no_note_behind(bad: Sound, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A second of music, of the bad, two of silence, and music again."""
    path = written(tmp_path / "sound.wav", np.concatenate([tone(60), bad, silence(2), tone(60)]))

    frames = heard(path, capsys)

    assert len(frames) == 300
    assert notes(frames[50]) == ["C4"]
    assert not any(notes(frame) for frame in frames[120 + 60 : 240])
    assert notes(frames[-1]) == ["C4"]
    assert all(-120 <= frame["level_dbfs"] <= 0 for frame in frames)
    assert all(0 <= note["velocity"] <= 1 for frame in frames for note in frame["notes"])


@pytest.mark.filterwarnings("error")
def test_doubles_beyond_floats_are_silence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path / "sound.wav", np.full(RATE_HZ, 1e300), subtype="DOUBLE")

    assert not any(notes(frame) for frame in heard(path, capsys))


@pytest.mark.parametrize("rate_hz", [8_000, 22_050, 44_100, 96_000, 192_000])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
def test_the_pitch_does_not_depend_on_the_rate(
    rate_hz: int, subtype: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    times_s = np.arange(rate_hz) / rate_hz
    sound = np.sum([0.1 * np.sin(2 * np.pi * 220 * k * times_s) / k for k in range(1, 9)], axis=0)

    frames = heard(written(tmp_path / "sound.wav", sound, rate_hz, subtype), capsys)

    assert 59 <= len(frames) <= 60
    (note,) = frames[-5]["notes"]
    assert note["note"] == "A3"
    assert note["cents"] == pytest.approx(0, abs=1.5)


@pytest.mark.parametrize("channels", [1, 2, 6, 8])
@pytest.mark.parametrize("kind", ["wav", "flac"])
def test_the_channels_are_heard_together(
    channels: int, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sound = np.stack([tone(48 + (7 if channel % 2 else 0)) for channel in range(channels)], axis=1)

    frames = heard(written(tmp_path / f"sound.{kind}", sound, subtype="PCM_16"), capsys)

    assert notes(frames[-1]) == (["C3"] if channels == 1 else ["C3", "G3"])


@pytest.mark.parametrize("frames", [0, 1, 799, 800])
def test_what_is_shorter_than_a_frame_is_none(frames: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(heard(written(tmp_path / "sound.wav", np.zeros(frames)), capsys)) == frames // 800


def test_a_truncated_file_is_heard_as_far_as_it_goes_and_then_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sound = tone(60, 2) + np.random.default_rng(1).normal(0, 0.001, 2 * RATE_HZ)
    path = written(tmp_path / "sound.flac", sound, subtype="PCM_16")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    status = run_command(["listen", str(path), "--json"])

    captured = capsys.readouterr()
    assert status == UNAVAILABLE
    assert captured.err.startswith(f"{path} is damaged after ")
    assert len(captured.err.splitlines()) == 1
    assert 50 < len(frames_of(captured.out)) < 70


def test_a_truncated_wav_just_ends_sooner(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path / "sound.wav", tone(60, 2), subtype="PCM_16")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2 + 1])

    assert len(heard(path, capsys)) in (59, 60)  # FFmpeg leaves out the half of a sample


@pytest.mark.parametrize(
    ("content", "said"), [(None, "No such file"), (b"", "not a sound file"), (b"hello\n" * 999, "not a sound file")]
)
def test_what_cannot_be_heard_is_said_in_one_line(
    content: bytes | None, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "sound.wav"
    if content is not None:
        path.write_bytes(content)

    assert run_command(["listen", str(path), "--json"]) == UNAVAILABLE
    captured = capsys.readouterr()
    assert captured.out == ""
    assert said in captured.err
    assert len(captured.err.splitlines()) == 1


def test_whoever_reads_only_the_beginning_hears_no_complaint(tmp_path: Path) -> None:
    path = written(tmp_path / "sound.wav", tone(60, 30), subtype="PCM_16")
    with _listening(path, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline().startswith('{"time": 0.0167')
        process.stdout.close()
        process.wait(timeout=30)
        assert process.stderr
        assert process.stderr.read() == ""


def test_a_strip_is_lit_as_configured_whatever_is_wanted_of_the_daemon() -> None:
    light = {"mode": "off", "brightness": 0.4, "max_fps": 30, "flashes_per_s": 1, "effect": "vu", "decay": 2}
    zones = {"zones": [{"player": "Ada", "controller": "Stage"}]}
    config = Config.model_validate({"light": {**light, **zones}, "notes": {"threshold": "sensitive"}})

    assert listen_command.settings(config) == LightSettings(
        brightness=0.4,
        max_fps=30,
        flashes_per_s=1,
        threshold="sensitive",
        effect="vu",
        style=Style(decay_beats=2),
    )


def test_the_strip_is_lit_and_the_notes_are_printed_at_once(tmp_path: Path) -> None:
    path = written(tmp_path / "sound.wav", tone(57, 2), subtype="PCM_16")
    config = tmp_path / "config.yaml"

    async def scenario() -> list[Frame]:
        async with asyncio.timeout(60), open_sim(30, "Stage") as sim:
            entry = {"host": "127.0.0.1", "http_port": sim.http_port, "data_port": sim.ddp_port}
            config.write_text(json.dumps({"light": {"mode": "off", "controllers": [entry]}}))
            arguments = ["listen", str(path), "--json", "--to", "127.0.0.1", "--config", str(config)]
            command = (sys.executable, "-m", "jambridge", *arguments)
            child = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
            assert child.stdout
            first = await child.stdout.readline()
            await sim.until(lambda shown: shown.live and any(shown.pixels))
            rest, _ = await child.communicate()
            assert child.returncode == 0
            await sim.until(lambda shown: not shown.live)
        return frames_of((first + rest).decode())

    frames = asyncio.run(scenario())

    assert len(frames) == 120
    assert notes(frames[-1]) == ["A3"]


MOST_GROWTH_MB = 4.0


@pytest.mark.slow
def test_an_hour_takes_no_more_memory_than_a_minute(tmp_path: Path) -> None:
    """Measured: 0.3 MB in ten minutes."""
    path = tmp_path / "hour.flac"
    minute = np.concatenate([tone(note, 1.5) for note in range(40, 80)])[:, np.newaxis]
    with soundfile.SoundFile(path, "w", RATE_HZ, 1, "PCM_16") as file:
        for _ in range(60):
            file.write(minute)
    resident_mb = []
    with _listening(path) as process:
        assert process.stdout
        for number, _ in enumerate(process.stdout, start=1):
            if number % 3600 == 0:
                resident_mb.append(psutil.Process(process.pid).memory_info().rss / 1e6)
        assert process.wait(timeout=30) == 0
    assert number == 60 * 60 * 60
    assert max(resident_mb) - resident_mb[0] < MOST_GROWTH_MB, resident_mb


def _listening(path: Path, stderr: int | None = None) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "jambridge", "listen", str(path), "--json"],
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
    )
