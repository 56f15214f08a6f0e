"""Broadcast mode: the host tells its colours, and who wants them shows them.

A host in `broadcast` tells always, one in `auto` while somebody asks.
"""

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import replace

from jambridge.edges import Latest
from jambridge.errors import WireError
from jambridge.light import shared
from jambridge.light.control import LightSettings, Picture, Report
from jambridge.light.discovery import Agreement
from jambridge.light.shared import Led
from jambridge.light.syncmode import Condition, SyncMode, Wanted
from jambridge.peers import roles
from jambridge.room.budget import LED_EVENT, LED_PERIOD_S
from jambridge.room.edges import SUPABASE, RoomEdges
from jambridge.room.messages import Broadcast
from jambridge.strict_json import JsonObject
from jambridge.units import LocalSeconds, PeerId

LOOK_S = 0.2
_RESTARTED = 1000  # a sequence that is so far back is a host that began anew
SILENT_S = 1.0  # a source that says nothing for so long does not arrive
_BRIDGE = "jambridge/"  # how the `client` of one begins, in presence


class Broadcasting:
    def __init__(
        self,
        wanted: Callable[[], Wanted],
        room: RoomEdges,
        settings: Latest[LightSettings],
        agreement: Agreement,
        send: Callable[[PeerId, str], bool],
        max_peers: int,
    ) -> None:
        """`wanted` may change; `send`: a text over a peer's `sync` channel, False where there is none.

        `max_peers`: players beside us.
        """
        self.given: Latest[Picture | None] = Latest(None)
        self._wanted = wanted
        self.dropped = 0
        self._mode = SyncMode(wanted())
        self._room = room
        self._settings = settings
        self._agreement = agreement
        self._send = send
        self._max_peers = max_peers
        self._sequence = 0
        self._newest = -1
        self._host: PeerId | None = None
        self._heard_at = -math.inf
        room.readers[LED_EVENT] = self.hear_payload

    def tell(self, picture: Picture) -> None:
        """Ours, to everyone: over data channels, and through the room to whom these do not reach."""
        view = self._room.view.value
        if view.host != self._room.me:
            return
        self._sequence += 1
        led = Led(shared.from_text(picture.rgb), self._sequence, picture.at_s)
        text = shared.encode_text(led)
        others = [member.id for member in view.members if member.id != self._room.me]
        reached = [self._send(peer, text) for peer in others]
        if not all(reached):
            self._room.broadcast(Broadcast(LED_EVENT, shared.payload(led)))

    def hear_text(self, peer: PeerId, text: str) -> None:
        """One text of the `sync` channel, of whatever type; nothing is raised."""
        if '"led"' not in text:
            return
        try:
            if found := shared.decode_text(text):
                self._take(peer, found, fade_s=0.0)
        except WireError:
            self.dropped += 1

    def hear_payload(self, said: JsonObject, sender: PeerId) -> None:
        """Raises WireError for what is no `led-update`."""
        is_hosted = SUPABASE in self._room.view.value.seats
        fade_s = LED_PERIOD_S if is_hosted else 0.0
        self._take(sender or self._nameless(), shared.parse_payload(said), fade_s=fade_s)

    async def keep(self, report: Callable[[], Report | None]) -> None:
        """Look again and again at how the light does."""
        while True:
            self.look(report(), LocalSeconds(time.monotonic()))
            await asyncio.sleep(LOOK_S)

    def look(self, report: Report | None, now: LocalSeconds) -> None:
        """Decide anew whose colours are shown."""
        self._mode.wanted = self._wanted()
        view = self._room.view.value
        is_host = view.host == self._room.me
        host_sent_s = now - self._heard_at if view.host == self._host else math.inf
        in_force = self._mode.choose(self._condition(report), now, is_host=is_host, host_sent_s=host_sent_s)
        self._agreement.asks.set(not is_host and self._mode.asks(now))
        tells = self._mode.wanted == "broadcast" or (self._mode.wanted == "auto" and self._agreement.is_asked.value)
        shares = is_host and tells and len(view.members) > 1
        before = self._settings.value
        self._settings.set(replace(before, mode=in_force, shares=shares))

    def _nameless(self) -> PeerId:
        """Who leaves out who it is: the only member that is no bridge; nobody where there are more, or none."""
        others = [member.id for member in self._room.view.value.members if not member.client.startswith(_BRIDGE)]
        return others[0] if len(others) == 1 else PeerId("")

    def _take(self, sender: PeerId, led: Led, *, fade_s: float) -> None:
        """The host's only, and none that is older than what came another way."""
        host = self._room.view.value.host
        if sender != host or sender == self._room.me:
            self.dropped += 1
            return
        number = led.sequence
        if host == self._host and number is not None and 0 <= self._newest - number < _RESTARTED:
            return
        self._host, self._newest, self._heard_at = host, -1 if number is None else number, time.monotonic()
        self.given.set(Picture(shared.as_text(led.colours), fade_s, led.at_s))

    def _condition(self, report: Report | None) -> Condition:
        if report is None:
            return Condition()
        playing = roles.players(self._room.view.value.members, self._max_peers) - {self._room.me}
        arriving = {source.id for source in report.sources if source.age_s < SILENT_S}
        return Condition(report.ticks, report.late_ticks, playing <= arriving)
