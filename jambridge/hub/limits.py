"""How much the hub takes from whom, and how long it waits. Pure: time is a parameter."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Rates are per second.

    The most that one of ours sends is 80 messages: a host's 60 `led-update` and 20 others. Five seconds of them,
    stalled on the way, arrive at once and still pass. In a full room the nine others add 20 each.
    """

    max_members: int = 10
    """Distinct presence keys in a room; a key's second socket is a reconnection, not another member."""
    max_rooms: int = 500
    """At once. How fast rooms are made is bounded by `join_rate` and by how many sockets an address may have."""
    max_topics: int = 8
    """Rooms that one socket may be in."""
    max_presence_bytes: int = 8192
    message_rate: float = 100.0
    """Broadcasts of a socket; beyond it its channel is closed, as hosted Supabase does."""
    message_burst: float = 400.0
    presence_calls: int = 5
    """Track and untrack in `presence_window_s` after a join; beyond it the channel is closed, as hosted."""
    presence_window_s: float = 30.0
    join_rate: float = 1.0
    """Joins of a socket, so that one closed for its flood cannot go on by joining anew."""
    join_burst: float = 16.0
    room_rate: float = 300.0
    """Broadcasts in a room; beyond it they are dropped, whoever sends them."""
    room_burst: float = 900.0
    frame_rate: float = 200.0
    """Any frames of a socket, broken ones and heartbeats counted; beyond it the socket is closed."""
    frame_burst: float = 600.0
    byte_rate: float = 512 * 1024
    """What a socket sends; beyond it it is closed. The worst half a megabyte keeps the parser busy for 70 ms; the LEDs
    of a host are 200 KiB a second."""
    byte_burst: float = 2 * 1024 * 1024
    address_byte_rate: float = 1024 * 1024
    """What an address sends by all its connections, of any protocol; beyond it they are cut off one by one."""
    address_byte_burst: float = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds that a connection may take, and what may wait for it."""

    first_request_s: float = 10.0
    join_s: float = 5.0
    idle_s: float = 60.0  # a client's heartbeat comes every 25 s
    unread_s: float = 20.0  # more than 64 KiB are to be sent to it, and it does not read
    waiting_bytes: int = 512 * 1024
    waiting_messages: int = 512
