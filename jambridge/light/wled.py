"""What a WLED says of itself, and what it takes to drive it. Pure.

Source: WLED 6d16dc2 (17.0.0-dev), also checked in 0.14.4, 0.15.5 and 16.0.1: json.cpp `serializeInfo`,
`serializeState`, cfg.cpp `serializeConfig`, udp.cpp. Whatever answers may be hostile: every field is bounded.
"""

import ipaddress
import re
from dataclasses import dataclass
from typing import Any, Literal

from jambridge.errors import WireError
from jambridge.light import ddp, e131
from jambridge.light.colour import GAMMA
from jambridge.strict_json import JsonObject

HTTP_PORT = 80
UDP_PORT = 21324
MOST_PIXELS = 16_384
MAX_BYTES = 64 * 1024  # of one answer
RELEASE = bytes([2, 0])
"""To `udp_port`: ends realtime at once, a DDP lock too (0.9 ms measured), and WLED shows its own state again."""

MOST_FPS = 60.0
SHOW_INTERVAL_S = 0.015  # WLED shows at most once in 15 ms
_PIXEL_S = 30e-6  # a WS281x bus clocks 24 bits at 800 kHz
_RESET_S = 0.3e-3
_LOAD = 0.9  # of the time the output may be busy: measured, 600 pixels lose no frame at 50 fps and 10 % at 60
_ESP8266_LOAD = 0.6  # its one core does Wi-Fi as well; cautious, not measured
_SHIFTING_ADDRESS = 3  # a DMX start address from here on shifts DDP too
_MULTI_RGB, _MULTI_RGBW = 4, 6  # const.h DMX_MODE_*: the two that take a picture pixel by pixel
_MOST_UNIVERSES = 12  # on an ESP32; 20 with Ethernet, which it does not say
_MOST_UNIVERSES_ESP8266 = 9
_MAC = re.compile(r"[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Info:
    """`info` of /json/si: one question for that and `state`, for WLED's server is weak while it streams."""

    mac: str
    """12 lower-case hexadecimal digits."""
    name: str
    version: str
    pixels: int
    rgbw: bool
    udp_port: int
    live: bool
    lip: str
    """Address that streams to it; empty if none does or it will not say."""
    fps: int
    esp8266: bool
    uptime_s: int
    rssi_dbm: int | None = None
    """Of its Wi-Fi; None where it has none, or does not say."""


@dataclass(frozen=True, slots=True)
class LiveConfig:
    """/json/cfg, as far as it concerns a stream; the defaults are WLED's own."""

    longest_output: int | None = None
    """Pixels on the longest bus; None: it does not say."""
    no_gc: bool = True
    """Gamma is left to the sender."""
    timeout_s: float = 2.5
    receives: bool = True
    dmx_address: int = 1
    dmx_mode: int = _MULTI_RGB
    universe: int = 1
    e131_port: int = e131.PORT
    multicast: bool = False
    """E1.31 is taken from multicast groups as well."""


Protocol = Literal["ddp", "e131"]


@dataclass(frozen=True, slots=True)
class Wled:
    """One WLED, as it was last heard."""

    host: str
    info: Info
    config: LiveConfig
    overridden: bool = False
    """Its user has chosen not to show the stream (`lor`): WLED ignores it by itself."""

    @property
    def longest_output(self) -> int:
        """Pixels; all of them where it does not say."""
        return min(self.config.longest_output or self.info.pixels, self.info.pixels)

    def channels(self, protocol: Protocol) -> int:
        """A pixel's on the wire. E1.31 carries what its DMX mode says, whatever the strip is."""
        rgbw = self.info.rgbw if protocol == "ddp" else self.config.dmx_mode == _MULTI_RGBW
        return 4 if rgbw else 3


@dataclass(frozen=True, slots=True)
class Controller:
    """All that the light process must know to drive one WLED."""

    mac: str
    name: str
    host: str
    pixels: int
    channels: int = 3
    data_port: int = ddp.PORT
    udp_port: int = UDP_PORT
    gamma: float = GAMMA
    brightness: float = 1.0
    max_fps: float = MOST_FPS
    """Frames a second that it can show."""
    keepalive_s: float = 1.0
    """The longest, when nothing changes: below WLED's timeout."""
    offset_s: float = 0.0
    """How much later than others it is sent each frame; negative: earlier."""
    protocol: Protocol = "ddp"
    universe: int = 1
    """Of the first pixel, for E1.31; so are the next two."""
    priority: int = e131.PRIORITY
    multicast: bool = False
    overridden: bool = False
    """It shows its user's own choice: the stream is kept awake, no more."""
    yielded: bool = False
    """Someone else streams to it: send nothing, not even a release, which would end theirs."""


def parse_info(answer: JsonObject) -> Info:
    """Raises WireError unless it is a WLED with 1..MOST_PIXELS pixels."""
    leds = _object(answer, "leds")
    pixels = _integer(leds, "count", 0, 0, MOST_PIXELS)
    if not pixels:
        raise WireError(f"leds.count is {str(leds.get('count'))[:20]}, not 1 to {MOST_PIXELS}")
    return Info(
        mac=parse_mac(answer.get("mac")),
        name=_text(answer, "name") or "WLED",
        version=_text(answer, "ver"),
        pixels=pixels,
        rgbw=leds.get("rgbw") is True,
        udp_port=_integer(answer, "udpport", UDP_PORT, 1, 65_535),
        live=answer.get("live") is True,
        lip=_address(answer.get("lip")),
        fps=_integer(leds, "fps", 0, 0, 1000),
        esp8266=_text(answer, "arch").lower() == "esp8266",
        uptime_s=_integer(answer, "uptime", 0, 0, 2**32),
        rssi_dbm=_integer(_object(answer, "wifi"), "rssi", 0, -127, -1) or None,
    )


def parse_state_and_info(answer: JsonObject) -> tuple[Info, bool]:
    """/json/si, and whether its user overrides realtime data; raises as `parse_info`."""
    return parse_info(_object(answer, "info")), _integer(_object(answer, "state"), "lor", 0, 0, 2) > 0


def parse_live_config(answer: JsonObject) -> LiveConfig:
    """Never raises: what is missing or out of range has WLED's default."""
    outputs = _object(_object(answer, "hw"), "led").get("ins")
    live = _object(_object(answer, "if"), "live")
    dmx = _object(live, "dmx")
    lengths = (
        [_integer(output, "len", 0, 0, MOST_PIXELS) for output in outputs[:64] if isinstance(output, dict)]
        if isinstance(outputs, list)
        else []
    )
    return LiveConfig(
        longest_output=max(lengths, default=0) or None,
        no_gc=live.get("no-gc") is not False,
        timeout_s=_integer(live, "timeout", 25, 1, 65_000) / 10,
        receives=live.get("en") is not False,
        dmx_address=_integer(dmx, "addr", 1, 0, 510),
        dmx_mode=_integer(dmx, "mode", _MULTI_RGB, 0, 255),
        universe=_integer(dmx, "uni", 1, 1, e131.LAST_UNIVERSE),
        e131_port=_integer(live, "port", e131.PORT, 1, 65_535),
        multicast=live.get("mc") is True,
    )


def warnings(unit: Wled, driven: Controller) -> tuple[str, ...]:
    """Settings of this WLED that spoil the picture when it is driven so."""
    config, universes = unit.config, e131.universes(driven.pixels, driven.channels, driven.universe)
    most = _MOST_UNIVERSES_ESP8266 if unit.info.esp8266 else _MOST_UNIVERSES
    is_e131 = driven.protocol == "e131"
    spoiling = {
        f"its DMX start address {config.dmx_address} shifts the picture: set it to 1 in WLED's sync settings": (
            config.dmx_address > 1 if is_e131 else config.dmx_address >= _SHIFTING_ADDRESS
        ),
        "it does not receive realtime data: allow it in WLED's sync settings": not config.receives,
        f"its DMX mode {config.dmx_mode} shows no picture: choose Multi RGB or Multi RGBW in WLED's sync settings": (
            is_e131 and config.dmx_mode not in (_MULTI_RGB, _MULTI_RGBW)
        ),
        "its DMX mode leaves white dark: choose Multi RGBW in WLED's sync settings": (
            is_e131 and unit.info.rgbw and config.dmx_mode == _MULTI_RGB
        ),
        f"its pixels take {len(universes)} universes, of which WLED reads {most}, with Ethernet 20: use ddp": (
            is_e131 and len(universes) > most
        ),
        f"it reads universes from {config.universe} on, and is sent them from {driven.universe} on": (
            is_e131 and config.universe != driven.universe
        ),
        "it does not listen to multicast: allow it in WLED's sync settings": (
            is_e131 and driven.multicast and not config.multicast
        ),
    }
    return tuple(text for text, applies in spoiling.items() if applies)


def fps(longest_output: int, *, esp8266: bool = False) -> float:
    """Frames a second of which the strip shows every one."""
    busy_s = _PIXEL_S * longest_output + _RESET_S
    return min(MOST_FPS, (_ESP8266_LOAD if esp8266 else _LOAD) / busy_s)


def keepalive_s(timeout_s: float) -> float:
    """The longest time between two frames: two may be lost before WLED gives up waiting."""
    return min(1.0, timeout_s / 3)


def parse_mac(value: Any) -> str:
    """12 lower-case digits of a MAC written with or without separators; WireError if it is none."""
    mac = str(value)[:20].lower().replace(":", "").replace("-", "") if isinstance(value, str) else ""
    if not _MAC.fullmatch(mac):
        raise WireError("no MAC address")
    return mac


def _object(parent: JsonObject, key: str) -> JsonObject:
    value = parent.get(key)
    return value if isinstance(value, dict) else {}


def _integer(parent: JsonObject, key: str, default: int, least: int, most: int) -> int:
    value = parent.get(key)
    return value if type(value) is int and least <= value <= most else default


def _text(parent: JsonObject, key: str) -> str:
    value = parent.get(key)
    return "".join(filter(str.isprintable, value[:64])).strip() if isinstance(value, str) else ""


def _address(value: Any) -> str:
    try:
        return str(ipaddress.ip_address(value)) if isinstance(value, str) and len(value) <= 64 else ""  # noqa: PLR2004  longer than any
    except ValueError:
        return ""
