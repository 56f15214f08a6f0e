"""An evening in short: everything comes and goes, comes back, and is told in few lines."""

import re
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.fakes.sound_card import SoundCard, sound_card
from tests.scenarios.daemon import Daemon, Status, open_daemon, open_wled
from tests.scenarios.musicians import playing
from tests.scenarios.namespaces import Host, network

pytestmark = [pytest.mark.scenario, pytest.mark.slow]

ROOM = "EVE234"
HOURS = 3
TWO_SCREENS = 80
PATIENCE_S = 60.0
LINE = re.compile(r"^\d\d:\d\d:\d\d ([IWEC]) ([\w.]+): (\S+ \S+)", re.MULTILINE)
SETTINGS = {"audio": {"input": "fakeline", "output": "fakeline"}}


def test_what_an_evening_logs_fits_two_screens(tmp_path: Path) -> None:
    with (
        network(5) as (box, shelf, *guests),
        sound_card(tmp_path / "card", "fakeline") as card,
        open_daemon(box, tmp_path, ROOM, SETTINGS, env=card.environment) as daemon,
    ):
        daemon.await_ready()
        for _ in range(HOURS):
            an_hour(daemon, card, tmp_path, shelf, guests)
        assert daemon.terminate()[0] == 0
        told = Counter(LINE.findall(daemon.said()))
    print("\n".join(f"{count:4} {level} {source}: {words} …" for (level, source, words), count in told.most_common()))
    print(f"{told.total():4} in all")
    assert "Traceback" not in daemon.said()
    assert told.total() <= TWO_SCREENS


def an_hour(daemon: Daemon, card: SoundCard, directory: Path, shelf: Host, guests: list[Host]) -> None:
    """Three play; the hub dies, the card is pulled out, a cable too, one goes and comes back; then all go."""
    with ExitStack() as stack:
        stack.enter_context(open_wled(shelf, directory))
        await_state(daemon, is_lit, "the strip is driven")
        for number, guest in enumerate(guests[:-1]):
            stack.enter_context(playing(guest, daemon.host, ROOM, number))
        with playing(guests[-1], daemon.host, ROOM, len(guests) - 1):
            await_state(daemon, hears(len(guests)), "all are heard")
            for tempo in (90, 100, 110):
                daemon.change(tempo=tempo, isPlaying=True)
        await_state(daemon, hears(len(guests) - 1), "one has gone")
        stack.enter_context(playing(guests[-1], daemon.host, ROOM, len(guests) - 1))
        await_state(daemon, hears(len(guests)), "and has come back")

        daemon.kill_child("jambridge.hub")
        await_state(daemon, lambda status: status["room"]["connection"] != "connected", "the hub is missed")
        await_state(daemon, lambda status: status["room"]["connection"] == "connected", "the hub is back")
        await_state(daemon, hears(len(guests)), "with everybody")

        card.unplug()
        await_state(daemon, lambda status: status["audio"]["input"]["card"] is None, "the card is missed")
        card.plug()
        await_state(daemon, has_card, "the card is back")

        guests[0].unplug()
        await_state(daemon, hears(len(guests) - 1), "one is cut off")
        guests[0].plug_in()
        await_state(daemon, hears(len(guests)), "and is there again")
    await_state(daemon, lambda status: not is_lit(status) and not status["audio"]["peers"], "everybody has gone")


def await_state(daemon: Daemon, holds: Callable[[Status], object], what: str) -> None:
    daemon.await_status(holds, what, PATIENCE_S)


def hears(count: int) -> Callable[[Status], bool]:
    """So many are connected."""
    return lambda status: sum(peer["state"] == "connected" for peer in status["audio"]["peers"]) == count


def is_lit(status: Status) -> bool:
    return any(one["state"] == "driven" for one in status["light"]["controllers"])


def has_card(status: Status) -> bool:
    return all(status["audio"][way]["card"] is not None for way in ("input", "output"))
