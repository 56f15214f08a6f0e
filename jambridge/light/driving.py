"""How one WLED is driven: by what it says of itself, unless the configuration says otherwise. Pure."""

from jambridge.config import ControllerConfig
from jambridge.light import ddp, wled
from jambridge.light.colour import GAMMA
from jambridge.light.wled import Controller, Protocol, Wled

_LEAST_FPS = 2.0  # WLED gives a stream up after 2.5 s, unless told otherwise
_AS_IT_SAYS = ControllerConfig()


def controller(
    unit: Wled,
    entry: ControllerConfig | None,
    protocol: Protocol,
    *,
    yielded: bool = False,
    shown_share: float = 1.0,
) -> Controller:
    """All that it takes to drive `unit`.

    Args:
        unit: as it was last heard.
        entry: its own in the configuration.
        protocol: where the entry names none.
        yielded: somebody else streams to it.
        shown_share: how much of the rate that it should show it does show, see `adapting`.
    """
    entry, info, config = entry or _AS_IT_SAYS, unit.info, unit.config
    protocol = entry.protocol or protocol
    pixels = entry.pixels or info.pixels
    most_fps = wled.fps(min(unit.longest_output, pixels), esp8266=info.esp8266)
    fps = max(shown_share * most_fps, min(most_fps, _LEAST_FPS))
    return Controller(
        mac=info.mac,
        name=info.name,
        host=unit.host,
        pixels=pixels,
        channels=unit.channels(protocol),
        data_port=entry.data_port or (ddp.PORT if protocol == "ddp" else config.e131_port),
        udp_port=entry.udp_port or info.udp_port,
        gamma=entry.gamma or (GAMMA if config.no_gc else 1.0),
        brightness=entry.brightness,
        max_fps=min(fps, entry.max_fps or wled.MOST_FPS),
        keepalive_s=wled.keepalive_s(config.timeout_s),
        offset_s=entry.offset_ms / 1000,
        protocol=protocol,
        universe=entry.universe or config.universe,
        priority=entry.priority,
        multicast=entry.multicast,
        overridden=unit.overridden,
        yielded=yielded,
    )
