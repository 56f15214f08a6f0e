"""All wiring, once: read this first. Edges are made, services are opened on them, and one function restarts each.

hub → address → room client ⇄ signals, members ⇄ mesh → feeds (shared memory) → light process → WLED
                                     discovery → controllers ↗      everything → status
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any

from jambridge import __version__, identity, stopping
from jambridge.audio.feed import Feeds
from jambridge.audio.line_in import NO_DEVICE, open_line_in
from jambridge.audio.source import AudioSink
from jambridge.config import AudioConfig, Config, SupabaseConfig
from jambridge.edges import Latest
from jambridge.errors import ConfigError, ExitStatus
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
from jambridge.status.notify import notify
from jambridge.status.server import StatusServer, open_status
from jambridge.status.watch import watch
from jambridge.strict_json import JsonObject
from jambridge.supervise import Service, State
from jambridge.units import LocalSeconds, PeerId, RoomCode

log = logging.getLogger(__name__)

HUB_KEY = "lan"  # a hub accepts any
SLOTS = 5  # four musicians and the line-in
ROOM_RETRY_S = 4.0  # the longest between two tries: a hub that is back is joined within ten seconds
LIGHT_RETRY_S = 1.0
LIGHT_SILENT_S = 3.0
Opening = Callable[[], AbstractAsyncContextManager[Service]]


async def run(config: Config, *, with_parent: bool = False, new_room: bool = False) -> ExitStatus:
    """The daemon, from wiring to goodbye; `with_parent`: it ends with whoever holds its standard input.

    Raises:
        OccupiedError: `new_room`, and somebody is in it.
    """
    stopped = stopping.on_signals(with_parent=with_parent)
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
        watch(faults, services, room, alerts),
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
        invitation.invite(code, _link(config, None, code))
    seen = None
    while True:
        seen = await hub.changed(seen)
        lan.set(Address(seen.url, HUB_KEY) if seen else None)
        link = _link(config, seen, code)
        if seen is not None and link != said:
            invitation.invite(code, link)
            said = link


def _link(config: Config, hub: HubAddress | None, code: RoomCode) -> str | None:
    """Where a browser joins, if that is known."""
    base = config.share.base_url or (hub.page if hub else None)
    return invitation.link(base, code) if base else None
