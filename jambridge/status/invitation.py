"""How others get in: room, link and QR code, for a terminal."""

import io
import logging
import os
import sys
from contextlib import suppress

import segno

from jambridge.units import RoomCode

log = logging.getLogger(__name__)


def link(base: str, code: RoomCode) -> str:
    return f"{base.rstrip('/')}/jam/{code}"


def card(code: RoomCode, url: str) -> str:
    """The room, its link and the link's QR code, as lines to print."""
    drawn = io.StringIO()
    segno.make_qr(url, error="l").terminal(drawn, border=2, compact=True)
    return f"\n  Room   {code}\n  Link   {url}\n{drawn.getvalue()}"


def invite(code: RoomCode, url: str | None) -> None:
    """Print room and link; the QR code where somebody may look at it. A terminal that is gone is no reason to end."""
    line = f"Room {code}" + (f", link {url}" if url else "") + "\n"
    try:
        if url is None or os.environ.get("JOURNAL_STREAM"):
            sys.stdout.write(line)
        else:
            sys.stdout.write(card(code, url))
    except UnicodeEncodeError:
        sys.stdout.write(line)
    except OSError as exc:
        log.warning("nobody reads our output: %s error=%s", line.strip(), exc.strerror)
    with suppress(OSError):
        sys.stdout.flush()
