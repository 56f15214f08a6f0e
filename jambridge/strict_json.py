"""The one JSON parser for everything from outside: bounded, no NaN, no duplicate keys. Pure."""

import json
import math
import re
from typing import Any, NoReturn

from jambridge.errors import WireError

JsonObject = dict[str, Any]
MAX_DEPTH = 12  # a signal is an envelope (3) around an RTCSessionDescriptionInit (2); presence state nests 6
MAX_INTEGER_DIGITS = 20

# Whole strings are tokens, so that their brackets do not count; an unclosed one runs to the end (no backtracking).
_STRUCTURE = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\Z|\\\Z)|[\[{\]}]', re.DOTALL)


def loads(text: str | bytes, max_bytes: int) -> Any:
    """Parse one JSON value.

    Raises:
        WireError: too long, too deep, not JSON, a NaN, a duplicate key. Nothing else is raised.
    """
    if len(text) > max_bytes:
        raise WireError(f"{len(text)} bytes are more than {max_bytes}")
    try:
        _check_depth(text)
        value = json.loads(
            text, parse_constant=_refuse, parse_float=_finite, parse_int=_integer, object_pairs_hook=_unique
        )
        _check_characters(text, value)
    except (ValueError, RecursionError) as exc:
        raise WireError(f"not JSON: {str(exc)[:80]}") from exc
    return value


def loads_object(text: str | bytes, max_bytes: int) -> JsonObject:
    """Parse one JSON object; WireError for anything else."""
    value = loads(text, max_bytes)
    if not isinstance(value, dict):
        raise WireError(f"a JSON object was expected, not {type(value).__name__}")
    return value


def _check_depth(text: str | bytes) -> None:
    """Refuse deep nesting before the parser recurses into it."""
    if isinstance(text, bytes):
        text = text.decode()
    depth = 0
    for token in _STRUCTURE.finditer(text):
        if token[0] in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise WireError(f"nested deeper than {MAX_DEPTH}")
        elif token[0] in "]}":
            depth -= 1


def _check_characters(text: str | bytes, value: Any) -> None:
    """Refuse half characters: they parse, and then fail wherever they are written."""
    lowered = text.lower()
    if "\\ud" in lowered if isinstance(lowered, str) else b"\\ud" in lowered:  # rare enough to write it once more
        json.dumps(value, ensure_ascii=False).encode()


def _refuse(constant: str) -> NoReturn:
    raise WireError(f"{constant} is not JSON")


def _integer(digits: str) -> int:
    if len(digits) > MAX_INTEGER_DIGITS:
        raise WireError(f"an integer of {len(digits)} digits")
    return int(digits)


def _finite(digits: str) -> float:
    """1e999 is JSON, but becomes an infinity that is none any more when sent on."""
    value = float(digits)
    if math.isinf(value):
        raise WireError("a number beyond the range of a float")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> JsonObject:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise WireError("duplicate keys")
    return result
