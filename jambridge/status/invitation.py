"""How others get in: room, link and QR code, for a terminal."""

import io
import logging
import os
import socket
import sys
from contextlib import suppress

import segno

from jambridge.addresses import default_route
from jambridge.hub_host import HubAddress
from jambridge.units import RoomCode

log = logging.getLogger(__name__)


def link(base: str, code: RoomCode) -> str:
    return f"{base.rstrip('/')}/jam/{code}"


def known_link(base: str | None, hub: HubAddress | None, code: RoomCode) -> str | None:
    """Where a browser joins, if that is known: below `base` where one is given, else at the hub's own page."""
    base = base or (hub.page if hub else None)
    return link(base, code) if base else None


def card(code: RoomCode, url: str) -> str:
    """The room, its link and the link's QR code, as lines to print."""
    drawn = io.StringIO()
    segno.make_qr(url, error="l").terminal(drawn, border=2, compact=True)
    return f"\n  Room   {code}\n  Link   {url}\n{drawn.getvalue()}"


def show_way_in(bind: str, port: int, token: str, file: str) -> None:
    """Tell the owner how to open the page from another machine; a journal, which is kept, is not told the token."""
    host = bind if bind not in ("0.0.0.0", "::") else default_route() or socket.gethostname()
    page = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    way = f"{page}/login with the token in {file}" if os.environ.get("JOURNAL_STREAM") else f"{page}/login#{token}"
    with suppress(OSError):
        sys.stdout.write(f"The box's page, for its owner: {way}\n(The token is kept in {file}, and shown this once.)\n")
        sys.stdout.flush()


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
