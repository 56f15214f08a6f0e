import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.light.test_calibration import RATE, claps, diode, filmed, flashes

STRIP = "light: {controllers: [{name: Stage, offset_ms: 20}]}"


def calibrate(*arguments: str | Path, config: Path) -> tuple[int, str]:
    command = [sys.executable, "-m", "jambridge", "leds", "calibrate", *map(str, arguments), "--config", str(config)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert "Traceback" not in ran.stderr
    return ran.returncode, ran.stdout + ran.stderr


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(STRIP)
    return path


def record(path: Path, lag_s: float, *, swapped: bool = False) -> Path:
    channels = [claps(0.002), diode(flashes(lag_s), "straight")]
    soundfile.write(path, np.stack(channels[::-1] if swapped else channels, axis=1), RATE)
    return path


def test_the_offset_follows_from_the_lag_and_the_one_in_force(tmp_path: Path, config: Path) -> None:
    recording = record(tmp_path / "both.wav", 0.053)

    status, said = calibrate(recording, "Stage", "--json", config=config)

    found = json.loads(said)
    assert status == 0
    assert abs(found["lag_ms"] - 53) < 1.5
    assert found["offset_ms"] == 20 - round(found["lag_ms"])
    assert (found["pairs"], found["unsure_ms"]) == (10, 0.0)


@pytest.mark.slow
def test_it_is_said_to_people_for_a_photodiode_on_the_left_and_for_a_film(tmp_path: Path, config: Path) -> None:
    filmed(tmp_path / "strip.mp4", 0.071, 60, 0.5)

    status, said = calibrate(record(tmp_path / "both.wav", -0.02, swapped=True), "--light", "left", config=config)
    assert (status, "ms before the sound" in said, "offset_ms: 20}" in said) == (0, True, True), said

    status, said = calibrate(tmp_path / "strip.mp4", config=config)
    assert status == 0
    assert "ms behind the sound" in said and "± 4.2 ms" in said


@pytest.mark.parametrize(
    ("name", "content", "status", "says"),
    [
        ("missing.wav", None, 69, "No such file"),
        ("text.wav", b"not sound", 69, "is not a sound file"),
        ("mono.wav", np.zeros(RATE, np.float32), 69, "Channels in"),
        ("dark.wav", np.zeros((RATE, 2), np.float32), 69, "no attacks are heard"),
    ],
)
def test_what_cannot_be_measured_is_said(
    tmp_path: Path, config: Path, name: str, content: object, status: int, says: str
) -> None:
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, np.ndarray):
        soundfile.write(path, content, RATE)

    got, said = calibrate(path, config=config)

    assert got == status
    assert says in said


def test_another_channel_is_a_usage_error(tmp_path: Path, config: Path) -> None:
    assert calibrate(tmp_path / "x.wav", "--light", "top", config=config)[0] == 64
