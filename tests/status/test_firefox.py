"""Both pages in a stock Firefox, on a phone's width and a desktop's, against a real daemon with a strip."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.box import Box, open_box
from tests.fakes.firefox import Firefox, Tab, firefox

pytestmark = pytest.mark.slow

ROOM = "FOXES2"
SIZES = {"phone": (390, 844), "desktop": (1280, 800)}
CHANGES = 10
LIVE_MS = 200.0
HEARD_DBFS = -60.0
SILENCE_S = 6.0  # of a microphone: then the page would say so
SEEN = """new Promise((seen) => {
  const look = () => (document.querySelector("#tempo").value === "%d" ? seen(Date.now()) : setTimeout(look, 2));
  look();
})"""


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    with open_box(tmp_path_factory.mktemp("box"), ROOM) as running:
        yield running


@pytest.mark.parametrize("size", SIZES)
def test_firefox_shows_both_pages_live_and_without_complaint(box: Box, tmp_path: Path, size: str) -> None:
    async def scenario() -> None:
        async with firefox(tmp_path / "firefox") as browser:
            page = await browser.open(f"{box.base}/", *SIZES[size])
            await page.until("document.querySelector('.strip')")
            assert await late_ms(box, page) < LIVE_MS

            jam = await browser.open(box.jam, *SIZES[size])
            await jam.click("#play")
            await jam.until("document.querySelector('#room-light[data-state=connected]')")
            await asyncio.to_thread(
                box.until,
                lambda status: [one["level_dbfs"] > HEARD_DBFS for one in status["audio"]["peers"]] == [True],
                "the box hears Firefox's microphone",
            )
            await jam.until("document.querySelector('.member[data-self=false] .light[data-state=connected]')")
            await asyncio.sleep(SILENCE_S)
            assert await jam.evaluate("document.querySelector('#alerts').textContent") == ""
            assert await late_ms(box, jam) < LIVE_MS

            for name, tab in (("box", page), ("jam", jam)):
                await tab.shoot(tmp_path / f"{name}-{size}.png")
                print(tmp_path / f"{name}-{size}.png")
                assert await tab.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0]
            await left(box, jam, browser)

    asyncio.run(scenario())


async def late_ms(box: Box, tab: Tab) -> float:
    """The median of some changes of tempo, from asking for it to the page."""
    waits: list[float] = []
    for tempo in range(60, 60 + CHANGES):
        await tab.evaluate(f"void (window.seen = {SEEN % tempo})")
        asked_ms = 1000 * time.time()
        await asyncio.to_thread(box.ask, "POST", "/api/state", {"tempo": tempo})
        waits.append(float(await tab.evaluate("window.seen")) - asked_ms)
    box.ask("POST", "/api/state", {"tempo": 120})
    print(f"a change is seen after {sorted(waits)[CHANGES // 2]:.0f} ms, {max(waits):.0f} at most")
    return sorted(waits)[CHANGES // 2]


async def left(box: Box, jam: Tab, browser: Firefox) -> None:
    """The musician goes, and nothing was complained about."""
    await jam.click("#leave")
    await asyncio.to_thread(box.until, lambda status: len(status["room"]["participants"]) == 1, "Firefox has left")
    assert browser.complaints == []
