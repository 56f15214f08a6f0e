"""What kind of key that is, before it is sent anywhere. Pure.

A project's public key is limited by row-level security; its secret keys pass by it, and do not belong in a box that
stands in a rehearsal room. A JSON Web Token (RFC 7519) says in its second part, unencrypted, whose key it is: that is
read here, not verified.
"""

import base64
import re

from jambridge import strict_json
from jambridge.errors import WireError
from jambridge.strict_json import JsonObject

MAX_CHARACTERS = 4096
PUBLISHABLE = "sb_publishable_"
INSTEAD = "use the public one, anon or sb_publishable_…, from the project's settings under API keys"

_WHY_NOT = "it passes by every row-level security rule"
_PREFIXES = {
    "sb_secret_": f"this is the project's secret key: {_WHY_NOT}",
    "sbp_": "this is an access token for the whole Supabase account",
}
_NONE_AT_ALL = {
    r"(?s)\s*": "it is empty",
    r"(?s).*[\"'`].*": "there are quotation marks in it",
    r"(?s)Bearer\s.*": "leave out the word Bearer",
    r"(?s).*\s.*": "there are blanks or line breaks in it",
    r"\w+://.*": "this is an address",
    r"\w+=.*": "leave out the name before the equals sign",
    r"(?s).*[^!-~].*": "there are characters in it that no key has",
}
_TOKEN = re.compile(r"([\w-]+)\.([\w-]+)\.([\w-]*)", re.ASCII)
_BEGINNING = "eyJ"  # {" in base64


def check(key: str) -> str | None:
    """Why this key must not be used, and what to use instead; None for one that may.

    A key of no known kind may: a hub takes any.
    """
    reason = _reason(key)
    return reason and f"{reason}; {INSTEAD}"


def is_public(key: str) -> bool:
    """Surely a project's public key, and not merely none that is refused."""
    return check(key) is None and (key.startswith(PUBLISHABLE) or claims(key) is not None)


def claims(key: str) -> JsonObject | None:
    """What a JSON Web Token says of itself, unverified; None if it is none."""
    token = _TOKEN.fullmatch(key[: MAX_CHARACTERS + 1])
    if token is None:
        return None
    payload = token[2]
    try:
        return strict_json.loads_object(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)), MAX_CHARACTERS)
    except (ValueError, WireError):
        return None


def _reason(key: str) -> str | None:
    if len(key) > MAX_CHARACTERS:
        return "this is no key: it is too long"
    for pattern, why in _NONE_AT_ALL.items():
        if re.fullmatch(pattern, key):
            return f"this is no key: {why}"
    for prefix, why in _PREFIXES.items():
        if key.startswith(prefix):
            return why
    said = claims(key)
    if said is not None:
        return _role_reason(said.get("role"))
    return "this key is damaged: copy it whole" if key.startswith(_BEGINNING) else None


def _role_reason(role: object) -> str | None:
    """Only `anon` is let through, so that no new name for a secret key slips by."""
    match role:
        case "anon":
            return None
        case "service_role":
            return f"this is the service_role key: {_WHY_NOT}"
        case "authenticated":
            return "this is somebody's sign-in, which expires"
        case _:
            return "this is no public key: its role is not anon"
