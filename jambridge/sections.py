"""From the configuration to what each part takes: a part is given its own, never the whole."""

import os
import secrets
import socket
import stat
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from jambridge import __version__, http_token, supabase_key
from jambridge.config import Config, HttpConfig, IceServerConfig, LightConfig, MqttConfig, SupabaseConfig, WebrtcConfig
from jambridge.errors import ConfigError
from jambridge.identity import Identity
from jambridge.light.control import LightSettings
from jambridge.light.effects import Style
from jambridge.light.zones import EVERYONE, Zone
from jambridge.mqtt.entities import Broker
from jambridge.peers.ice_servers import Server
from jambridge.peers.roles import CLOCK, MIDI, SHORT_PACKETS
from jambridge.room.edges import Address
from jambridge.room.messages import Participant
from jambridge.store.remote import Endpoint
from jambridge.units import PeerId

HUB_KEY = "lan"  # a hub accepts any


def member(config: Config, own: Identity, *, sends: bool) -> Participant:
    return Participant(
        id=PeerId(secrets.token_hex(8)),
        name=config.identity.name or own.name,
        is_host=False,
        joined_at=time.time(),
        instrument=config.identity.instrument,
        client=f"jambridge/{__version__}",
        sends=sends,
        capabilities=(CLOCK, SHORT_PACKETS, *((MIDI,) if config.midi.is_shared else ())),
    )


def supabase_address(section: SupabaseConfig) -> Address | None:
    """None: the LAN hub is the room.

    Raises:
        ConfigError: a project without a key, or a key that cannot be read or must not be used.
    """
    if section.url is None:
        return None
    name = "anon_key_file" if section.anon_key is None else "anon_key"
    key = supabase_key_of(section)
    if reason := supabase_key.check(key):
        raise ConfigError(f"supabase.{name}: {reason}")
    return Address(section.url, key)


def supabase_key_of(section: SupabaseConfig) -> str:
    """Unchecked.

    Raises:
        ConfigError: there is none, or it cannot be read.
    """
    return _key_in(section.anon_key_file) if section.anon_key is None else section.anon_key.get_secret_value()


def endpoint(config: Config) -> Endpoint | None:
    """Where the rooms of this configuration keep their sessions, if that is certain without a network; as above."""
    supabase = supabase_address(config.supabase)
    if supabase is not None:
        return Endpoint(supabase.url, supabase.key)
    return Endpoint(config.hub.url, HUB_KEY) if config.hub.url else None


def ice_servers(config: Config) -> list[Server]:
    """The STUN and TURN servers in use: none in a LAN room, unless nothing but a relay may be used.

    Raises:
        ConfigError: as below; in a LAN room as well.
    """
    servers = known_ice_servers(config.webrtc)
    return servers if config.supabase.url is not None or config.webrtc.policy == "relay" else []


def known_ice_servers(section: WebrtcConfig) -> list[Server]:
    """All that are configured.

    Raises:
        ConfigError: a file with a credential cannot be read, or everybody can read it.
    """
    servers: list[Server] = []
    problems: list[str] = []
    for number, one in enumerate(section.ice_servers):
        try:
            servers += _servers(one, f"webrtc.ice_servers[{number}]")
        except ConfigError as exc:
            problems.append(str(exc))
    if problems:
        raise ConfigError("\n".join(problems))
    return servers


def broker(section: MqttConfig) -> Broker | None:
    """None: nobody is told anything over MQTT.

    Raises:
        ConfigError: the password cannot be read, or the library is not installed.
    """
    if section.host is None:
        return None
    if find_spec("aiomqtt") is None:
        raise ConfigError("mqtt.host is set, but aiomqtt is not installed: pip install aiomqtt, or set host to null")
    password = _secret_in(section.password_file, "mqtt.password_file") if section.password_file else None
    return Broker(section.host, section.port, section.tls, section.username, password, section.discovery_prefix)


def check(config: Config) -> None:
    """What only a start would tell.

    Raises:
        ConfigError: a key or credential is missing, cannot be read or must not be used; every problem at once.
    """
    problems: list[str] = []
    for read in (
        lambda: supabase_address(config.supabase),
        lambda: ice_servers(config),
        lambda: broker(config.mqtt),
        lambda: http_token.check(config.http.token_file) if config.http.token_file is not None else None,
    ):
        try:
            read()
        except ConfigError as exc:
            problems.append(str(exc))
    if problems:
        raise ConfigError("\n".join(problems))


def _servers(section: IceServerConfig, key: str) -> list[Server]:
    credential = section.credential.get_secret_value() if section.credential else ""
    if section.credential_file is not None:
        credential = _secret_in(section.credential_file, f"{key}.credential_file")
    secret = _secret_in(section.secret_file, f"{key}.secret_file") if section.secret_file is not None else ""
    return [Server(url, section.username or "", credential, secret) for url in section.all_urls]


def _secret_in(file: str, key: str) -> str:
    text = _text_in(file, key)
    if place(file).stat().st_mode & stat.S_IROTH:
        raise ConfigError(f"{key}: {file}: everybody on this machine can read it: chmod o= {file}")
    if not text:
        raise ConfigError(f"{key}: {file}: is empty")
    return text


def _key_in(file: str | None) -> str:
    if file is None:
        raise ConfigError("supabase.url is set: supabase.anon_key_file (or anon_key) is missing")
    return _text_in(file, "supabase.anon_key_file")


def _text_in(file: str, key: str) -> str:
    try:
        return place(file).read_text("utf-8").strip()
    except OSError as exc:
        raise ConfigError(f"{key}: {file}: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{key}: {file}: not a text file (UTF-8)") from exc


def place(file: str) -> Path:
    """A name without a folder is a credential that systemd hands to the service."""
    return Path(os.environ.get("CREDENTIALS_DIRECTORY", "")) / file


def light_settings(config: Config) -> LightSettings:
    light = config.light
    return LightSettings(
        mode="off" if light.mode == "off" else "local",
        color_mode=light.color_mode,
        brightness=light.brightness,
        max_fps=light.max_fps,
        flashes_per_s=light.flashes_per_s,
        threshold=config.notes.threshold,
        effect=light.effect,
        style=Style(light.attack, light.decay, light.octave),
        zones=tuple(_zones(light)),
    )


def _zones(light: LightConfig) -> Iterator[Zone]:
    """With those of controllers that have an effect of their own, but no zones."""
    zones = [
        Zone(one.player, one.controller, one.start, one.stop, one.reverse, one.mirror, one.effect)
        for one in light.zones
    ]
    taken = {zone.controller.casefold() for zone in zones}
    for one in light.controllers:
        names = [name for name in (one.name, one.mac, one.host) if name]
        if one.effect and names and not taken & {name.casefold() for name in names}:
            yield Zone(EVERYONE, names[0], effect=one.effect)
    yield from zones


def hosts(section: HttpConfig) -> frozenset[str]:
    """By which names the local HTTP may be asked for."""
    own = socket.gethostname()
    return frozenset(host.lower() for host in (*section.allowed_hosts, section.bind, own, f"{own}.local"))
