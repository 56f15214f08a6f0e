"""How others get in: room, link and QR code, for a terminal. Pure."""

import io

import segno

from jambridge.units import RoomCode


def link(base: str, code: RoomCode) -> str:
    return f"{base.rstrip('/')}/jam/{code}"


def card(code: RoomCode, url: str) -> str:
    """The room, its link and the link's QR code, as lines to print."""
    drawn = io.StringIO()
    segno.make_qr(url, error="l").terminal(drawn, border=2, compact=True)
    return f"\n  Room   {code}\n  Link   {url}\n{drawn.getvalue()}"
