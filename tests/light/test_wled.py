import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jambridge import strict_json
from jambridge.errors import WireError
from jambridge.light import wled
from jambridge.light.wled import Controller, LiveConfig, Wled

INFO: dict[str, Any] = {
    "ver": "0.15.5",
    "leds": {"count": 300, "pwr": 0, "fps": 58, "maxpwr": 850, "seglc": [1], "lc": 1, "rgbw": False},
    "name": "Stage left",
    "udpport": 21324,
    "live": True,
    "lm": "DDP",
    "lip": "192.168.1.20",
    "arch": "esp32",
    "uptime": 77,
    "mac": "AABBCC001122",
    "wifi": {"bssid": "", "rssi": -61, "signal": 78, "channel": 6},
}
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=3),
    max_leaves=8,
)


def test_info_is_read() -> None:
    info = wled.parse_info(INFO)

    assert info == wled.Info(
        mac="aabbcc001122",
        name="Stage left",
        version="0.15.5",
        pixels=300,
        rgbw=False,
        udp_port=21324,
        live=True,
        lip="192.168.1.20",
        fps=58,
        esp8266=False,
        uptime_s=77,
        rssi_dbm=-61,
    )


@pytest.mark.parametrize("wifi", [{}, {"rssi": 0}, {"rssi": 7}, {"rssi": -1000}, {"rssi": "-50"}, None, []])
def test_a_wled_on_a_cable_or_one_that_does_not_say_has_no_signal(wifi: object) -> None:
    assert wled.parse_info({**INFO, "wifi": wifi}).rssi_dbm is None


@pytest.mark.parametrize("count", [0, -1, 16_385, 100_000, 1.5, "300", True, None, [300]])
def test_a_strip_of_no_sensible_length_is_refused(count: object) -> None:
    with pytest.raises(WireError, match=r"leds\.count"):
        wled.parse_info({**INFO, "leds": {"count": count}})


@pytest.mark.parametrize("mac", [None, "", "aabbcc00112", "aabbcc0011223", "aabbcc00112g", 12, ["aabbcc001122"]])
def test_without_a_mac_it_is_no_wled(mac: object) -> None:
    with pytest.raises(WireError, match="MAC"):
        wled.parse_info({**INFO, "mac": mac})


def test_names_are_cut_and_cannot_write_to_a_terminal() -> None:
    assert wled.parse_info({**INFO, "name": "\x1b[31m" + "x" * 100}).name == "[31m" + "x" * 59
    assert wled.parse_info({**INFO, "name": "\n\t"}).name == "WLED"


@pytest.mark.parametrize("lip", ["", "nonsense", 7, None, "1" * 100])
def test_an_address_is_one_or_none(lip: object) -> None:
    assert wled.parse_info({**INFO, "lip": lip}).lip == ""


@given(st.dictionaries(st.sampled_from(list(INFO)), json_values))
def test_any_answer_is_info_or_a_wire_error(answer: dict[str, Any]) -> None:
    with contextlib.suppress(WireError):
        info = wled.parse_info({**INFO, **answer})
        assert 1 <= info.pixels <= wled.MOST_PIXELS and len(info.name) <= 64 and 1 <= info.udp_port <= 65_535


@given(st.dictionaries(st.sampled_from(["hw", "if"]), json_values))
def test_any_configuration_is_read(answer: dict[str, Any]) -> None:
    wled.parse_live_config(answer)


@given(st.binary(max_size=50))
def test_any_body_is_an_object_or_a_wire_error(body: bytes) -> None:
    with contextlib.suppress(WireError):
        wled.parse_info(strict_json.loads_object(body, wled.MAX_BYTES))


def test_the_configuration_is_read() -> None:
    answer = json.loads(
        """{"hw": {"led": {"total": 1500, "ins": [{"start": 0, "len": 375}, {"start": 375, "len": 1125}]}},
            "if": {"live": {"en": false, "dmx": {"addr": 4, "mode": 6, "uni": 7}, "timeout": 50, "no-gc": false,
            "port": 5569, "mc": true}}}"""
    )

    live = wled.parse_live_config(answer)

    assert live == LiveConfig(
        longest_output=1125,
        no_gc=False,
        timeout_s=5.0,
        receives=False,
        dmx_address=4,
        dmx_mode=6,
        universe=7,
        e131_port=5569,
        multicast=True,
    )


def test_what_is_not_said_has_wleds_default() -> None:
    assert wled.parse_live_config({}) == LiveConfig()


def warned(config: LiveConfig, rgbw: bool = False, **driven: Any) -> list[str]:
    unit = Wled("10.0.0.9", wled.parse_info({**INFO, "leds": {"count": 300, "rgbw": rgbw}}), config)
    controller = Controller(unit.info.mac, unit.info.name, unit.host, **{"pixels": 300, **driven})
    return [warning.split(":")[0] for warning in wled.warnings(unit, controller)]


def test_settings_that_spoil_the_stream_are_warned_of() -> None:
    assert warned(LiveConfig()) == []
    assert warned(LiveConfig(dmx_address=2, dmx_mode=1)) == [], "DDP does not care"
    assert warned(LiveConfig(dmx_address=3, receives=False)) == [
        "its DMX start address 3 shifts the picture",
        "it does not receive realtime data",
    ]


def test_settings_that_spoil_universes_are_warned_of() -> None:
    assert warned(LiveConfig(), protocol="e131") == []
    assert warned(LiveConfig(dmx_address=2, dmx_mode=1), protocol="e131") == [
        "its DMX start address 2 shifts the picture",
        "its DMX mode 1 shows no picture",
    ]
    assert warned(LiveConfig(), rgbw=True, protocol="e131") == ["its DMX mode leaves white dark"]
    assert warned(LiveConfig(dmx_mode=6), rgbw=True, protocol="e131", channels=4) == []
    assert warned(LiveConfig(), protocol="e131", universe=5, pixels=2041, multicast=True) == [
        "its pixels take 13 universes, of which WLED reads 12, with Ethernet 20",
        "it reads universes from 1 on, and is sent them from 5 on",
        "it does not listen to multicast",
    ]


@pytest.mark.parametrize(("mode", "channels"), [(4, 3), (6, 4), (1, 3)])
def test_e131_carries_what_the_dmx_mode_says(mode: int, channels: int) -> None:
    for rgbw in (False, True):
        unit = Wled("h", wled.parse_info({**INFO, "leds": {"count": 9, "rgbw": rgbw}}), LiveConfig(dmx_mode=mode))
        assert unit.channels("e131") == channels
        assert unit.channels("ddp") == 3 + rgbw


def test_without_a_configuration_all_pixels_are_taken_for_one_output() -> None:
    assert Wled("h", wled.parse_info(INFO), LiveConfig()).longest_output == 300
    assert Wled("h", wled.parse_info(INFO), LiveConfig(longest_output=5000)).longest_output == 300


@pytest.mark.parametrize(
    ("longest", "fps"), [(150, 60), (300, 60), (375, 60), (480, 60), (600, 49.2), (1500, 19.9), (16_384, 1.8)]
)
def test_frames_come_as_fast_as_the_longest_output_can_show_them(longest: int, fps: float) -> None:
    assert wled.fps(longest) == pytest.approx(fps, abs=0.1)


def test_an_esp8266_is_given_more_time() -> None:
    assert wled.fps(600, esp8266=True) < 0.7 * wled.fps(600)


@pytest.mark.parametrize(("timeout_s", "keepalive_s"), [(2.5, 2.5 / 3), (65.0, 1.0), (0.6, 0.2)])
def test_two_keepalives_may_be_lost(timeout_s: float, keepalive_s: float) -> None:
    assert wled.keepalive_s(timeout_s) == pytest.approx(keepalive_s)


@pytest.mark.parametrize(
    ("state", "overridden"), [({"lor": 0}, False), ({"lor": 2}, True), ({}, False), ({"lor": "1"}, False), ([], False)]
)
def test_a_users_override_is_seen(state: object, overridden: bool) -> None:
    assert wled.parse_state_and_info({"info": INFO, "state": state}) == (wled.parse_info(INFO), overridden)
