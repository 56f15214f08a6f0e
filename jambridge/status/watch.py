"""Tells systemd that the daemon is ready and alive, and people whether the room is there."""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping

from jambridge.audio.card.control import CaptureReport, PlaybackReport
from jambridge.edges import Latest
from jambridge.errors import Text
from jambridge.peers.trouble import TEXTS
from jambridge.room.edges import RoomEdges
from jambridge.services import Services
from jambridge.status.alerts import Alerts
from jambridge.status.notify import notify, watchdog_period_s

log = logging.getLogger(__name__)

NO_ROOM_AFTER_S = 10.0
WATCH_S = 0.5
NO_SOUND_AFTER_S = 10.0
STARTS_WITHIN_S = 30.0  # a process of ours has 20 for its first word


async def watch(
    faults: Callable[[], dict[str, str]],
    services: Services,
    room: RoomEdges,
    alerts: Alerts,
    trouble: Callable[[], Mapping[Text, str]],
    captured: Latest[CaptureReport],
    played: Latest[PlaybackReport],
) -> None:
    """`faults` are by the names of services.

    `trouble` says what is wrong with the musicians' sound, and why: some of its `TEXTS`.
    """
    started, fed_at = time.monotonic(), -math.inf
    is_ready = is_told = was_connected = False
    period_s = watchdog_period_s()
    while True:
        now = time.monotonic()
        faulty = faults()
        if not faulty:
            is_told = is_told or notify("READY=1", "STATUS=running")
            if not is_ready:
                is_ready = True
                log.info("ready")
        is_due = period_s is not None and now - fed_at >= period_s - WATCH_S
        if is_due and not _hangs(faulty, services, now) and notify("WATCHDOG=1"):
            fed_at = now
        is_connected = room.view.value.connection == "connected"
        was_connected |= is_connected
        _tell(alerts, services, is_connected, was_connected, patient=now - started < NO_ROOM_AFTER_S)
        _tell_of_cards(alerts, captured.value, played.value)
        _tell_trouble(alerts, trouble())
        await asyncio.sleep(WATCH_S)


def _hangs(faulty: Iterable[str], services: Services, now: float) -> bool:
    """Whether one of them runs, and does not tick: who starts, or waits to, is being mended, and the others play on."""
    since = [services.health[name].running_since_s for name in faulty if name in services.health]
    return any(one is not None and now - one > STARTS_WITHIN_S for one in since)


def _tell_trouble(alerts: Alerts, trouble: Mapping[Text, str]) -> None:
    for text in TEXTS:
        if text in trouble:
            alerts.set(text, trouble[text])
        else:
            alerts.clear(text)


def _tell(alerts: Alerts, services: Services, is_connected: bool, was_connected: bool, *, patient: bool) -> None:
    """The room's alerts in force: none, or why it is away, or elsewhere."""
    failures = [services.health[name].last_error for name in ("room", "hub") if name in services.health]
    if "lan-room" in services.health:
        alerts.set(Text.FALLBACK, failures[0] or "no answer yet")
    else:
        alerts.clear(Text.FALLBACK)
    cause = next((failure for failure in failures if failure), "no answer yet")
    away = not is_connected and (was_connected or not patient or cause == Text.FULL)
    text = Text.FULL if cause == Text.FULL else Text.RECONNECTING if was_connected else Text.NO_CONNECTION
    for one in (Text.FULL, Text.RECONNECTING, Text.NO_CONNECTION):
        if away and one == text:
            alerts.set(one, cause)
        else:
            alerts.clear(one)


def _tell_of_cards(alerts: Alerts, captured: CaptureReport, played: PlaybackReport) -> None:
    """Of the sound cards: a box without any, where none is asked for, says nothing."""
    silent_s = captured.silent_s
    card = captured.card
    alerts.hold(Text.MICROPHONE, card.problem)
    alerts.hold(Text.NO_INPUT, f"{card.card}: nothing for {silent_s:.0f} s" if silent_s >= NO_SOUND_AFTER_S else None)
    alerts.hold(Text.NO_OUTPUT, played.card.problem)
    alerts.hold(Text.HOWLING, "one tone grows in what is heard and in what is played" if played.is_howling else None)
