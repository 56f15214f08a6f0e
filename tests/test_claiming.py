"""Bridges that claim one strip, over a real hub and real sockets."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

from jambridge.claiming import claim
from jambridge.edges import Latest
from jambridge.hub.server import HubServer
from jambridge.light import claims
from jambridge.light.control import LightSettings
from jambridge.light.discovery import Agreement
from jambridge.peers.roles import CLOCK
from jambridge.room.messages import Broadcast
from tests.hub.live import live_hub
from tests.room.live import Seat, at, person, stop, within_patience

STRIP, OTHER = "aaaaaaaaaaaa", "bbbbbbbbbbbb"


class Bridge:
    """A member that would drive `macs`."""

    def __init__(self, hub: HubServer, name: str, *macs: str) -> None:
        self.seat = Seat(at(hub.port), replace(person(name), capabilities=(CLOCK,)))
        self.settings = Latest(LightSettings())
        self.agreement = Agreement(wanted=Latest(frozenset(macs)))
        self._claiming = asyncio.create_task(claim(self.seat.room, self.settings, self.agreement))

    async def until_taken(self, *macs: str) -> None:
        while (taken := self.agreement.taken.value) != frozenset(macs):
            await self.agreement.taken.changed(taken)

    async def leave(self) -> None:
        self._claiming.cancel()
        await stop(self.seat)


def run(scenario: Callable[[HubServer], Awaitable[None]], place: Path) -> None:
    async def with_hub() -> None:
        async with live_hub(place) as hub:
            await scenario(hub)

    within_patience(with_hub)


def test_the_lower_id_drives_and_when_it_leaves_the_other_does(tmp_path: Path) -> None:
    async def scenario(hub: HubServer) -> None:
        ada, bob = Bridge(hub, "Ada", STRIP), Bridge(hub, "Bob", STRIP, OTHER)
        await bob.until_taken(STRIP)
        assert ada.agreement.taken.value == frozenset()
        await ada.leave()
        await bob.until_taken()
        await bob.leave()

    run(scenario, tmp_path)


def test_who_comes_later_and_who_switches_the_lights_off_are_heard_at_once(tmp_path: Path) -> None:
    async def scenario(hub: HubServer) -> None:
        bob = Bridge(hub, "Bob", STRIP)
        await bob.seat.sees("Bob")
        ada = Bridge(hub, "Ada", STRIP)
        await bob.until_taken(STRIP)
        ada.settings.set(replace(ada.settings.value, mode="off"))
        await bob.until_taken()
        ada.settings.set(replace(ada.settings.value, mode="local"))
        await bob.until_taken(STRIP)
        ada.agreement.wanted.set(frozenset({OTHER}))
        await bob.until_taken(OTHER)
        await ada.leave()
        await bob.leave()

    run(scenario, tmp_path)


def test_nonsense_is_counted_and_changes_nothing(tmp_path: Path) -> None:
    async def scenario(hub: HubServer) -> None:
        ada, bob = Bridge(hub, "Ada", STRIP), Bridge(hub, "Bob", STRIP)
        await bob.until_taken(STRIP)
        for told, macs in enumerate((None, ["x"], [7], [STRIP] * 65), 1):  # of two that wait the newer would be enough
            ada.seat.room.broadcast(Broadcast(claims.EVENT, {"macs": macs}))
            while bob.seat.room.dropped["malformed"] < told:  # noqa: ASYNC110  it has no event
                await asyncio.sleep(0.01)
        assert bob.agreement.taken.value == frozenset({STRIP})
        await ada.leave()
        await bob.leave()

    run(scenario, tmp_path)
