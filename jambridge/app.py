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
from contextlib import AbstractAsyncContextManager, suppress
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from jambridge import __version__, identity
from jambridge.audio.feed import Feeds
from jambridge.audio.line_in import NO_DEVICE, open_line_in
from jambridge.audio.source import AudioSink
from jambridge.config import AudioConfig, Config, SupabaseConfig
from jambridge.edges import Latest
from jambridge.errors import ConfigError, ExitStatus, Text
from jambridge.hub_host import HubAddress, open_hub
from jambridge.identity import Identity
from jambridge.light.control import LightSettings
from jambridge.light.discovery import open_discovery
from jambridge.light.process import Lights, open_light, release
from jambridge.light.wled import Controller
from jambridge.peers.mesh import open_mesh
from jambridge.peers.peer import Surroundings
from jambridge.room.announce import find_hubs
from jambridge.room.client import open_room, topic_of
from jambridge.room.edges import HUB, SUPABASE, Address, RoomEdges, open_sharing
from jambridge.room.lan_seat import keep_lan_seat
from jambridge.room.messages import Participant
from jambridge.services import Services
from jambridge.status import invitation, snapshot
from jambridge.status.alerts import Alerts
from jambridge.status.notify import notify, watchdog_period_s
from jambridge.status.server import StatusServer, open_status
from jambridge.strict_json import JsonObject
from jambridge.supervise import Service, State
from jambridge.units import LocalSeconds, PeerId, RoomCode

log = logging.getLogger(__name__)

HUB_KEY = "lan"  # a hub accepts any
SLOTS = 5  # four musicians and the line-in
ROOM_RETRY_S = 4.0  # the longest between two tries: a hub that is back is joined within ten seconds
LIGHT_RETRY_S = 1.0
EXIT_WITHIN_S = 2.7
NO_ROOM_AFTER_S = 10.0
LIGHT_SILENT_S = 3.0
WATCH_S = 0.5
Opening = Callable[[], AbstractAsyncContextManager[Service]]

NO_RELOAD = "the configuration is read at the start only: restart to apply a change"


async def run(config: Config, *, with_parent: bool = False, new_room: bool = False) -> ExitStatus:
    """The daemon, from wiring to goodbye; `with_parent`: it ends with whoever holds its standard input.

    Raises:
        OccupiedError: `new_room`, and somebody is in it.
    """
    stopped = _stop_on_signals(with_parent=with_parent)
    started = time.monotonic()
    state = identity.state_directory()
    own = identity.load(state)
    code = RoomCode(config.room.code or own.room)
    me = _member(config, own)
    supabase = _supabase_address(config.supabase)

    feeds = Feeds(SLOTS)
    room = RoomEdges(me.id, host_only=config.room.host_only)
    hub: Latest[HubAddress | None] = Latest(None)
    lan: Latest[Address | None] = Latest(None)
    controllers: Latest[tuple[Controller, ...]] = Latest(())
    settings = Latest(_light_settings(config))
    alerts = Alerts()

    services = Services()
    light = services.start(
        "light",
        partial(open_light, feeds.rings, feeds.wakes, feeds.sources, controllers, settings),
        longest_delay_s=LIGHT_RETRY_S,
    )
    _start_line_in(services, config.audio, partial(feeds.open, me.id, me.name, is_line_in=True))
    discovery = services.start(
        "discovery", partial(open_discovery, config.light, partial(identity.adopted, state), controllers)
    )
    ice_servers = config.webrtc.ice_servers if supabase else []
    around = Surroundings(me.id, room.say, feeds.open, ice_servers=ice_servers)
    mesh = services.start("mesh", partial(open_mesh, around, room.members, room.signals, config.webrtc.max_peers))
    may_meet = config.hub.mode != "off" or config.hub.url is not None
    find_hub = partial(open_hub, config.hub, config.room.max_members, state, find_hubs, hub) if may_meet else None
    take_seat = partial(open_room, topic=topic_of(config.room.channel, code), me=me, edges=room)
    take_first = partial(take_seat, must_exist=config.room.on_missing == "exit", must_be_empty=new_room)
    services.start("sharing", partial(open_sharing, room))
    _start_room(services, find_hub, supabase, lan, take_first)

    def whole() -> JsonObject:
        report = light.present.report if light.present else None
        return snapshot.whole(
            time.monotonic() - started,
            room=snapshot.room(
                code,
                _link(config, hub.value, code),
                room.view.value,
                me.id,
                room.dropped,
                quota=(room.seat(SUPABASE).quota, LocalSeconds(time.monotonic())) if supabase else None,
                may_meet=may_meet,
            ),
            state=snapshot.state(room.state.value),
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
        return late if mesh.health.state == State.RUNNING else late | {"mesh": "is not running"}

    status = StatusServer(whole, faults, lambda: room.view.value.connection == "connected", _hosts(config))
    services.start("status", partial(open_status, status, config.http.bind, config.http.port))

    beside = asyncio.gather(
        services.until_one_gives_up(),
        _follow_hub(hub, lan, config, code, is_hosted=supabase is not None),
        _watch(faults, services, room, alerts),
        _fall_back(services, room, find_hub if supabase else None, hub, partial(take_seat, lan, seat_name=HUB)),
    )
    try:
        whichever: set[asyncio.Future[Any]] = {stopped, beside}
        await asyncio.wait(whichever, return_when=asyncio.FIRST_COMPLETED)
        _release(light.present, controllers.value)  # first of all: the strips are the user's again
        if not stopped.done():
            await beside
        return ExitStatus.OK
    finally:
        notify("STOPPING=1")
        beside.cancel()
        await services.stop("mesh", "room", "lan-room")
        await asyncio.gather(beside, return_exceptions=True)


def _start_line_in(services: Services, section: AudioConfig, open_feed: Callable[[], AudioSink | None]) -> None:
    if section.input != NO_DEVICE:
        services.start("line-in", partial(open_line_in, section.input, section.block_frames, open_feed))


def _release(light: Lights | None, controllers: tuple[Controller, ...]) -> None:
    """Through the light process, or in its stead where it is not there at the moment."""
    if light is not None:
        light.release()
    else:
        release(controllers)


def _stop_on_signals(*, with_parent: bool) -> asyncio.Future[None]:
    """Done at the first signal; whatever hangs then, the process is gone in time.

    Not the event loop's own handlers: these run between two lines of whatever keeps the loop from running.
    """
    loop = asyncio.get_running_loop()
    stopped: asyncio.Future[None] = loop.create_future()
    asked = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            os._exit(ExitStatus.OK)  # once more: at once
        asked = True
        signal.setitimer(signal.ITIMER_REAL, EXIT_WITHIN_S)
        loop.call_soon_threadsafe(stopped.set_result, None)

    def read_parent() -> None:
        if not os.read(sys.stdin.fileno(), 64):
            loop.remove_reader(sys.stdin.fileno())
            stop(signal.SIGTERM, None)

    signal.signal(signal.SIGALRM, lambda _number, _frame: os._exit(ExitStatus.OK))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    if with_parent:
        loop.add_reader(sys.stdin.fileno(), read_parent)
    signal.signal(signal.SIGHUP, lambda _number, _frame: loop.call_soon_threadsafe(log.warning, NO_RELOAD))
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


def _start_room(
    services: Services,
    find_hub: Opening | None,
    supabase: Address | None,
    lan: Latest[Address | None],
    take_seat: Callable[..., AbstractAsyncContextManager[Service]],
) -> None:
    """At Supabase or at the LAN hub; without both the box is alone, and plays on."""
    if supabase is not None:
        services.start("room", partial(take_seat, Latest(supabase), seat_name=SUPABASE), ROOM_RETRY_S)
    elif find_hub is not None:
        _meet(services, find_hub, "room", partial(take_seat, lan, seat_name=HUB))


def _meet(services: Services, find_hub: Opening, name: str, take_seat: Opening) -> None:
    """At the LAN hub."""
    services.start("hub", find_hub, ROOM_RETRY_S)
    services.start(name, take_seat, ROOM_RETRY_S)


async def _fall_back(
    services: Services, room: RoomEdges, find_hub: Opening | None, hub: Latest[HubAddress | None], take_seat: Opening
) -> None:
    """Meet at the LAN hub as well while Supabase is away; `find_hub`: None where that is not wanted."""
    if find_hub is None:
        return

    async def part() -> None:
        await services.end("lan-room", "hub")
        hub.set(None)

    await keep_lan_seat(room, partial(_meet, services, find_hub, "lan-room", take_seat), part)


async def _follow_hub(
    hub: Latest[HubAddress | None], lan: Latest[Address | None], config: Config, code: RoomCode, *, is_hosted: bool
) -> None:
    """Point the room at the hub in force, and invite others to it."""
    said = None
    if is_hosted:
        _invite(_link(config, None, code), code)
    seen = None
    while True:
        seen = await hub.changed(seen)
        lan.set(Address(seen.url, HUB_KEY) if seen else None)
        link = _link(config, seen, code)
        if seen is not None and link != said:
            _invite(link, code)
            said = link


def _link(config: Config, hub: HubAddress | None, code: RoomCode) -> str | None:
    """Where a browser joins, if that is known."""
    base = config.share.base_url or (hub.page if hub else None)
    return invitation.link(base, code) if base else None


def _invite(link: str | None, code: RoomCode) -> None:
    """Print room and link; the QR code where somebody may look at it. A terminal that is gone is no reason to end."""
    line = f"Room {code}" + (f", link {link}" if link else "") + "\n"
    try:
        if link is None or os.environ.get("JOURNAL_STREAM"):
            sys.stdout.write(line)
        else:
            sys.stdout.write(invitation.card(code, link))
    except UnicodeEncodeError:
        sys.stdout.write(line)
    except OSError as exc:
        log.warning("nobody reads our output: %s error=%s", line.strip(), exc.strerror)
    with suppress(OSError):
        sys.stdout.flush()


async def _watch(faults: Callable[[], dict[str, str]], services: Services, room: RoomEdges, alerts: Alerts) -> None:
    """Tell systemd that we are ready and alive, and people whether the room is there."""
    started = fed_at = time.monotonic()
    is_told = was_connected = False
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
        is_connected = room.view.value.connection == "connected"
        was_connected |= is_connected
        _tell(alerts, services, is_connected, was_connected, patient=now - started < NO_ROOM_AFTER_S)
        await asyncio.sleep(WATCH_S)


def _tell(alerts: Alerts, services: Services, is_connected: bool, was_connected: bool, *, patient: bool) -> None:
    """The room's alerts in force: none, or why it is away, or elsewhere."""
    failures = [services.health[name].last_error for name in ("room", "hub") if name in services.health]
    if "lan-room" in services.health:
        alerts.set(Text.FALLBACK, failures[0] or "no answer yet")
    else:
        alerts.clear(Text.FALLBACK)
    cause = next((failure for failure in failures if failure), "no answer yet")
    away = not is_connected and (was_connected or not patient or cause == Text.FULL)
    text = Text.FULL if cause == Text.FULL else Text.RECONNECTING if was_connected else Text.NO_CONNECTION
    for one in (Text.FULL, Text.RECONNECTING, Text.NO_CONNECTION):
        if away and one == text:
            alerts.set(one, cause)
        else:
            alerts.clear(one)
