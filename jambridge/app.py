"""All wiring, once: read this first. Edges are made, services are opened on them, and one function restarts each.

hub → address → room client ⇄ signals, members ⇄ mesh → feeds (shared memory) → light process → WLED
 line-in → capture process → packets ↗     ↘ packets → playback process → line-out
            instruments ⇄ MIDI process ⇄ data channels ↗      discovery → controllers ↗      everything → status
"""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from jambridge import (
    automation,
    claiming,
    http_token,
    identity,
    instruments,
    keeping,
    realtime,
    reloading,
    sections,
    sound,
    stopping,
)
from jambridge.audio.feed import Feeds
from jambridge.audio.ring import Feed
from jambridge.box import Box, Edges
from jambridge.broadcasting import Broadcasting
from jambridge.config import Config, HttpConfig
from jambridge.edges import Latest
from jambridge.hub_host import HubAddress, open_hub
from jambridge.light.discovery import Agreement, open_discovery
from jambridge.light.process import Lights, open_light, release
from jambridge.light.wled import Controller
from jambridge.lighting import Lighting
from jambridge.operating import Operating
from jambridge.peers.channels import SYNC
from jambridge.peers.ice_servers import IceServers
from jambridge.peers.mesh import open_mesh
from jambridge.peers.peer import Surroundings
from jambridge.peers.trouble import Trouble
from jambridge.room import trail
from jambridge.room.announce import find_hubs
from jambridge.room.client import ROOM_RETRY_S, open_room, topic_of
from jambridge.room.edges import HUB, SUPABASE, Address, RoomEdges, open_sharing
from jambridge.room.lan_seat import keep_lan_seat
from jambridge.room.messages import Participant
from jambridge.services import Running, Services
from jambridge.status import invitation
from jambridge.status.alerts import Alerts
from jambridge.status.notify import notify
from jambridge.status.server import open_status
from jambridge.status.watch import watch
from jambridge.store import resuming
from jambridge.store.merging import Setup
from jambridge.store.remote import Endpoint
from jambridge.store.resuming import Resume
from jambridge.store.schema import database_path
from jambridge.store.service import Inputs
from jambridge.supervise import Service
from jambridge.sync.service import Sync, open_sync
from jambridge.together import Together
from jambridge.units import LocalSeconds, PeerId, RoomCode

log = logging.getLogger(__name__)

MIDI_MARK = "midi.running"
SLOTS = 5  # four musicians and the line-in
LIGHT_RETRY_S = 1.0
Opening = Callable[[], AbstractAsyncContextManager[Service]]


async def run(
    config: Config,
    read_again: Callable[[], Config],
    *,
    with_parent: bool = False,
    new_room: bool = False,
    resume: Resume | None = None,
) -> RoomCode | None:
    """The daemon, from wiring to goodbye. Returns the session to go on with, where somebody has asked for that.

    Args:
        config: what is wanted.
        read_again: the same, as a start would find it now.
        with_parent: it ends with whoever holds its standard input.
        new_room: nobody may be there.
        resume: the session to go on with; its code is the room's.

    Raises:
        ConfigError: a key or credential is missing, cannot be read or must not be used.
        OccupiedError: `new_room`, and somebody is in it.
    """
    sections.check(config)
    http_token = _http_token(config.http)
    reload = asyncio.Event()
    stopped = stopping.on_signals(with_parent=with_parent, reload=reload.set)
    started = time.monotonic()
    state = identity.state_directory()
    own = identity.load(state)
    code = resume.code if resume else RoomCode(config.room.code or own.room)
    me = sections.member(config, own, sends=await sound.sends(config.audio))
    supabase = sections.supabase_address(config.supabase)
    edges = _edges(config, me, supabase, resume)
    keeping.restore_gains(state, edges.sound)
    room = edges.room

    services = Services()
    box = _start_box(services, config, edges, me, code, state, resume)
    find_hub = _hub_finder(config, state, edges.hub)
    take_seat = partial(open_room, topic=topic_of(config.room.channel, code), me=me, edges=room)

    async def was_stored() -> bool:
        return await resuming.was_stored(box.store.present, edges.remote.value, code, datetime.now(UTC))

    must_exist = config.room.on_missing == "exit" and resume is None
    take_first = partial(take_seat, must_exist=must_exist, must_be_empty=new_room, was_stored=was_stored)
    _start_room(services, find_hub, supabase, edges.lan, take_first)

    is_configured = "master_volume" in config.audio.model_fields_set
    take_volume = partial(keeping.take_volume, edges.sound, edges.setup, is_configured=is_configured)

    next_session: asyncio.Future[RoomCode] = asyncio.get_running_loop().create_future()
    operating = Operating(
        config, code, me, edges, box, services, next_session, may_meet=find_hub is not None, started_s=started
    )
    status = operating.server(http_token)
    services.start("status", partial(open_status, status, config.http.bind, config.http.port))
    if broker := sections.broker(config.mqtt):
        automation.start(services, broker, own, me.name, room, edges.lighting)

    beside = asyncio.gather(
        services.until_one_gives_up(),
        _follow_hub(edges, config, code, is_hosted=supabase is not None),
        trail.keep(room.view, code),
        claiming.claim(room, edges.lighting.settings, edges.agreement),
        edges.lighting.follow(room.state, box.sync),
        edges.lighting.tell_problems(edges.controllers),
        box.broadcasting.keep(box.light_report),
        box.together.keep(box.light_report, lambda: box.mesh.present.peers() if box.mesh.present else []),
        keeping.describe(edges.setup, edges.lighting.settings, box.discovery, lambda: box.instruments.ports),
        keeping.keep_gains(state, edges.sound),
        reloading.follow(
            reload, read_again, config, edges.lighting, partial(keeping.set_volume, edges.sound, edges.setup)
        ),
        keeping.go_on(room, box.store, code, resume, take_volume, alone=find_hub is None and supabase is None),
        sound.keep(edges.sound, room, box.mesh, box.line_out, config.webrtc.max_peers),
        instruments.keep(box.instruments, room, box.sync),
        watch(
            operating.faults,
            services,
            room,
            edges.alerts,
            partial(operating.trouble, Trouble(config.webrtc.policy == "relay")),
            edges.sound.captured,
            edges.sound.played,
        ),
        _fall_back(services, edges, find_hub if supabase else None, partial(take_seat, edges.lan, seat_name=HUB)),
    )
    realtime.spare_what_stands()  # sound goes through this process
    try:
        whichever: set[asyncio.Future[Any]] = {stopped, beside, next_session}
        await asyncio.wait(whichever, return_when=asyncio.FIRST_COMPLETED)
        _release(box.light.present, edges.controllers.value)  # first of all: the strips are the user's again
        if beside.done() and not stopped.done():
            await beside
    finally:
        notify("WATCHDOG=1" if next_session.done() else "STOPPING=1")
        beside.cancel()
        await services.stop("midi", "mesh", "store", "room", "lan-room")
        edges.sound.close()
        edges.feeds.close()
        await asyncio.gather(beside, return_exceptions=True)
    if stopped.done():
        return None
    notify("WATCHDOG=1")  # the next run has its time to begin
    return next_session.result()


def _edges(config: Config, me: Participant, supabase: Address | None, resume: Resume | None) -> Edges:
    stored = resume.master_volume if resume else None
    volume = config.audio.master_volume if stored is None else stored
    edges = Edges(
        feeds=Feeds(SLOTS),
        room=RoomEdges(me.id, host_only=config.room.host_only),
        hub=Latest(None),
        lan=Latest(None),
        remote=Latest(Endpoint(supabase.url, supabase.key) if supabase else None),
        controllers=Latest(()),
        lighting=Lighting(config),
        watched=Latest(False),
        strips=Latest(b""),
        agreement=Agreement(),
        setup=Latest(Setup(master_volume=stored)),
        sound=sound.edges(config.audio, volume, is_musician=me.sends),
        alerts=Alerts(),
    )
    if resume and resume.problem:
        edges.alerts.set(resume.problem, f"session {resume.code}")
    return edges


def _start_box(
    services: Services,
    config: Config,
    edges: Edges,
    me: Participant,
    code: RoomCode,
    state: Path,
    resume: Resume | None,
) -> Box:
    """Everything that works with or without a room."""
    feeds, room = edges.feeds, edges.room

    def send_sync(to: PeerId, text: str) -> bool:
        return bool(mesh.present and mesh.present.send_sync(to, text))

    def hear_sync(peer: PeerId, text: str, received_at: LocalSeconds) -> None:
        sync.receive(peer, text, received_at)
        broadcasting.hear_text(peer, text)

    sync = Sync(me.id, lambda: room.view.value.host, send_sync)
    lighting = edges.lighting
    broadcasting = Broadcasting(
        lambda: lighting.wanted, room, lighting.settings, edges.agreement, send_sync, config.webrtc.max_peers
    )
    together = Together(lambda: edges.lighting.timing, edges.agreement, lambda: sync.room_s)
    light = services.start(
        "light",
        partial(
            open_light,
            feeds.rings,
            feeds.wakes,
            feeds.sources,
            edges.controllers,
            edges.lighting.settings,
            sync.report,
            edges.lighting.music,
            broadcasting.given,
            edges.lighting.midi,
            together.timing,
            edges.watched,
            share=broadcasting.tell,
            preview=partial(_take_previews, edges),
        ),
        longest_delay_s=LIGHT_RETRY_S,
    )
    open_line_in = partial(feeds.open, me.id, me.name, is_line_in=True, instrument=me.instrument)
    line_out = sound.start(services, edges.sound, config.audio, feeds, open_line_in)
    adopted = partial(identity.adopted, state)
    sent_fps = partial(_sent_fps, light)
    look_for_lights = partial(open_discovery, config.light, adopted, edges.controllers)
    discovery = services.start("discovery", partial(look_for_lights, sent_fps=sent_fps, agreement=edges.agreement))
    ice_servers = IceServers(sections.ice_servers(config), relay_only=config.webrtc.policy == "relay")
    played = instruments.start(
        services, config.midi, room, me, sync, lambda: mesh.present, edges.lighting.midi, state / MIDI_MARK
    )
    readers = {SYNC: hear_sync, **instruments.readers(played)}
    around = Surroundings(
        me.id,
        room.say,
        None if config.light.mode == "off" else partial(_open_feed, feeds, room),
        open_channel=edges.sound.desk.open if line_out else None,
        outgoing=edges.sound.outgoing if me.sends else None,
        bit_rate=sound.BIT_RATES[config.audio.quality],
        readers=readers,
        ice_servers=ice_servers,
    )
    mesh = services.start("mesh", partial(open_mesh, around, room.members, room.signals, config.webrtc.max_peers))
    services.start("sync", partial(open_sync, sync))
    services.start("sharing", partial(open_sharing, room))
    inputs = Inputs(room.state, room.members, room.hosting, edges.setup, edges.remote)
    store = services.start("store", keeping.saver(config.store, state, code, inputs, resume))
    return Box(light, discovery, mesh, store, line_out, sync, broadcasting, together, played)


def _take_previews(edges: Edges, strips: bytes) -> None:
    if edges.watched.value:
        edges.strips.set(strips)


def _http_token(section: HttpConfig) -> str | None:
    """Raises ConfigError."""
    if section.token_file is None:
        return None
    token, is_new = http_token.keep(section.token_file)
    if is_new:
        invitation.show_way_in(section.bind, section.port, token, section.token_file)
    return token


def _hub_finder(config: Config, state: Path, in_force: Latest[HubAddress | None]) -> Opening | None:
    """None where no hub is wanted."""
    if config.hub.mode == "off" and config.hub.url is None:
        return None
    database = database_path(config.store.path, state)
    return partial(open_hub, config.hub, config.room.max_members, state, find_hubs, in_force, database=database)


def _open_feed(feeds: Feeds, room: RoomEdges, peer: PeerId, name: str) -> Feed | None:
    instrument = next((member.instrument for member in room.members.value if member.id == peer), "")
    return feeds.open(peer, name, instrument=instrument)


def _sent_fps(light: Running[Lights]) -> dict[str, float]:
    report = light.present.report if light.present else None
    return {output.mac: output.fps for output in report.outputs} if report else {}


def _release(light: Lights | None, controllers: tuple[Controller, ...]) -> None:
    """Through the light process, or in its stead where it is not there at the moment."""
    if light is not None:
        light.release()
    else:
        release(controllers)


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


async def _fall_back(services: Services, edges: Edges, find_hub: Opening | None, take_seat: Opening) -> None:
    """Meet at the LAN hub as well while Supabase is away; `find_hub`: None where that is not wanted."""
    if find_hub is None:
        return

    async def part() -> None:
        await services.end("lan-room", "hub")
        edges.hub.set(None)

    await keep_lan_seat(edges.room, partial(_meet, services, find_hub, "lan-room", take_seat), part)


async def _follow_hub(edges: Edges, config: Config, code: RoomCode, *, is_hosted: bool) -> None:
    """Point the room, and where its sessions are stored, at the hub in force, and invite others to it."""
    said = None
    if is_hosted:
        invitation.invite(code, invitation.known_link(config.share.base_url, None, code))
    seen = None
    while True:
        seen = await edges.hub.changed(seen)
        edges.lan.set(Address(seen.url, sections.HUB_KEY) if seen else None)
        if not is_hosted and seen is not None:
            edges.remote.set(None if seen.is_own else Endpoint(seen.url, sections.HUB_KEY))
        link = invitation.known_link(config.share.base_url, seen, code)
        if seen is not None and link != said:
            invitation.invite(code, link)
            said = link
