from jambridge import leds_command
from jambridge.config import LightConfig
from jambridge.light.control import LightSettings


def test_a_pattern_keeps_to_the_limits_of_the_configuration() -> None:
    section = LightConfig(brightness=0.3, max_fps=30, flashes_per_s=1, effect="wash", mode="off")

    assert leds_command.settings(section) == LightSettings(brightness=0.3, max_fps=30, flashes_per_s=1)
