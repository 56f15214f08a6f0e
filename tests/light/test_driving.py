from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from jambridge.config import ControllerConfig
from jambridge.light import driving, wled
from jambridge.light.adapting import LOWEST
from jambridge.light.wled import Wled
from tests.light.test_wled import INFO, json_values

ENTRY = ControllerConfig(name="Stage", gamma=1.8, brightness=0.5, offset_ms=-20, max_fps=25, priority=7)


def unit(live: Any = None, outputs: Any = None, **info: Any) -> Wled:
    config = wled.parse_live_config({"hw": {"led": {"ins": outputs}}, "if": {"live": live}})
    return Wled("10.0.0.9", wled.parse_info({**INFO, **info}), config)


def test_what_the_configuration_does_not_say_the_wled_does() -> None:
    way = driving.controller(unit({"no-gc": False}, [{"len": 600}], leds={"count": 600, "rgbw": True}), None, "ddp")

    assert (way.gamma, way.channels, way.pixels, way.data_port, way.offset_s) == (1.0, 4, 600, 4048, 0.0)
    assert 49 < way.max_fps < 50


def test_the_configuration_has_the_last_word() -> None:
    way = driving.controller(unit({"dmx": {"uni": 5}}), ENTRY, "e131")

    assert (way.gamma, way.brightness, way.offset_s, way.max_fps, way.priority) == (1.8, 0.5, -0.02, 25, 7)
    assert (way.protocol, way.universe, way.data_port) == ("e131", 5, 5568)


def test_a_slow_one_is_still_sent_enough_to_stay_awake() -> None:
    assert driving.controller(unit(), None, "ddp", shown_share=LOWEST).max_fps == 6
    assert driving.controller(unit([], [{"len": 16_384}], leds={"count": 16_384}), None, "ddp").max_fps < 2
    slow = driving.controller(unit([], [{"len": 4096}], leds={"count": 4096}), None, "ddp", shown_share=LOWEST)
    assert slow.max_fps == 2


@given(json_values, json_values, st.floats(LOWEST, 1), st.sampled_from(["ddp", "e131"]))
def test_whatever_it_answers_it_can_be_driven(live: Any, outputs: Any, share: float, protocol: Any) -> None:
    way = driving.controller(unit(live, outputs), None, protocol, shown_share=share)

    assert 2 <= way.max_fps <= 60
    assert 0 < way.keepalive_s <= 1
    assert way.channels in (3, 4) and way.gamma in (1.0, 2.2)
    wled.warnings(unit(live, outputs), way)
