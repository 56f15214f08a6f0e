"""What the wiring has made: the edges, and the services that others ask while they run."""

from dataclasses import dataclass

from jambridge.audio.card.control import PlaybackReport, PlaybackSettings
from jambridge.audio.card.service import CardService
from jambridge.audio.feed import Feeds
from jambridge.broadcasting import Broadcasting
from jambridge.edges import Latest
from jambridge.hub_host import HubAddress
from jambridge.instruments import Instruments
from jambridge.light.control import Report
from jambridge.light.discovery import Agreement, Discovery
from jambridge.light.process import Lights
from jambridge.light.wled import Controller
from jambridge.lighting import Lighting
from jambridge.peers.mesh import Mesh
from jambridge.room.edges import Address, RoomEdges
from jambridge.services import Running
from jambridge.sound import Sound
from jambridge.status.alerts import Alerts
from jambridge.store.merging import Setup
from jambridge.store.remote import Endpoint
from jambridge.store.service import Saver
from jambridge.sync.service import Sync
from jambridge.together import Together

LineOut = CardService[PlaybackSettings, PlaybackReport]


@dataclass(frozen=True, slots=True)
class Edges:
    """What the services pass each other; all of it outlives them."""

    feeds: Feeds
    room: RoomEdges
    hub: Latest[HubAddress | None]
    lan: Latest[Address | None]
    remote: Latest[Endpoint | None]
    controllers: Latest[tuple[Controller, ...]]
    lighting: Lighting
    watched: Latest[bool]
    """Whether anybody looks at the page."""
    strips: Latest[bytes]
    """While somebody does: what each shows, as `control.previews` has it."""
    agreement: Agreement
    setup: Latest[Setup]
    sound: Sound
    alerts: Alerts


@dataclass(frozen=True, slots=True)
class Box:
    light: Running[Lights]
    discovery: Running[Discovery]
    mesh: Running[Mesh]
    store: Running[Saver]
    line_out: Running[LineOut] | None
    sync: Sync
    broadcasting: Broadcasting
    together: Together
    instruments: Instruments

    def light_report(self) -> Report | None:
        return self.light.present.report if self.light.present else None
