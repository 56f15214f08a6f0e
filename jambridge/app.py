"""All wiring, once: read this first. Edges are made, services are opened on them, and one function restarts each.

hub → address → room client ⇄ signals, members ⇄ mesh → feeds (shared memory) → light process → WLED
                                     discovery → controllers ↗      everything → status
"""

import asyncio
import logging
import os
import secrets
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from jambridge import __version__, identity
from jambridge.audio.feed import Feeds
from jambridge.config import Config, SupabaseConfig
from jambridge.edges import Latest
from jambridge.errors import ConfigError, ExitStatus, Text
from jambridge.hub_host import HubAddress, open_hub
from jambridge.identity import Identity
from jambridge.light.control import LightSettings
from jambridge.light.discovery import open_discovery
from jambridge.light.process import open_light, release
from jambridge.light.wled import Controller
from jambridge.peers.mesh import open_mesh
from jambridge.room.announce import find_hubs
from jambridge.room.client import Address, RoomEdges, open_room, topic_of
from jambridge.room.messages import Participant
from jambridge.services import Services
from jambridge.status import invitation, snapshot
from jambridge.status.alerts import Alerts
from jambridge.status.notify import notify, watchdog_period_s
from jambridge.status.server import StatusServer, open_status
from jambridge.strict_json import JsonObject
from jambridge.supervise import State
from jambridge.units import PeerId, RoomCode

log = logging.getLogger(__name__)

HUB_KEY = "lan"  # a hub accepts any
SLOTS = 5  # four musicians and the line-in
ROOM_RETRY_S = 4.0  # the longest between two tries: a hub that is back is joined within ten seconds
LIGHT_RETRY_S = 1.0
EXIT_WITHIN_S = 2.7
NO_ROOM_AFTER_S = 10.0
LIGHT_SILENT_S = 3.0
WATCH_S = 0.5


async def run(config: Config) -> ExitStatus:
    """The daemon, from wiring to goodbye."""
    stopped = _stop_on_signals()
    started = time.monotonic()
    state = identity.state_directory()
    own = identity.load(state)
    code = RoomCode(config.room.code or own.room)
    me = _member(config, own)
    supabase = _supabase_address(config.supabase)

    feeds = Feeds(SLOTS)
    room = RoomEdges()
    hub: Latest[HubAddress | None] = Latest(None)
    address: Latest[Address | None] = Latest(supabase)
    controllers: Latest[tuple[Controller, ...]] = Latest(())
    settings = Latest(_light_settings(config))
    alerts = Alerts()

    services = Services()
    light = services.start(
        "light",
        partial(open_light, feeds.rings, feeds.wakes, feeds.sources, controllers, settings),
        longest_delay_s=LIGHT_RETRY_S,
    )
    discovery = services.start("discovery", partial(open_discovery, config.light, frozenset(own.adopted), controllers))
    ice_servers = config.webrtc.ice_servers if supabase else []
    mesh = services.start(
        "mesh",
        partial(
            open_mesh,
            me.id,
            room.members,
            room.signals,
            room.say,
            feeds.open,
            None,
            config.webrtc.max_peers,
            ice_servers,
        ),
    )
    if supabase is None and (config.hub.mode != "off" or config.hub.url):
        services.start(
            "hub", partial(open_hub, config.hub, config.room.max_members, state, find_hubs, hub), ROOM_RETRY_S
        )
    if supabase is not None or "hub" in services.health:
        topic = topic_of(config.room.channel, code)
        must_exist = config.room.on_missing == "exit"
        services.start("room", partial(open_room, address, topic, me, room, must_exist=must_exist), ROOM_RETRY_S)

    def whole() -> JsonObject:
        report = light.present.report if light.present else None
        return snapshot.whole(
            time.monotonic() - started,
            room=snapshot.room(code, room.view.value, me.id, room.dropped),
            audio=snapshot.audio(mesh.present),
            notes=snapshot.notes(report),
            light=snapshot.light(
                settings.value.mode, discovery.present.found.value if discovery.present else (), report
            ),
            services=snapshot.services(services.health),
            alerts=snapshot.alerts(alerts.active()),
        )

    def faults() -> dict[str, str]:
        """What does not tick. A dead network is none: starting again would not mend it."""
        silent_s = light.present.silent_s if light.present else None
        ticking = silent_s is not None and silent_s < LIGHT_SILENT_S
        late = {} if ticking else {"light": "does not tick"}
        return late | {name: "is not running" for name in ("mesh",) if services.health[name].state != State.RUNNING}

    status = StatusServer(whole, faults, lambda: room.view.value.connection == "connected", _hosts(config))
    services.start("status", partial(open_status, status, config.http.bind, config.http.port))

    beside = [
        asyncio.create_task(_follow_hub(hub, address, config, code)),
        asyncio.create_task(_watch(faults, room, alerts)),
    ]
    ending = asyncio.create_task(services.until_one_gives_up())
    try:
        await asyncio.wait({stopped, ending}, return_when=asyncio.FIRST_COMPLETED)
        if light.present is not None:  # first of all: the strips are the user's again
            light.present.release()
        else:
            release(controllers.value)
        if not stopped.done():
            ending.result()
        return ExitStatus.OK
    finally:
        notify("STOPPING=1")
        for task in (*beside, ending):
            task.cancel()
        await services.stop("mesh", "room")


def _stop_on_signals() -> asyncio.Future[None]:
    """Done at the first signal; whatever hangs then, the process is gone in time."""
    loop = asyncio.get_running_loop()
    stopped: asyncio.Future[None] = loop.create_future()

    def stop() -> None:
        if stopped.done():
            os._exit(ExitStatus.OK)  # asked twice
        stopped.set_result(None)
        loop.call_later(EXIT_WITHIN_S, os._exit, ExitStatus.OK)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    return stopped


def _member(config: Config, own: Identity) -> Participant:
    return Participant(
        id=PeerId(secrets.token_hex(8)),
        name=config.identity.name or own.name,
        is_host=False,
        joined_at=time.time(),
        instrument=config.identity.instrument,
        client=f"jambridge/{__version__}",
        sends=False,  # there is no capture yet
    )


def _supabase_address(section: SupabaseConfig) -> Address | None:
    """None: the LAN hub is the room.

    Raises:
        ConfigError: a project without a key, or a key that cannot be read.
    """
    if section.url is None:
        return None
    if section.anon_key is not None:
        return Address(section.url, section.anon_key.get_secret_value())
    if section.anon_key_file is None:
        raise ConfigError("supabase.url is set: supabase.anon_key_file (or anon_key) is missing")
    try:
        return Address(section.url, Path(section.anon_key_file).read_text("utf-8").strip())
    except OSError as exc:
        raise ConfigError(f"supabase.anon_key_file: {section.anon_key_file}: {exc.strerror}") from exc


def _light_settings(config: Config) -> LightSettings:
    light = config.light
    return LightSettings(
        mode="off" if light.mode == "off" else "local",
        color_mode=light.color_mode,
        brightness=light.brightness,
        max_fps=light.max_fps,
        flashes_per_s=light.flashes_per_s,
        threshold=config.notes.threshold,
    )


def _hosts(config: Config) -> frozenset[str]:
    return frozenset(host.lower() for host in (*config.http.allowed_hosts, config.http.bind))


async def _follow_hub(
    hub: Latest[HubAddress | None], address: Latest[Address | None], config: Config, code: RoomCode
) -> None:
    """Point the room at the hub in force, and invite others to it."""
    if address.value is not None:
        _invite(config.share.base_url or "", code)
        return
    seen = None
    while True:
        seen = await hub.changed(seen)
        address.set(Address(seen.url, HUB_KEY) if seen else None)
        if seen is not None:
            _invite(config.share.base_url or seen.page, code)


def _invite(base: str, code: RoomCode) -> None:
    if not base:
        sys.stdout.write(f"Room {code}\n")
    elif os.environ.get("JOURNAL_STREAM"):
        sys.stdout.write(f"Room {code}, link {invitation.link(base, code)}\n")
    else:
        sys.stdout.write(invitation.card(code, invitation.link(base, code)))
    sys.stdout.flush()


async def _watch(faults: Callable[[], dict[str, str]], room: RoomEdges, alerts: Alerts) -> None:
    """Tell systemd that we are ready and alive, and people whether the room is there."""
    is_told = False
    fed_at = away_since = time.monotonic()
    was_connected = False
    period_s = watchdog_period_s()
    while True:
        now = time.monotonic()
        healthy = not faults()
        if healthy and not is_told:
            is_told = notify("READY=1", "STATUS=running") or True
            log.info("ready")
        if healthy and period_s is not None and now - fed_at >= period_s - WATCH_S:
            notify("WATCHDOG=1")
            fed_at = now
        if room.view.value.connection == "connected":
            away_since, was_connected = now, True
            alerts.clear(Text.RECONNECTING)
            alerts.clear(Text.NO_CONNECTION)
        elif was_connected:
            alerts.set(Text.RECONNECTING, "the room's server does not answer")
        elif now - away_since > NO_ROOM_AFTER_S:
            alerts.set(Text.NO_CONNECTION, "the room's server does not answer")
        await asyncio.sleep(WATCH_S)
