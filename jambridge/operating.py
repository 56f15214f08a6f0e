"""The box as whoever operates it sees it: what it says of itself, and what may be changed over HTTP."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from jambridge import instruments, keeping, sections, sound, stopping
from jambridge.box import Box, Edges
from jambridge.config import Config
from jambridge.errors import LinkError, Text, WireError
from jambridge.light import patterns
from jambridge.peers.trouble import Trouble
from jambridge.room.edges import SUPABASE
from jambridge.room.messages import MAX_TEXT, Participant
from jambridge.services import Services
from jambridge.status import audio, invitation, snapshot
from jambridge.status.access import Access
from jambridge.status.control import Adjustable, Control, Room
from jambridge.status.live import Live
from jambridge.status.pages import Pages
from jambridge.status.server import StatusServer
from jambridge.strict_json import JsonObject
from jambridge.supervise import State
from jambridge.units import LocalSeconds, RoomCode

LIGHT_SILENT_S = 3.0


@dataclass(frozen=True, slots=True)
class Operating:
    """`next_session` gets the session that somebody wants to go on with; `may_meet`: there may be a hub."""

    config: Config
    code: RoomCode
    me: Participant
    edges: Edges
    box: Box
    services: Services
    next_session: asyncio.Future[RoomCode]
    may_meet: bool
    started_s: float

    def server(self, http_token: str | None) -> StatusServer:
        edges, box = self.edges, self.box
        room = Room(
            lambda: edges.room.state.value,
            edges.room.change_all,
            stopping.stop,
            partial(keeping.sessions, box.store),
            self._stats,
            self._resume_next,
        )
        control = Control(
            room,
            Adjustable(lambda: sound.describe(edges.sound, self._others()), self._set_volumes),
            try_light=self._try_light,
            lighting=Adjustable(edges.lighting.describe, edges.lighting.change),
            panic=box.instruments.bridge.panic,
        )
        access = Access(http_token, sections.hosts(self.config.http))
        return StatusServer(
            self._status,
            self.faults,
            lambda: edges.room.view.value.connection == "connected",
            access,
            Live(self._status, edges.watched, edges.strips, urgent=edges.room.state),
            [*control.routes(), *Pages(access, self._link).routes()],
        )

    def faults(self) -> dict[str, str]:
        """What does not tick. A dead network is none: starting again would not mend it."""
        light, mesh = self.box.light.present, self.box.mesh
        ticking = light is not None and light.silent_s is not None and light.silent_s < LIGHT_SILENT_S
        late = {} if ticking else {"light": "does not tick"}
        return late if mesh.health.state == State.RUNNING else late | {"mesh": "is not running"}

    def trouble(self, trouble: Trouble) -> Mapping[Text, str]:
        """With the musicians' sound: what is to be told, and why."""
        mesh, now = self.box.mesh.present, LocalSeconds(time.monotonic())
        return trouble.look(sound.peers(self.edges.sound, mesh), mesh.ice_servers.errors, now) if mesh else {}

    def _status(self) -> JsonObject:
        edges, box = self.edges, self.box
        room, now = edges.room, LocalSeconds(time.monotonic())
        quota = (room.seat(SUPABASE).quota, now) if self.config.supabase.url else None
        report, controllers = box.light_report(), edges.controllers.value
        found = box.discovery.present.found.value if box.discovery.present else ()
        return snapshot.whole(
            now - self.started_s,
            room=snapshot.room(
                self.code,
                self._link(),
                room.view.value,
                self.me.id,
                room.dropped,
                quota=quota,
                may_meet=self.may_meet,
                may_change=room.sharing.may_change,
            ),
            services=snapshot.services(self.services.health),
            state=snapshot.state(room.state.value),
            clock=snapshot.clock(box.sync.report.value, now),
            store=snapshot.store(box.store.present.report if box.store.present else None),
            audio=audio.section(box.mesh.present, edges.sound),
            notes=snapshot.notes(report),
            light=snapshot.light(edges.lighting.settings.value.mode, found, report)
            | edges.lighting.section(controllers)
            | box.together.section(),
            midi=instruments.section(box.instruments, room.name_of),
            alerts=snapshot.alerts(edges.alerts.active()),
        )

    def _stats(self) -> JsonObject:
        return snapshot.stats(self.edges.room.view.value, self.services.health, time.monotonic() - self.started_s)

    def _link(self) -> str | None:
        return invitation.known_link(self.config.share.base_url, self.edges.hub.value, self.code)

    def _others(self) -> frozenset[str]:
        """Their names."""
        return frozenset(member.name for member in self.edges.room.members.value if member.id != self.me.id)

    def _set_volumes(self, wanted: JsonObject) -> None:
        """Raises WireError for what makes no sense."""
        sound.change(self.edges.sound, wanted)
        keeping.set_volume(self.edges.sound, self.edges.setup)

    def _try_light(self, wanted: JsonObject) -> JsonObject:
        """Raises WireError for what makes no sense, LinkError where it cannot be now."""
        name, pattern = wanted.get("controller"), patterns.named(wanted.get("pattern"))
        if not isinstance(name, str) or not 0 < len(name) <= MAX_TEXT:
            raise WireError("controller is a name, a MAC or an address")
        lights, discovery = self.box.light.present, self.box.discovery.present
        if lights is None or discovery is None:
            raise LinkError("the lights are just starting")
        controller = discovery.way_to(name)
        lights.show_pattern(controller, pattern)
        return {
            "controller": controller.name,
            "mac": controller.mac,
            "pattern": pattern,
            "seconds": patterns.LASTS_S[pattern],
        }

    async def _resume_next(self, wanted: str) -> str:
        found = await keeping.resumable(self.box.store, wanted)
        if not self.next_session.done():  # a second wish while the first is on its way
            self.next_session.set_result(found)
        return found
