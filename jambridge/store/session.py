"""What a session remembers: music, studio, hardware and metadata. Pure.

Source: the story of session persistence, "Comprehensive Session State Interface"; unknown keys are kept at every
level. Optional things that are damaged fall back to their defaults and are named in `problems`.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
)
from pydantic.alias_generators import to_camel

from jambridge.errors import WireError
from jambridge.room.state import checked
from jambridge.strict_json import JsonObject

MUSIC_KEYS = ("tempo", "key", "scale", "colorMode", "masterVolume", "isPlaying")
MOST_MODULES = 256

Line = Annotated[str, Field(max_length=256)]
Count = Annotated[int, Field(ge=0, le=2**53)]


class Block(BaseModel):
    """One object of the state. A field that does not fit its type falls back and is counted as a problem."""

    model_config = ConfigDict(
        extra="allow", frozen=True, strict=True, alias_generator=to_camel, populate_by_name=True, allow_inf_nan=False
    )

    @field_validator("*", mode="wrap")
    @classmethod
    def _fall_back(cls, value: Any, valid: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        try:
            return valid(value)
        except ValidationError:
            field = cls.model_fields[str(info.field_name)]
            if field.is_required():
                raise
            _problems(info).append(f"{cls.__name__.lower()}.{field.alias}")
            return field.get_default(call_default_factory=True)

    def to_json(self) -> JsonObject:
        """What was read, unknown keys included."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


def _problems(info: ValidationInfo) -> list[str]:
    return info.context if isinstance(info.context, list) else []


def _as_in_the_room(name: str) -> AfterValidator:
    """What the room's state accepts for the field `name`, and nothing else."""

    def check(value: object) -> Any:
        try:
            return checked(name, value)
        except WireError as exc:
            raise ValueError(str(exc)) from exc

    return AfterValidator(check)


class Music(Block):
    tempo: Annotated[float, _as_in_the_room("tempo")] = 120.0
    key: Annotated[str, _as_in_the_room("key")] = "C"
    scale: Annotated[str, _as_in_the_room("scale")] = "major"
    color_mode: Annotated[str, _as_in_the_room("colorMode")] = "chromatic"
    master_volume: Annotated[float, Field(ge=0, le=1)] = 0.8
    is_playing: bool = False


class Module(Block):
    """One loaded module; `settings` are its own business."""

    instance_id: Line
    module_id: Line
    label: Line = ""
    color: Line = ""
    settings: dict[str, Any] | None = None


class Studio(Block):
    loaded_modules: tuple[Module, ...] = ()
    active_module_id: Line | None = None

    @field_validator("loaded_modules", mode="before")
    @classmethod
    def _usable(cls, value: Any, info: ValidationInfo) -> Any:
        """The modules that can be read; the others are a problem, not an end."""
        if not isinstance(value, list):
            return value
        usable = []
        for number, entry in enumerate(value[:MOST_MODULES]):
            try:
                usable.append(Module.model_validate(entry, context=info.context))
            except ValidationError:
                _problems(info).append(f"studio.loadedModules[{number}]")
        if len(value) > MOST_MODULES:
            _problems(info).append("studio.loadedModules")
        return tuple(usable)


class Midi(Block):
    input_device: Line | None = None
    output_device: Line | None = None
    connected: bool = False


class Wled(Block):
    devices: tuple[JsonObject, ...] = ()
    active_device_id: Line | None = None

    @field_validator("devices", mode="before")
    @classmethod
    def _objects(cls, value: Any) -> Any:
        return tuple(entry for entry in value if isinstance(entry, dict)) if isinstance(value, list) else value


class Hardware(Block):
    midi: Midi = Midi()
    wled: Wled = Wled()


class Metadata(Block):
    session_name: Line | None = None
    host_user_id: Line | None = None
    participant_count: Count = 1
    total_state_changes: Count = 0
    duration_minutes: Count = 0
    updated_at: Line | None = None
    revision: Count = 0


class SessionState(Block):
    """The whole."""

    music: Music = Music()
    studio: Studio = Studio()
    hardware: Hardware = Hardware()
    metadata: Metadata = Metadata()

    _problems: tuple[str, ...] = PrivateAttr(default=())

    @property
    def problems(self) -> tuple[str, ...]:
        """Paths of what could not be read and fell back."""
        return self._problems

    @property
    def modules_damaged(self) -> bool:
        return any(problem.startswith(("studio", "module", "sessionstate.studio")) for problem in self._problems)

    def with_problems(self, problems: list[str]) -> Self:
        self._problems = tuple(problems)
        return self


def parse(state: Mapping[str, Any]) -> SessionState:
    """The state of one row; a flat one `{tempo, isPlaying}` of an older app is read as its music.

    Raises:
        WireError: it is no session at all, as `{"invalid": true}`.
    """
    if not isinstance(state.get("music"), dict):
        state = _from_flat(state)
    problems: list[str] = []
    try:
        return SessionState.model_validate(dict(state), context=problems).with_problems(problems)
    except (ValidationError, RecursionError) as exc:
        raise WireError("a session's state cannot be read") from exc


def revision(state: Mapping[str, Any]) -> int | None:
    """`metadata.revision`, or None where an older app wrote the row."""
    metadata = state.get("metadata")
    number = metadata.get("revision") if isinstance(metadata, dict) else None
    return number if isinstance(number, int) and not isinstance(number, bool) else None


def _from_flat(state: Mapping[str, Any]) -> JsonObject:
    music = {key: state[key] for key in MUSIC_KEYS if key in state}
    if not {"tempo", "isPlaying"} & music.keys() or "music" in state:
        raise WireError("a session's state without music")
    return {**{key: value for key, value in state.items() if key not in MUSIC_KEYS}, "music": music}
