"""The effects of a real sound, as a strip would be sent them."""

import subprocess
import sys
from importlib import resources

import numpy as np
import pytest

from jambridge.config import Config
from jambridge.light.effects import EFFECTS, EffectName
from jambridge.preview_command import preview
from tests.light.flashes import most_in_a_second

SECONDS = 4


@pytest.mark.parametrize("effect", sorted(EFFECTS))
def test_every_effect_moves_with_the_music_and_holds_no_flash_too_many(effect: EffectName) -> None:
    with resources.as_file(resources.files("jambridge.demo") / "bach.opus") as bach:
        shown = [one for _, one in zip(range(60 * SECONDS), preview(effect, bach, Config(), 40), strict=False)]

    light = np.stack([one.frame for one in shown]) / 255
    assert len(np.unique(light.reshape(len(light), -1), axis=0)) > 10
    assert 0.005 < light.max(axis=2).mean() < 0.9
    assert most_in_a_second(light, [one.at_s for one in shown]) <= 3


@pytest.mark.parametrize(("effect", "status", "says"), [("roll", 0, "▌"), ("disco", 64, "there is no effect 'disco'")])
def test_it_is_drawn_in_the_terminal(effect: str, status: int, says: str) -> None:
    command = [sys.executable, "-m", "jambridge", "leds", "preview", effect, "--seconds", "0.5", "--pixels", "20"]

    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    assert ran.returncode == status
    assert says in ran.stdout + ran.stderr
