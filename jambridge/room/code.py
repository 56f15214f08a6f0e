"""Room codes: generated strictly, accepted generously. Pure but for the randomness handed in."""

import re
import secrets

from jambridge.errors import Text, UsageError
from jambridge.units import RoomCode

ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # no I, O, 0, 1: they are read aloud and typed on phones
_ACCEPTED = re.compile(r"[A-Z0-9]{6}|(?=.{4,10}\Z)[A-Z]{2,8}-[0-9]{1,2}")


def generate() -> RoomCode:
    return RoomCode("".join(secrets.choice(ALPHABET) for _ in range(6)))


def parse(text: str) -> RoomCode:
    """The code that a person meant, whatever its case and spaces.

    Raises:
        UsageError: this cannot be a room code.
    """
    code = "".join(text.split()).upper()
    if not _ACCEPTED.fullmatch(code):
        raise UsageError(f"{Text.INVALID_CODE}: {text[:40]!r} (six letters or digits as in ABC123, or WORD-42)")
    return RoomCode(code)
