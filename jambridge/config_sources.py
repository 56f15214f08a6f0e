"""Where configuration comes from, and every problem at once with its line. Pure.

Order: defaults, the YAML file, `JAMBRIDGE_SECTION__KEY` in the environment, flags.
"""

import difflib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from jambridge.config import Config
from jambridge.errors import ConfigError

MAX_BYTES = 256 * 1024
ENVIRONMENT_PREFIX = "JAMBRIDGE_"
Path = tuple[str | int, ...]
_SECRETS = ("ice_servers", "credential", "anon_key")  # what was written there, or below, is not repeated
_ALIASES = {  # what browser apps call these
    "SUPABASE_URL": ("supabase", "url"),
    "SUPABASE_ANON_KEY": ("supabase", "anon_key"),
    "VITE_SUPABASE_URL": ("supabase", "url"),
    "VITE_SUPABASE_ANON_KEY": ("supabase", "anon_key"),
}
_SENTENCES = {  # by pydantic's type of error
    "literal_error": "must be {expected}, not {given}",
    "model_type": "must be a section with keys, not {given}",
    "model_attributes_type": "must be a section with keys, not {given}",
    "dict_type": "must be a section with keys, not {given}",
    "list_type": "must be a list, as [{given}]",
    "too_long": "must have at most {max_length} entries, not {actual_length}",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must be a MAC address, as a4:cf:12:34:56:78, not {given}",  # nothing else has one
    "int_type": "must be a whole number, not {given}",
    "int_parsing": "must be a whole number, not {given}",
    "int_from_float": "must be a whole number, not {given}",
    "float_type": "must be a number, not {given}",
    "float_parsing": "must be a number, not {given}",
    "bool_type": "must be true or false, not {given}",
    "bool_parsing": "must be true or false, not {given}",
}


@dataclass(slots=True)
class Source:
    """Values of one origin, and where each was written: path → 'config.yaml:4'."""

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[Path, str] = field(default_factory=dict)


def from_yaml(text: str, name: str) -> Source:
    """Values and lines of one file.

    Raises:
        ConfigError: not YAML, not a mapping, an alias (a small file can expand into gigabytes), a key twice.
    """
    if len(text) > MAX_BYTES:
        raise ConfigError(f"{name}: larger than {MAX_BYTES // 1024} KiB")
    source = Source()
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, yaml.SafeLoader)):
            raise ConfigError(f"{name}: aliases (*name) are not accepted")
        root = yaml.compose(text, yaml.SafeLoader)
        values = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as exc:
        mark = getattr(exc, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise ConfigError(f"{name}{line}: not YAML: {getattr(exc, 'problem', None) or exc}") from exc
    if values is None:
        return source
    if not isinstance(values, dict) or root is None:
        raise ConfigError(f"{name}:1: must be 'section:' lines with 'key: value' below them")
    twice = _place(root, (), name, source.origins)
    if twice:
        raise ConfigError("\n".join(twice))
    source.values = values
    return source


def from_environment(environment: Mapping[str, str]) -> Source:
    """`JAMBRIDGE_HUB__PORT=3005` and the names that browser apps use for Supabase; values are read as YAML scalars."""
    source = Source()
    for alias, (section, key) in _ALIASES.items():
        if environment.get(alias):
            _put(source, (section, key), environment[alias], alias)
    for name, text in sorted(environment.items()):
        section, separator, key = name.removeprefix(ENVIRONMENT_PREFIX).lower().partition("__")
        if name.startswith(ENVIRONMENT_PREFIX) and separator and section and key:
            _put(source, (section, key), _scalar(text), name)
    return source


def from_flags(flags: Mapping[tuple[str, str], tuple[str, Any]]) -> Source:
    """`{("room", "code"): ("--room", "ABC123")}`; None means the flag was not given."""
    source = Source()
    for (section, key), (flag, value) in flags.items():
        if value is not None:
            _put(source, (section, key), value, flag)
    return source


def build(*sources: Source) -> Config:
    """The configuration in force; later sources win.

    Raises:
        ConfigError: every problem at once, one a line, each with where it was written.
    """
    values: dict[str, Any] = {}
    origins: dict[Path, str] = {}
    for source in sources:
        for section, entries in source.values.items():
            if isinstance(entries, dict) and isinstance(values.get(section), dict):
                values[section] = {**values[section], **entries}
            elif entries is not None:  # an empty section is its defaults
                values[section] = entries
        origins.update(source.origins)
    try:
        return Config.model_validate(values)
    except ValidationError as exc:
        raise ConfigError("\n".join(_problems(exc, origins))) from exc


def dump(config: Config) -> str:
    """As YAML, secrets masked (pydantic prints SecretStr as asterisks)."""
    return yaml.safe_dump(json.loads(config.model_dump_json()), sort_keys=False, allow_unicode=True)


def _put(source: Source, path: tuple[str, str], value: Any, origin: str) -> None:
    source.values.setdefault(path[0], {})[path[1]] = value
    source.origins[path] = origin


def _scalar(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):
        return text


def _place(node: yaml.Node, path: Path, name: str, origins: dict[Path, str]) -> list[str]:
    """Write down the line of every path below `node`; returns a sentence for each key written twice."""
    twice: list[str] = []
    children: list[tuple[str | int, yaml.Node, yaml.Node]] = []
    if isinstance(node, yaml.MappingNode):
        children = [(str(key.value), key, value) for key, value in node.value]
    elif isinstance(node, yaml.SequenceNode):
        children = [(index, value, value) for index, value in enumerate(node.value)]
    for step, mark, child in children:
        below = (*path, step)
        where = f"{name}:{mark.start_mark.line + 1}"
        if below in origins:
            twice.append(f"{where}: {_dotted(below)}: written twice (first at {origins[below]})")
        origins[below] = where
        twice += _place(child, below, name, origins)
    return twice


def _problems(exc: ValidationError, origins: Mapping[Path, str]) -> Iterator[str]:
    problems = []
    for error in exc.errors(include_url=False):
        path = tuple(step for step in error["loc"] if not (isinstance(step, str) and step.startswith("function-")))
        known = max((end for end in range(len(path) + 1) if path[:end] in origins), default=0)
        where = origins.get(path[:known])
        # A union names its branches behind the key that was written: those are not the reader's business.
        path = path[:known] if known else path
        problems.append((where or "", f"{where + ': ' if where else ''}{_dotted(path)}: {_sentence(error, path)}"))
    seen: set[str] = set()
    for _, line in sorted(problems, key=lambda problem: _line_number(problem[0])):
        if line not in seen:
            seen.add(line)
            yield line


def _line_number(where: str) -> int:
    tail = where.rpartition(":")[2]
    return int(tail) if tail.isdigit() else 0


def _sentence(error: Any, path: Path) -> str:
    hidden = set(_SECRETS) & set(error["loc"]) or isinstance(error["input"], dict | list)
    given = "…" if hidden else json.dumps(error["input"], default=str)[:60]
    match error["type"]:
        case "extra_forbidden":
            guess = difflib.get_close_matches(str(path[-1]), _keys_beside(path), n=1, cutoff=0.5)
            return f"unknown key{f' (did you mean {guess[0]!r}?)' if guess else ''}"
        case "string_type":
            return f'must be text: write it in quotes, as "{given.strip(chr(34))}"'
        case "missing":
            return f"{error['loc'][-1]} is missing"
        case "value_error":
            return str(error["ctx"]["error"])
        case known if known in _SENTENCES:
            return _SENTENCES[known].format(given=given, **error.get("ctx", {}))
    message = error["msg"].removeprefix("Input should be ")
    return f"must be {message}, not {given}" if message != error["msg"] else f"{message}, not {given}"


def _keys_beside(path: Path) -> list[str]:
    """The keys that could stand where the last one of `path` does."""
    model: type[BaseModel] = Config
    for step in path[:-1]:
        entry = model.model_fields.get(str(step))
        inner = _section(entry.annotation) if entry else model if isinstance(step, int) else None
        if inner is None:
            return []
        model = inner
    return list(model.model_fields)


def _section(annotation: Any) -> type[BaseModel] | None:
    """The section that a key holds, alone or as a list's entries."""
    kinds = (annotation, *getattr(annotation, "__args__", ()))
    return next((kind for kind in map(_bare, kinds) if isinstance(kind, type) and issubclass(kind, BaseModel)), None)


def _bare(annotation: Any) -> Any:
    return annotation.__origin__ if hasattr(annotation, "__metadata__") else annotation


def _dotted(path: Path) -> str:
    return ".".join(f"[{step}]" if isinstance(step, int) else str(step)[:60] for step in path).replace(".[", "[")
