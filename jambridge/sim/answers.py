"""The JSON that a virtual WLED answers with. Pure.

Source: WLED 6d16dc2 json.cpp `serializeInfo`, `serializeState`, cfg.cpp `serializeConfig`; what a sender looks at.
"""

from itertools import accumulate

from jambridge.sim.virtual import VirtualWled
from jambridge.strict_json import JsonObject

_VERSION = "0.15.5"
_WS2812_RGB, _SK6812_RGBW = 22, 30  # const.h
_MULTI_RGB, _MULTI_RGBW = 4, 6


def info(unit: VirtualWled, udp_port: int, address: str, fps: int, uptime_s: int) -> JsonObject:
    traits = unit.traits
    return {
        "ver": _VERSION,
        "leds": {
            "count": traits.pixels,
            "pwr": 0,
            "fps": fps,
            "maxpwr": 0,
            "maxseg": 32,
            "seglc": [3 if traits.rgbw else 1],
            "lc": 3 if traits.rgbw else 1,
            "rgbw": traits.rgbw,
        },
        "name": traits.name,
        "udpport": udp_port,
        "live": unit.live,
        "lm": unit.lm,
        "lip": unit.lip,
        "wifi": {"rssi": traits.rssi_dbm},
        "arch": "esp32",
        "uptime": uptime_s,
        "brand": "WLED",
        "product": "virtual",
        "mac": traits.mac,
        "ip": address,
    }


def state(unit: VirtualWled) -> JsonObject:
    return {"on": True, "bri": 255, "transition": 7, "ps": -1, "lor": unit.override}


def cfg(unit: VirtualWled, udp_port: int, e131_port: int) -> JsonObject:
    traits = unit.traits
    starts = accumulate(traits.outputs[:-1], initial=0)
    kind = _SK6812_RGBW if traits.rgbw else _WS2812_RGB
    mode = _MULTI_RGBW if traits.rgbw else _MULTI_RGB
    outputs = [
        {"start": start, "len": length, "type": kind} for start, length in zip(starts, traits.outputs, strict=True)
    ]
    return {
        "id": {"name": traits.name},
        "hw": {"led": {"total": traits.pixels, "maxpwr": 0, "ins": outputs}},
        "if": {
            "sync": {"port0": udp_port},
            "live": {
                "en": True,
                "port": e131_port,
                "dmx": {"uni": traits.universe, "seqskip": False, "addr": 1, "mode": mode},
                "timeout": round(traits.timeout_s * 10),
                "maxbri": False,
                "no-gc": traits.no_gc,
            },
        },
    }
