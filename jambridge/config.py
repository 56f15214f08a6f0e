"""The configuration: typed sections with ranges and units. A service receives its section, never `Config`. Pure."""

import ipaddress
import unicodedata
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from jambridge import ice_url
from jambridge.errors import UsageError
from jambridge.room import code as room_code

# YAML reads a bare `off` as false and `on` as true.
_off = BeforeValidator(lambda value: "off" if value is False else value)


def _one_line(value: str) -> str:
    if any(unicodedata.category(character) in {"Cc", "Zl", "Zp"} for character in value):
        raise ValueError("must not have control characters or line breaks in it")
    if not value.strip():
        raise ValueError("must not be empty")
    return value


Port = Annotated[int, Field(ge=0, le=65535)]
Label = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_one_line)]
Unit = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class IdentityConfig(Section):
    """Who this box is in the room."""

    name: Label | None = None
    """Shown to the others; null: User<number>, kept over restarts."""
    instrument: Label = "unknown"


class RoomConfig(Section):
    """Which room."""

    code: str | None = None
    """As ABC123; null: generated once and kept, so that a printed QR code stays valid."""
    on_missing: Literal["create", "exit"] = "create"
    channel: str = "room:{code}"
    """The Realtime topic; {code} is replaced."""
    host_only: bool = False
    max_members: Annotated[int, Field(ge=2, le=10)] = 10

    @field_validator("code")
    @classmethod
    def _accepted(cls, value: str | None) -> str | None:
        try:
            return None if value is None else room_code.parse(value)
        except UsageError as exc:
            raise ValueError(str(exc)) from exc

    @field_validator("channel")
    @classmethod
    def _with_code(cls, value: str) -> str:
        if "{code}" not in value:
            raise ValueError("must contain {code}")
        return value


class SupabaseConfig(Section):
    """A hosted project instead of the LAN hub."""

    url: str | None = None
    anon_key: SecretStr | None = None
    anon_key_file: str | None = None


class HubConfig(Section):
    """The LAN hub: a room without an account."""

    mode: Annotated[Literal["auto", "host", "off"], _off] = "auto"
    """auto: join the hub found within a second, else be one; host: always be one; off: never."""
    url: str | None = None
    """A hub that mDNS cannot find, as http://192.168.1.20:3001."""
    bind: str = "0.0.0.0"
    port: Port = 3001
    tls_port: Port = 3443
    advertise: bool = True
    max_connections: Annotated[int, Field(ge=1, le=10_000)] = 200
    max_per_address: Annotated[int, Field(ge=1, le=10_000)] = 16
    allowed_origins: list[str] = []

    @field_validator("tls_port")
    @classmethod
    def _beside_port(cls, value: int, info: ValidationInfo) -> int:
        if value and value == info.data.get("port"):
            raise ValueError(f"{value} is hub.port as well: each takes a port of its own")
        return value


class ShareConfig(Section):
    base_url: str | None = None
    """Start of the link shown, as https://example.org: /jam/CODE is put behind it; null: the hub's own page."""


class IceServerConfig(Section):
    """A STUN or TURN server, as a browser's RTCIceServer; one without credentials may be written as its URL alone."""

    urls: str | list[str]
    """As stun:HOST:PORT, turn:HOST:PORT?transport=udp or tcp, turns:HOST:PORT."""
    username: str | None = None
    credential: SecretStr | None = None
    credential_file: str | None = None
    secret_file: str | None = None
    """Holds what coturn calls static-auth-secret: credentials for a day are made of it, for each connection anew."""

    @property
    def all_urls(self) -> tuple[ice_url.IceUrl, ...]:
        return tuple(map(ice_url.parse, [self.urls] if isinstance(self.urls, str) else self.urls))

    @field_validator("urls")
    @classmethod
    def _understood(cls, value: str | list[str]) -> str | list[str]:
        for url in [value] if isinstance(value, str) else value:
            try:
                ice_url.parse(url)
            except ValueError as exc:
                raise ValueError(f"{url.rpartition('@')[2][:80]}: {exc}") from exc  # no secret
        return value

    @model_validator(mode="after")
    def _with_credentials(self) -> Self:
        given = [name for name in ("credential", "credential_file", "secret_file") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} exclude each other")
        turn = next((url.text for url in self.all_urls if url.is_turn), None)
        if turn and not given:
            raise ValueError(f"{turn} takes credentials: username and credential (or credential_file), or secret_file")
        if turn and self.secret_file is None and self.username is None:
            raise ValueError(f"{turn} takes a username as well")
        return self

    @model_serializer(mode="wrap")
    def _as_written(self, dump: SerializerFunctionWrapHandler) -> object:
        """A URL alone, if there is no more to it."""
        values = {name: value for name, value in dump(self).items() if value is not None}
        return self.urls if values.keys() == {"urls"} and isinstance(self.urls, str) else values


IceServer = Annotated[
    IceServerConfig,
    BeforeValidator(
        lambda value: {"urls": value} if isinstance(value, str) else value,
        json_schema_input_type=str | IceServerConfig,
    ),
]


class WebrtcConfig(Section):
    """Sound between members."""

    ice_servers: Annotated[list[IceServer], Field(max_length=16)] = [
        IceServerConfig(urls="stun:stun.l.google.com:19302")
    ]
    """STUN and TURN; none are used in a LAN room, unless nothing but a relay may be used."""
    policy: Literal["all", "relay"] = "all"
    """relay: all sound passes through a TURN server, and musicians do not see each other's addresses."""
    max_peers: Annotated[int, Field(ge=1, le=3)] = 3

    @model_validator(mode="after")
    def _with_a_relay(self) -> Self:
        if self.policy == "relay" and not any(url.is_turn for server in self.ice_servers for url in server.all_urls):
            raise ValueError("policy relay takes a TURN server among ice_servers")
        return self


class AudioConfig(Section):
    """The sound card."""

    input: str | None = None
    """Name, or part of it; null: the system's default; none: no device."""
    output: str | None = None
    send: bool = True
    play: bool = True
    quality: Literal["low_latency", "high_quality"] = "low_latency"
    block_frames: Annotated[int, Field(ge=32, le=2048)] = 128
    """Frames a callback; 128 at 48 kHz is 2.7 ms."""
    master_volume: Unit = 0.8
    playout: Literal["safe", "normal", "fast"] = "normal"
    """How long sound waits for late packets: safe waits for nearly all, fast gives up one in a hundred."""


class NotesConfig(Section):
    threshold: Literal["sensitive", "normal", "strict"] = "normal"
    """How sure the detector must be of a note."""


EffectName = Literal["notes", "roll", "chord", "wash", "spectrum", "vu", "beat", "scroll"]


class ControllerConfig(Section):
    """One WLED; name, mac or host is enough, the rest is asked of it."""

    name: str | None = None
    mac: Annotated[str, Field(pattern=r"^([0-9a-fA-F]{2}[:-]?){5}[0-9a-fA-F]{2}$")] | None = None
    host: str | None = None
    http_port: Port = 80
    udp_port: Port | None = None
    data_port: Port | None = None
    pixels: Annotated[int, Field(ge=1, le=16_384)] | None = None
    protocol: Literal["ddp", "e131"] | None = None
    universe: Annotated[int, Field(ge=1, le=63_999)] | None = None
    """Of the first pixel, for e131; null: the WLED's own."""
    multicast: bool = False
    """E1.31 to the universes' groups instead of to the WLED's address."""
    priority: Annotated[int, Field(ge=0, le=200)] = 100
    """Of several E1.31 sources the higher is shown, where the receiver looks at it."""
    gamma: Annotated[float, Field(ge=1, le=3)] | None = None
    """null: 2.2 where WLED leaves gamma to the sender, else 1."""
    brightness: Unit = 1.0
    offset_ms: Annotated[float, Field(ge=-500, le=500)] = 0.0
    """Sent later than the others by this; negative: the others later than it."""
    max_fps: Annotated[int, Field(ge=1, le=60)] | None = None
    effect: EffectName | None = None
    """null: light.effect; where it has zones, theirs."""

    @field_validator("host")
    @classmethod
    def _one_of_three(cls, value: str | None) -> str | None:
        if value is not None and (not value.strip() or "/" in value):
            raise ValueError("a host name or address, without http://")
        return value


class ZoneConfig(Section):
    """Which pixels show which player."""

    player: Annotated[str, Field(max_length=64)] = "*"
    """A name, an instrument, self (what is played here) or *."""
    controller: Annotated[str, Field(max_length=64)]
    """Its name, MAC or host."""
    start: Annotated[int, Field(ge=0)] = 0
    stop: Annotated[int, Field(ge=1)] | None = None
    """The first pixel behind it; null: to the end."""
    reverse: bool = False
    mirror: bool = False
    """From the middle to both ends."""
    effect: EffectName | None = None
    """null: light.effect."""

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if self.stop is not None and self.stop <= self.start:
            raise ValueError(f"stop {self.stop} is not behind start {self.start}")
        return self


class LightConfig(Section):
    """The strips."""

    mode: Annotated[Literal["auto", "local", "broadcast", "off"], _off] = "auto"
    color_mode: Literal["chromatic", "harmonic"] = "chromatic"
    brightness: Unit = 1.0
    discover: Annotated[Literal["auto", "list", "off"], _off] = "auto"
    """auto: drive the one WLED found, of several those adopted; list: look, never drive; off: do not look."""
    protocol: Literal["ddp", "e131"] = "ddp"
    max_fps: Annotated[int, Field(ge=1, le=60)] = 60
    flashes_per_s: Annotated[float, Field(ge=0.5, le=3)] = 3
    controllers: Annotated[list[ControllerConfig], Field(max_length=64)] = []
    zones: Annotated[list[ZoneConfig], Field(max_length=64)] = []
    effect: EffectName = "notes"
    attack: Annotated[float, Field(ge=0, le=4)] | None = None
    """Beats in which a note comes up to its brightness; null: as the effect does."""
    decay: Annotated[float, Field(ge=0, le=8)] | None = None
    """Beats in which it fades when it has ended; null: as the effect does."""
    octave: Literal["none", "brightness", "place"] = "none"
    """What an octave looks like: brighter the higher, or its place along the strip."""
    timing: Literal["instant", "together"] = "instant"
    """instant: as soon as it is heard; together: when all bridges of the room that want it can show it."""

    @field_validator("controllers")
    @classmethod
    def _each_once(cls, value: list[ControllerConfig]) -> list[ControllerConfig]:
        seen: dict[object, int] = {}
        for number, one in enumerate(value):
            if one.name is None and one.mac is None and one.host is None:
                raise ValueError(f"controllers[{number}] has neither name nor mac nor host")
            name, mac = (one.name or "").casefold(), (one.mac or "").lower().replace(":", "").replace("-", "")
            for key in (("name", name), ("mac", mac), ("host", f"{one.host}:{one.http_port}" if one.host else "")):
                if key[1] and seen.setdefault(key, number) != number:
                    raise ValueError(f"controllers[{seen[key]}] and [{number}] have the same {key[0]}, {key[1]}")
        return value


class MidiConfig(Section):
    """Notes from and to instruments."""

    inputs: str | list[str] = "all"
    """all, none, or names or parts of them."""
    outputs: str | list[str] = "all"
    forward: bool = True
    receive: bool = True
    clock: Annotated[Literal["off", "send", "follow"], _off] = "off"
    sysex: bool = False
    channels: dict[str, Annotated[int, Field(ge=1, le=16)]] = {}
    """Where a player's notes go, by name or instrument."""
    delay_ms: Annotated[float, Field(ge=0, le=100)] = 0.0
    """All notes come so long after they were played: where the network is uneven, evenly."""

    @property
    def wanted_inputs(self) -> tuple[str, ...]:
        """Parts of names, or `*` for all."""
        return _ports(self.inputs)

    @property
    def wanted_outputs(self) -> tuple[str, ...]:
        return _ports(self.outputs)

    @property
    def is_used(self) -> bool:
        return bool(self.wanted_inputs or self.wanted_outputs)

    @property
    def is_shared(self) -> bool:
        """Whether anything of it goes to the others or comes from them; that lights up without a port as well."""
        return self.receive or (self.forward and bool(self.wanted_inputs))


class StoreConfig(Section):
    path: str | None = None
    """null: the state directory."""
    save_every_s: Annotated[float, Field(ge=1, le=3600)] = 30
    retention_h: Annotated[float, Field(ge=1, le=87_600)] = 24
    device_ips: bool = True


class HttpConfig(Section):
    """The box's page, its status, and control."""

    bind: str = "127.0.0.1"
    """0.0.0.0: from every machine that can reach this one; that takes token_file."""
    port: Port = 3080
    token_file: str | None = None
    """Made on the first run, and its way in shown once; whoever has the token may do everything here."""
    allowed_hosts: list[str] = []
    """Names by which the page is opened, beside the box's own."""


class MqttConfig(Section):
    """Home automation, as Home Assistant; off without a host."""

    host: Label | None = None
    """Of the broker."""
    port: Port = 1883
    tls: bool = False
    username: str | None = None
    password_file: str | None = None
    discovery_prefix: Label = "homeassistant"
    """Where Home Assistant looks for devices."""

    @field_validator("discovery_prefix")
    @classmethod
    def _topic(cls, value: str) -> str:
        if set(value) & set("+#"):
            raise ValueError("must be a topic, without + and #")
        return value


class LogConfig(Section):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "text", "json"] = "auto"
    """auto: journald prefixes under systemd, else text."""


class Config(Section):
    """Everything; nothing is required."""

    identity: IdentityConfig = IdentityConfig()
    room: RoomConfig = RoomConfig()
    supabase: SupabaseConfig = SupabaseConfig()
    hub: HubConfig = HubConfig()
    share: ShareConfig = ShareConfig()
    webrtc: WebrtcConfig = WebrtcConfig()
    audio: AudioConfig = AudioConfig()
    notes: NotesConfig = NotesConfig()
    light: LightConfig = LightConfig()
    midi: MidiConfig = MidiConfig()
    store: StoreConfig = StoreConfig()
    http: Annotated[HttpConfig, Field(validate_default=True)] = HttpConfig()
    mqtt: MqttConfig = MqttConfig()
    log: LogConfig = LogConfig()

    @field_validator("http")
    @classmethod
    def _beside_the_hub(cls, value: HttpConfig, info: ValidationInfo) -> HttpConfig:
        hub = info.data.get("hub")
        ports = {"hub.port": hub.port, "hub.tls_port": hub.tls_port} if hub and hub.mode != "off" else {}
        same = [name for name, port in ports.items() if port and port == value.port]
        if same:
            raise ValueError(f"http.port {value.port} is {same[0]} as well: each takes a port of its own")
        return value

    @field_validator("http")
    @classmethod
    def _token_off_loopback(cls, value: HttpConfig) -> HttpConfig:
        if value.token_file is None and not _is_loopback(value.bind):
            raise ValueError(f"http.bind {value.bind} is reachable from outside: set http.token_file as well")
        return value


def _ports(names: str | list[str]) -> tuple[str, ...]:
    listed = [names] if isinstance(names, str) else names
    return tuple("*" if name == "all" else name for name in listed if name != "none")


def _is_loopback(bind: str) -> bool:
    try:
        return ipaddress.ip_address(bind).is_loopback
    except ValueError:
        return bind == "localhost"
