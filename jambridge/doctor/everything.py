"""All that `jambridge doctor` looks at: which probe is judged by what, once. Read this first.

What the running daemon holds is asked of it: a card that it has open is no busy card.
"""

import asyncio
import sys
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from jambridge import addresses, devices, identity, sections
from jambridge.audio.card import probe as card_list
from jambridge.audio.card.cards import NO_DEVICE
from jambridge.config import Config
from jambridge.doctor import supabase
from jambridge.doctor.examination import Check
from jambridge.doctor.finding import Finding, note
from jambridge.doctor.judge import clock as clock_judge
from jambridge.doctor.judge import connections as connections_judge
from jambridge.doctor.judge import daemon as daemon_judge
from jambridge.doctor.judge import instruments, libraries, lights, listening, network, processor, rights, room, sound
from jambridge.doctor.judge import machine as machine_judge
from jambridge.doctor.judge.configuration import configuration
from jambridge.doctor.judge.processor import Costs
from jambridge.doctor.judge.sound import CardUse
from jambridge.doctor.probe import aside
from jambridge.doctor.probe import clock as clock_probe
from jambridge.doctor.probe import connections as connections_probe
from jambridge.doctor.probe import libraries as libraries_probe
from jambridge.doctor.probe import listening as listening_probe
from jambridge.doctor.probe import machine as machine_probe
from jambridge.doctor.probe import network as network_probe
from jambridge.doctor.probe import processor as processor_probe
from jambridge.doctor.probe import rights as rights_probe
from jambridge.errors import ConfigError, DeviceError, UnavailableError
from jambridge.hub_host import LOOK_S
from jambridge.latency import compose
from jambridge.light.discovery import Found
from jambridge.room.announce import find_hubs
from jambridge.status import view
from jambridge.store.schema import database_path
from jambridge.strict_json import JsonObject

WATCHED_S = 2.0
_STEPS_S = 90.0  # a project is asked step by step
_PROGRAM_S = 40.0  # a Pi reads libraries from its card for a while
_HTTPS = 443


@dataclass(frozen=True, slots=True)
class Patient:
    """What is looked at: the configuration, as far as it can be read, where it stands, and the daemon's status."""

    config: Config
    where: str
    problems: str | None
    status: JsonObject | None

    @property
    def bind(self) -> str:
        return "127.0.0.1" if self.config.hub.bind in ("0.0.0.0", "::") else self.config.hub.bind


async def meet(config: Config, where: str, problems: str | None) -> Patient:
    """With what the daemon says, if one runs here."""
    status = None
    with suppress(UnavailableError):
        status = await aside.thread(lambda: view.fetch(config.http.bind, config.http.port))
    if problems is None:
        try:
            sections.check(config)
        except ConfigError as exc:
            problems = str(exc)
    return Patient(config, where, problems, status)


def checks(patient: Patient) -> list[Check]:
    """In the order in which they are told."""
    config, status = patient.config, patient.status
    return [
        Check("configuration", lambda: _at_once(configuration(patient.where, patient.problems))),
        Check("jambridge", lambda: _daemon(status)),
        Check("libraries", _libraries, _PROGRAM_S),
        Check("PortAudio", _portaudio),
        Check("sound", lambda: _cards(config, status), _PROGRAM_S),
        Check("rights", _rights),
        Check("MIDI", lambda: _midi(config), _PROGRAM_S),
        Check("network", _network),
        Check("mDNS", lambda: _mdns(config)),
        Check("ports", lambda: _ports(patient)),
        Check("WLED", lambda: _lights(config)),
        Check("room", lambda: _room(patient), _STEPS_S),
        Check("connections", lambda: _connections(config)),
        Check("processor", lambda: _processor(config), _PROGRAM_S),
        Check("disk", lambda: _disk(config)),
        Check("clock", _clock),
        Check("temperature", _heat),
        Check("latency", lambda: _latency(config, status)),
    ]


async def _at_once(findings: Sequence[Finding]) -> Sequence[Finding]:
    return findings


async def _daemon(status: JsonObject | None) -> Sequence[Finding]:
    state = await _state()
    return daemon_judge.daemon(status, is_claimed=state is not None and identity.is_claimed(state))


async def _libraries() -> Sequence[Finding]:
    broken = await libraries_probe.broken()
    found = await aside.thread(libraries_probe.installed)
    major, minor, micro = sys.version_info[:3]
    return [
        libraries.python((major, minor, micro)),
        *libraries.libraries(libraries_probe.required(), found, broken),
    ]


async def _portaudio() -> Sequence[Finding]:
    try:
        names = [card.name for card in await card_list.cards()]
    except DeviceError as exc:
        return [sound.portaudio((), str(exc))]
    return [sound.portaudio(names, None)]


async def _cards(config: Config, status: JsonObject | None) -> Sequence[Finding]:
    section = config.audio
    wanted = {
        "input": section.input if section.send else NO_DEVICE,
        "output": section.output if section.play else NO_DEVICE,
    }
    return [await _card(direction, name, section.block_frames, status) for direction, name in wanted.items()]


async def _card(direction: str, wanted: str | None, block_frames: int, status: JsonObject | None) -> Finding:
    if wanted == NO_DEVICE:
        return note(f"sound {direction}", f"none is wanted (audio.{direction})")
    if status is not None:
        one = status["audio"][direction]
        keys = ("card", "problem", "rate_hz", "latency_ms", "blocks", "missed")
        return sound.card(CardUse(direction, **{key: one[key] for key in keys}, by_daemon=True))
    told = await aside.ours("jambridge.doctor.probe.card_trial", direction, str(block_frames), wanted or "")
    return sound.card(CardUse(direction, told.pop("card", None), **told))


async def _rights() -> Sequence[Finding]:
    return [rights.sound(rights_probe.sound()), rights.real_time(rights_probe.real_time())]


async def _midi(config: Config) -> Sequence[Finding]:
    told = await aside.ours("jambridge.doctor.probe.midi_ports") if config.midi.is_used else {}
    return instruments.midi(config.midi, told.get("inputs", ()), told.get("outputs", ()), told.get("problem"))


async def _network() -> Sequence[Finding]:
    return network.network(addresses.local_addresses(), network_probe.wireless())


async def _mdns(config: Config) -> Sequence[Finding]:
    finds_lights = config.light.mode != "off" and config.light.discover != "off"
    finds_hub = config.supabase.url is None and config.hub.mode == "auto" and config.hub.url is None
    facts = await network_probe.mdns(addresses.local_addresses())
    return [network.mdns(facts, is_needed=finds_lights or finds_hub)]


async def _ports(patient: Patient) -> Sequence[Finding]:
    http, hub = patient.config.http, patient.config.hub
    health = await listening_probe.hub_health(f"http://{patient.bind}:{hub.port}") if hub.mode != "off" else None
    wanted = [("http.port", http.bind, http.port, patient.status is not None)]
    if hub.mode != "off":
        tls_is_ours = health is not None and health.get("tls_port") == hub.tls_port
        wanted.append(("hub.port", hub.bind, hub.port, health is not None))
        wanted.append(("hub.tls_port", hub.bind, hub.tls_port, tls_is_ours))
    return [
        listening.port(listening_probe.listen(key, bind, port, is_ours=is_ours))
        for key, bind, port, is_ours in wanted
        if port
    ]


async def _lights(config: Config) -> Sequence[Finding]:
    found: Collection[Found] = ()
    if config.light.mode != "off":
        state = await _state()
        found = await devices.find_lights(config.light, identity.adopted(state) if state else ())
    return lights.lights(config.light, tuple(found))


async def _room(patient: Patient) -> Sequence[Finding]:
    config = patient.config
    url = config.supabase.url
    hub = _hub(patient, has_supabase=url is not None)
    if url is None:
        return await hub
    try:
        key = sections.supabase_key_of(config.supabase)
    except ConfigError:  # told as such
        return await hub
    project, beside = await asyncio.gather(supabase.check(url, key), hub)
    return [*room.summary(room.SUPABASE, url, project), *beside]


async def _hub(patient: Patient, *, has_supabase: bool) -> Sequence[Finding]:
    section = patient.config.hub
    url = await _hub_url(patient)
    if url is None:
        return [room.no_hub(section.url, mode=section.mode, has_supabase=has_supabase)]
    return room.summary(room.HUB, url, await supabase.check(url, sections.HUB_KEY))


async def _hub_url(patient: Patient) -> str | None:
    """Of the one named, or ours, or one that is found; that it answers was tried."""
    section = patient.config.hub
    places = [section.url.rstrip("/")] if section.url else []
    if section.url is None and section.mode != "off":
        places.append(f"http://{patient.bind}:{section.port}")
        hubs = await find_hubs(LOOK_S) if section.mode == "auto" else ()
        places += [f"http://{_bracketed(address)}:{hub.port}" for hub in hubs for address in hub.addresses[:2]]
    for place in places:
        if await listening_probe.hub_health(place) is not None:
            return place
    return None


async def _connections(config: Config) -> Sequence[Finding]:
    try:
        servers = sections.known_ice_servers(config.webrtc)
    except ConfigError:  # told as such
        return []
    project = urlsplit(config.supabase.url or "")
    elsewhere = (project.hostname, project.port or _HTTPS) if project.hostname else None
    asked, seen, passes = await asyncio.gather(
        connections_probe.ask(servers),
        connections_probe.mappings(servers),
        connections_probe.tcp_passes(servers, elsewhere),
    )
    in_use = config.supabase.url is not None or config.webrtc.policy == "relay"
    return connections_judge.connections(asked, seen, in_use=in_use, tcp_passes=passes)


async def _processor(config: Config) -> Sequence[Finding]:
    machine = processor_probe.machine()
    costs = Costs(**await aside.ours("jambridge.doctor.probe.processor"))
    return [processor.processor(costs, machine, config.webrtc.max_peers), *processor.load(machine)]


async def _disk(config: Config) -> Sequence[Finding]:
    try:
        state = await aside.thread(identity.state_directory)
    except DeviceError as exc:
        return [machine_judge.no_place(str(exc))]
    places = dict.fromkeys((state, database_path(config.store.path, state).parent))
    return [machine_judge.disk(await aside.thread(partial(machine_probe.disk, place))) for place in places]


async def _clock() -> Sequence[Finding]:
    return [clock_judge.clock(await clock_probe.look())]


async def _heat() -> Sequence[Finding]:
    return machine_judge.heat(await machine_probe.heat())


async def _latency(config: Config, before: JsonObject | None) -> Sequence[Finding]:
    """Of the daemon's own figures, in two readings."""
    if before is None:
        return daemon_judge.latency((), is_running=False)
    began_s = time.monotonic()
    await asyncio.sleep(WATCHED_S)
    try:
        now = await aside.thread(lambda: view.fetch(config.http.bind, config.http.port))
    except UnavailableError:
        return daemon_judge.latency((), is_running=False)
    ways = compose.ways(before, now, time.monotonic() - began_s, config.audio, config.light)
    return daemon_judge.latency(ways, is_running=True)


async def _state() -> Path | None:
    """None where it cannot be made: that is told of the disk."""
    with suppress(DeviceError):
        return await aside.thread(identity.state_directory)
    return None


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address
