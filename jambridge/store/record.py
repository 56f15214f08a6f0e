"""One row of `sessions`: code, creation and state, in and out of text. Pure."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from jambridge import strict_json
from jambridge.errors import WireError
from jambridge.strict_json import JsonObject

LARGE_BYTES = 16 * 1024
"""Worth a warning: a session is about 5 KB."""
MAX_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """`id` is the room's code; `state` is the JSON object as it was stored, unknown keys and all."""

    id: str
    created_at: datetime
    updated_at: datetime
    state: JsonObject


def to_json(one: SessionRecord) -> JsonObject:
    """As PostgREST answers it."""
    return {"id": one.id, "created_at": to_text(one.created_at), "state": one.state}


def encode(state: JsonObject) -> str:
    """`state` as compact JSON.

    Raises:
        WireError: over MAX_BYTES, or no JSON (a NaN, half a character, too deep to be read again).
    """
    try:
        text = json.dumps(state, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        size = len(text.encode())
    except (ValueError, TypeError, RecursionError) as exc:
        raise WireError(f"a session's state is not JSON: {str(exc)[:80]}") from exc
    if size > MAX_BYTES:
        raise WireError(f"a session's state of {size} bytes is more than {MAX_BYTES}")
    decode(text)  # what could not be read again is not stored
    return text


def decode(text: object) -> JsonObject:
    """The state in a row; WireError for anything but the text of one JSON object."""
    if not isinstance(text, str):
        raise WireError(f"a session's state is no text but {type(text).__name__}")
    return strict_json.loads_object(text.encode(errors="replace"), MAX_BYTES)


def to_text(moment: datetime) -> str:
    """ISO 8601 in UTC with microseconds, so that texts sort as the moments do."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def to_moment(text: object) -> datetime:
    """A time as PostgREST or we write it.

    Raises:
        WireError: it is none, or bears no time zone.
    """
    try:
        moment = datetime.fromisoformat(str(text)[:40])
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError) as exc:
        raise WireError(f"not a time: {str(text)[:40]!r}") from exc
    raise WireError(f"a time without a zone: {str(text)[:40]!r}")
