"""Which WLEDs there are, where they are now, and which of them are driven."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import aiohttp
from zeroconf.asyncio import AsyncZeroconf

from jambridge import addresses
from jambridge.config import ControllerConfig, LightConfig
from jambridge.edges import Latest, values
from jambridge.errors import LinkError, WireError
from jambridge.light import consent, driving, mdns, probe, wled
from jambridge.light.adapting import Adaptation
from jambridge.light.consent import Sighting, Verdict
from jambridge.light.presenting import Delay
from jambridge.light.watch import ABSENT_AFTER, UNASKED, Patience, Watch
from jambridge.light.wled import Controller, Info, Wled

log = logging.getLogger(__name__)

SETTLED_S = 2.0  # mDNS answers come within a second
_KEPT_S = 60.0  # frames go on to one whose server is silent: that alone says little about its strip
_MOST_ANNOUNCED = 64
_MDNS_EVERY_S = 10.0
_PATIENCE = Patience()


@dataclass(frozen=True, slots=True)
class Found:
    """One WLED for the status; `mac` is empty and `pixels` 0 while it was never heard."""

    name: str
    mac: str
    host: str
    pixels: int
    protocol: str
    state: consent.State
    reason: str
    fps_shown: int
    warnings: tuple[str, ...] = ()
    max_fps: float = 0.0
    """Frames a second that it can show."""
    rssi_dbm: int | None = None


@dataclass(frozen=True, slots=True)
class Agreement:
    """With the other bridges of the room: what we say of our lights, and what they do."""

    wanted: Latest[frozenset[str]] = field(default_factory=lambda: Latest(frozenset()))
    """The MACs that we would drive."""
    taken: Latest[frozenset[str]] = field(default_factory=lambda: Latest(frozenset()))
    """Those that one of them drives."""
    delay: Latest[Delay | None] = field(default_factory=lambda: Latest(None))
    """How long after it was played we can show a moment; None where we show all at once."""
    delays_of_others: Latest[tuple[Delay, ...]] = field(default_factory=lambda: Latest(()))
    """Of those that wait for each other."""
    asks: Latest[bool] = field(default_factory=lambda: Latest(False))
    """Whether we ask for the host's colours."""
    is_asked: Latest[bool] = field(default_factory=lambda: Latest(False))


class Discovery:
    """Looks after every WLED; `controllers` are those to be driven."""

    def __init__(
        self,
        section: LightConfig,
        adopted: Callable[[], Collection[str]],
        controllers: Latest[tuple[Controller, ...]],
        zeroconf: AsyncZeroconf | None,
        session: aiohttp.ClientSession,
        patience: Patience,
        sent_fps: Callable[[], Mapping[str, float]],
        agreement: Agreement,
    ) -> None:
        self._section = section
        self._adopted = adopted
        self._controllers = controllers
        self._shared = zeroconf
        self._zeroconf: AsyncZeroconf | None = None
        self._session = session
        self._patience = patience
        self._sent_fps = sent_fps
        self._agreement = agreement
        self._watches: dict[str, Watch] = {}
        self._tasks: asyncio.TaskGroup
        self._settled = section.discover == "off"
        self._ways: dict[str, Controller] = {}
        self._adaptations: dict[str, Adaptation] = {}
        self.found: Latest[tuple[Found, ...]] = Latest(())

    def way_to(self, name: str) -> Controller:
        """How to drive the one of this name, MAC or address, for its owner wants to see it: adopted or not.

        Raises:
            LinkError: there is none, or several, or it is not there, or somebody else streams to it.
        """
        wanted = {name.casefold()}
        with suppress(WireError):
            wanted.add(wled.parse_mac(name))
        called = [one for one in self.found.value if wanted & {one.name.casefold(), one.mac, one.host}]
        if len(called) > 1:
            raise LinkError(
                f"several WLEDs are called {name}: give one's MAC, {' or '.join(one.mac for one in called)}"
            )
        if not called:
            raise LinkError(f"no WLED called {name} was found; found: {', '.join(self._names()) or 'none'}")
        (one,) = called
        if one.state in ("absent", "faulty", "foreign"):
            raise LinkError(f"{one.name}: {one.reason}")
        return self._ways[one.mac]

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            self._tasks = group
            for entry in self._section.controllers:
                if entry.host:
                    self._watch(f"{entry.host}:{entry.http_port}", entry)
            if self._section.discover != "off":
                group.create_task(self._browse())
            await asyncio.sleep(SETTLED_S)
            self._settled = True
            self._decide()
            if not self._watches and self._section.discover != "off":
                log.warning("no WLED found yet: connect one, or name its host under light.controllers")
            async for _ in values(self._agreement.taken):
                self._decide()

    async def _browse(self) -> None:
        """Keep looking, anew on every network that comes up; without one, try again."""
        told = False
        while True:
            network = addresses.local_addresses()
            try:
                async with mdns.open_mdns(self._shared) as zeroconf, mdns.browse(zeroconf, self._announced):
                    self._zeroconf = zeroconf
                    if told:
                        log.info("looking for WLEDs by mDNS again")
                    told = False
                    await addresses.changed(network)
                    continue
            except LinkError as exc:
                if not told:
                    log.warning("only WLEDs with a host in the configuration are used: %s", exc)
                told = True
            finally:
                self._zeroconf = None
            await asyncio.sleep(_MDNS_EVERY_S)

    def _announced(self, name: str, there: bool) -> None:
        watch = self._watches.get(name)
        if watch is None and there and self._has_room():
            self._watch(name, None)
        elif watch is not None:
            watch.left = not there
            watch.news.set()

    def _has_room(self) -> bool:
        """Whether one more announcement can be followed; one that never led to a WLED makes place."""
        announced = {name: watch for name, watch in self._watches.items() if watch.entry is None}
        if len(announced) < _MOST_ANNOUNCED:
            return True
        for name, watch in announced.items():
            if watch.wled is None and watch.failures >= ABSENT_AFTER:
                watch.left = True
                watch.news.set()
                del self._watches[name]
                return True
        return False

    def _watch(self, name: str, entry: ControllerConfig | None) -> None:
        watch = self._watches[name] = Watch(name.removesuffix("." + mdns.SERVICE), entry, self._session, self._patience)
        self._tasks.create_task(self._follow(name, watch))

    async def _follow(self, name: str, watch: Watch) -> None:
        while self._watches.get(name) is watch:
            watch.news.clear()
            try:
                answer = await self._ask(name, watch)
                watch.answered(answer)
                self._adapt(answer.info)
            except (LinkError, WireError) as exc:
                watch.failed(exc)
                if watch.left and watch.entry is None:
                    self._watches.pop(name, None)
            self._decide()
            with suppress(TimeoutError):
                async with asyncio.timeout(watch.pause_s()):
                    await watch.news.wait()

    def _adapt(self, info: Info) -> None:
        """Send it no more than it shows."""
        driven = next((one for one in self._controllers.value if one.mac == info.mac), None)
        if driven is None or driven.yielded or driven.overridden:
            return
        adaptation = self._adaptations.setdefault(info.mac, Adaptation())
        asked_fps = min(driven.max_fps, self._section.max_fps)
        if adaptation.follow(asked_fps, self._sent_fps().get(info.mac, 0.0), info.fps):
            log.info(
                "WLED %s shows %d frames a second of %d and gets %d %% of what its length allows",
                *(driven.name, info.fps, round(asked_fps), round(100 * adaptation.share)),
            )

    async def _ask(self, name: str, watch: Watch) -> Wled:
        """Try each address; the last error if none is it."""
        problem: LinkError | WireError = LinkError("it has no address")
        hosts, mac = await self._places(name, watch)
        for host in hosts:
            try:
                return await watch.probe.ask(host, watch.port, mac)
            except (LinkError, WireError) as exc:
                problem = exc
        raise problem

    async def _places(self, name: str, watch: Watch) -> tuple[Sequence[str], str | None]:
        """Where it may be, and the MAC that it must have."""
        if watch.entry is not None:
            return await self._addresses(str(watch.entry.host)), _mac(watch.entry)
        try:
            announced = await mdns.resolve(self._zeroconf, name)
        except LinkError:
            if watch.wled is None:
                raise
            return [watch.wled.host], watch.wled.info.mac
        watch.port = announced.port
        return announced.addresses, watch.wled.info.mac if watch.wled else announced.mac

    async def _addresses(self, host: str) -> Sequence[str]:
        known = []
        if host.endswith(".local") and self._zeroconf is not None:
            known = await mdns.addresses(self._zeroconf, host)
        return known or await probe.addresses(host)

    def _decide(self) -> None:
        """Draw the consequences of what is known now."""
        heard = self._heard()
        entries = self._entries(heard)
        sightings = [
            Sighting(unit, watch.sent_from, entries[mac] is not None, watch.present, watch.fault)
            for mac, (unit, watch) in heard.items()
        ]
        unheard = sum(entry not in entries.values() for entry in self._section.controllers)
        wishes = consent.decide(sightings, self._section.discover, self._adopted(), unheard, settled=self._settled)
        self._agreement.wanted.set(frozenset(mac for mac, wish in wishes.items() if wish.state == "driven"))
        verdicts = consent.agreed(wishes, self._agreement.taken.value)
        self._adaptations = {mac: one for mac, one in self._adaptations.items() if mac in heard}
        ways = {
            mac: driving.controller(
                *(unit, entries[mac], self._section.protocol),
                yielded=verdicts[mac].state == "foreign",
                shown_share=self._adaptations[mac].share if mac in self._adaptations else 1.0,
            )
            for mac, (unit, _) in heard.items()
        }
        self._ways = ways
        before = {controller.mac for controller in self._controllers.value if not controller.yielded}
        controllers = []
        for mac, (_, watch) in sorted(heard.items()):
            state = verdicts[mac].state
            kept = state in ("absent", "faulty") and mac in before and time.monotonic() - watch.answered_at < _KEPT_S
            if state in ("driven", "foreign") or kept:
                controllers.append(ways[mac])
        found = [
            _found(unit, ways[mac], verdicts[mac], (*wled.warnings(unit, ways[mac]), *self._namesakes(mac, heard)))
            for mac, (unit, _) in sorted(heard.items())
        ]
        silent = [watch for watch in self._watches.values() if watch.wled is None and watch.is_missed]
        self._show((*found, *map(_never_heard, silent)))
        self._controllers.set(tuple(controllers))

    def _heard(self) -> dict[str, tuple[Wled, Watch]]:
        """By MAC: of several places where it was, the one where it answered last."""
        places = sorted(self._watches.values(), key=lambda watch: watch.answered_at)
        return {watch.wled.info.mac: (watch.wled, watch) for watch in places if watch.wled}

    def _entries(self, heard: Collection[str]) -> dict[str, ControllerConfig | None]:
        """By MAC the configuration's entry of each, by that, by where it was found, or by a name that is its alone.

        Of several of one name the one that is driven keeps it: anybody can give a WLED a name.
        """
        driven = {controller.mac for controller in self._controllers.value if not controller.yielded}
        entries = {mac: self._entry_by_place(mac) for mac in heard}
        for entry in self._section.controllers:
            called = [mac for mac in heard if self._is_called(mac, entry)]
            before = driven.intersection(called)
            for mac in called if len(called) == 1 else before if len(before) == 1 else ():
                entries[mac] = entries[mac] or entry
        return entries

    def _entry_by_place(self, mac: str) -> ControllerConfig | None:
        places = self._places_of(mac)
        of_it = (one for one in self._section.controllers if _mac(one) == mac)
        return next(of_it, None) or next((watch.entry for watch in places if watch.entry), None)

    def _is_called(self, mac: str, entry: ControllerConfig) -> bool:
        """Whether `entry` means it, or another of that name, by the name alone."""
        if entry.name is None or entry.host is not None or entry.mac is not None:
            return False
        labels = {name for watch in self._places_of(mac) if watch.wled for name in (watch.label, watch.wled.info.name)}
        return entry.name.casefold() in map(str.casefold, labels)

    def _namesakes(self, mac: str, heard: Collection[str]) -> list[str]:
        """A warning, where the configuration names it by a name that another has as well."""
        return [
            f"another WLED is called {entry.name} as well: give its mac in the configuration"
            for entry in self._section.controllers
            if self._is_called(mac, entry) and any(self._is_called(other, entry) for other in heard if other != mac)
        ]

    def _places_of(self, mac: str) -> list[Watch]:
        return [watch for watch in self._watches.values() if watch.wled and watch.wled.info.mac == mac]

    def _names(self) -> list[str]:
        return [one.name for one in self.found.value]

    def _show(self, found: tuple[Found, ...]) -> None:
        """Replace the status; a line for each that is new, moved or treated otherwise than before."""
        before = _asked(self.found.value)
        for key, unit in _asked(found).items():
            was = before.get(key)
            if was is None or (was.state, was.host, was.warnings) != (unit.state, unit.host, unit.warnings):
                log.info(
                    "WLED %s name=%s mac=%s host=%s pixels=%d reason=%s",
                    *(unit.state, unit.name, unit.mac, unit.host, unit.pixels, unit.reason),
                )
                for warning in unit.warnings:
                    log.warning("WLED %s: %s", unit.name, warning)
        self.found.set(found)


@asynccontextmanager
async def open_discovery(
    section: LightConfig,
    adopted: Callable[[], Collection[str]],
    controllers: Latest[tuple[Controller, ...]],
    zeroconf: AsyncZeroconf | None = None,
    patience: Patience = _PATIENCE,
    sent_fps: Callable[[], Mapping[str, float]] = dict,
    agreement: Agreement | None = None,
) -> AsyncIterator[Discovery]:
    """Look for WLEDs and keep `controllers` those that are to be driven.

    Args:
        section: `light` of the configuration.
        adopted: gives MACs, 12 lower-case hexadecimal digits; asked again with every answer.
        controllers: kept when this service ends: a strip need not go dark because discovery starts again.
        zeroconf: shared with others; else its own.
        patience: with those who do not answer.
        sent_fps: by MAC, how many frames each was sent in the last second.
        agreement: with the other bridges of the room; else there are none.
    """
    async with probe.open_session(patience.answer_s) as session:
        yield Discovery(section, adopted, controllers, zeroconf, session, patience, sent_fps, agreement or Agreement())


def _mac(entry: ControllerConfig) -> str | None:
    return wled.parse_mac(entry.mac) if entry.mac else None


def _found(unit: Wled, way: Controller, verdict: Verdict, warnings: tuple[str, ...]) -> Found:
    return Found(
        name=unit.info.name,
        mac=unit.info.mac,
        host=unit.host,
        pixels=unit.info.pixels,
        protocol=way.protocol,
        state=verdict.state,
        reason=verdict.reason,
        fps_shown=unit.info.fps,
        warnings=warnings,
        max_fps=way.max_fps,
        rssi_dbm=unit.info.rssi_dbm,
    )


def _asked(found: Collection[Found]) -> dict[str, Found]:
    """By MAC, or by name what was never heard, but what may still answer its first question."""
    return {(unit.mac or unit.name): unit for unit in found if unit.reason != UNASKED}


def _never_heard(watch: Watch) -> Found:
    host = (watch.entry and watch.entry.host) or ""
    state: consent.State = "faulty" if watch.faulty else "absent"
    return Found(watch.label, "", host, 0, "ddp", state, watch.problem, 0)
