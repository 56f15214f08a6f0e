"""Broadcasts are lost on the way, and everybody agrees all the same: real clients, a real hub, a lossy wire between."""

import asyncio
import random
import time
from collections import Counter
from pathlib import Path

import pytest

from jambridge.room.messages import SIGNAL_EVENT
from jambridge.room.state import RoomState
from tests.fakes import lossy_wire
from tests.fakes.lossy_wire import Data
from tests.fakes.waiting import until
from tests.hub.live import live_hub
from tests.room.live import at, seated

NAMES = ("Ada", "Bob", "Cy", "Dee")
LOSS = 0.05
PLAY_S = 5.0
HEALED_WITHIN_S = 11.0
CHANGES_A_SECOND = 8.0
VALUES: dict[str, tuple[object, ...]] = {
    "tempo": tuple(range(40, 301)),
    "key": ("C", "F#", "Bb", "A"),
    "scale": ("major", "minor", "dorian"),
    "colorMode": ("chromatic", "harmonic"),
    "isPlaying": (True, False),
}


class Losses:
    """Whether a frame passes: of broadcasts, each on its way to the hub and each on its way from it, some do not."""

    def __init__(self, seed: int, loss: float) -> None:
        self._random = random.Random(seed)
        self.loss = loss
        self.lost: Counter[str] = Counter()
        self.passed: Counter[str] = Counter()

    async def passes(self, data: Data) -> bool:
        event = lossy_wire.event(data)
        if event is None or event == SIGNAL_EVENT:
            return True
        passes = self._random.random() >= self.loss
        (self.passed if passes else self.lost)[event] += 1
        return passes


async def played(place: Path, seed: int, deaf_s: float) -> tuple[float, Losses]:
    """Seconds from the last change until all four agree, in every field and its stamp.

    `deaf_s`: for so long nothing at all passes, from just before everybody's last change.
    """
    losses, chance = Losses(seed, LOSS), random.Random(-1 - seed)
    async with (
        live_hub(place) as hub,
        lossy_wire.laid(hub.port, losses.passes) as between,
        seated(at(between.port), *NAMES) as seats,
    ):
        until_s = time.monotonic() + PLAY_S
        while time.monotonic() < until_s:
            name = chance.choice(list(VALUES))
            chance.choice(seats).room.change(name, chance.choice(VALUES[name]))
            changed = time.monotonic()
            await asyncio.sleep(chance.expovariate(CHANGES_A_SECOND))
        if deaf_s:
            losses.loss = 1.0
            for number, seat in enumerate(seats):
                seat.room.change("tempo", 200 + number)
            changed = time.monotonic()
            await asyncio.sleep(deaf_s)
            assert len({seat.room.state.value.tempo for seat in seats}) == len(NAMES)
            losses.loss = LOSS
        await until(
            lambda: len({_stamped(seat.room.state.value) for seat in seats}) == 1,
            changed + HEALED_WITHIN_S - time.monotonic(),
        )
        assert all(seat.room.view.value.host == NAMES[0].lower() for seat in seats)
        return time.monotonic() - changed, losses


def _stamped(state: RoomState) -> tuple[object, ...]:
    return tuple((name, state.value(name), state.stamp(name)) for name in VALUES)


async def _all_heal(place: Path, seeds: range, deaf_s: float = 0.0) -> None:
    """Rooms side by side, each with a hub and a wire of its own."""
    places = [place / str(seed) for seed in seeds]
    for each in places:
        each.mkdir()
    outcomes = await asyncio.gather(*(played(each, seed, deaf_s) for each, seed in zip(places, seeds, strict=True)))
    lost: Counter[str] = sum((losses.lost for _, losses in outcomes), Counter())
    passed = sum(losses.passed.total() for _, losses in outcomes)
    print(f"agreed after {sorted(round(took, 2) for took, _ in outcomes)} s; lost {dict(lost)}, passed {passed}")
    assert all(losses.lost for _, losses in outcomes)


def test_four_who_change_everything_at_random_agree_soon_though_broadcasts_are_lost(tmp_path: Path) -> None:
    asyncio.run(_all_heal(tmp_path, range(6)))


def test_last_changes_that_nobody_hears_are_in_force_soon_all_the_same(tmp_path: Path) -> None:
    asyncio.run(_all_heal(tmp_path, range(6, 10), deaf_s=1.0))


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(8))
@pytest.mark.parametrize("deaf_s", [0.0, 1.5, 4.0])
def test_many_rooms_agree_soon_though_broadcasts_are_lost(tmp_path: Path, batch: int, deaf_s: float) -> None:
    asyncio.run(_all_heal(tmp_path, range(100 + 10 * batch, 110 + 10 * batch), deaf_s))
