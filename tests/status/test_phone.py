"""A phone in the room of a box: joined by touch, heard by the box, and kept awake."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.fakes import browsers
from tests.fakes.box import Box, Status, open_box
from tests.fakes.browsers import CONNECTED, PATIENCE_MS, Musicians
from tests.fakes.pianist import playing

ROOM = "PHONE2"
FINGER_PX = 40
LOUD_DBFS, SILENT_DBFS = -40.0, -70.0
WATCH_THE_LOCK = """() => {
  const request = navigator.wakeLock.request.bind(navigator.wakeLock);
  navigator.wakeLock.request = async (kind) => (window.lock = await request(kind));
}"""
TOO_SMALL = """(least) => [...document.querySelectorAll("#jam button, #bar button")]
  .filter((button) => button.checkVisibility() && button.getBoundingClientRect().height < least)
  .map((button) => button.outerHTML)"""
OTHER = ".member[data-self=false]"
HEARD = "[data-level]:not([data-level='0.00'])"


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    with open_box(tmp_path_factory.mktemp("box"), ROOM) as running:
        yield running


def level_dbfs(status: Status, name: str) -> float:
    """Of whom the box hears; silence where it does not."""
    return max((float(peer["level_dbfs"]) for peer in status["audio"]["peers"] if peer["name"] == name), default=-120.0)


def test_a_phone_plays_along_by_touch_alone(box: Box, musicians: Musicians) -> None:
    with playing(box.hub_port, ROOM, "Johann"):
        phone = musicians.open(box.jam, phone=True)
        assert phone.evaluate("matchMedia('(pointer: coarse)').matches")
        phone.evaluate(WATCH_THE_LOCK)
        phone.get_by_label("Your name").fill("Ann")
        phone.get_by_role("button", name="Join", exact=True).tap()

        expect(phone.locator(f"#room-light{CONNECTED}")).to_be_visible(timeout=PATIENCE_MS)
        phone.wait_for_function("window.lock?.type === 'screen' && !window.lock.released")
        expect(phone.locator(f"{OTHER}{HEARD}", has_text="Johann")).to_be_visible(timeout=PATIENCE_MS)
        box.until(lambda status: level_dbfs(status, "Ann") > LOUD_DBFS, "the box hears the phone")
        expect_to_fit(phone)

        phone.get_by_role("button", name="Mute").tap()
        box.until(lambda status: level_dbfs(status, "Ann") < SILENT_DBFS, "the box hears it no more")
        expect(phone.get_by_text("Muted")).to_be_visible()
        phone.get_by_role("button", name="Mute").tap()
        box.until(lambda status: level_dbfs(status, "Ann") > LOUD_DBFS, "the box hears it again")

        phone.get_by_role("button", name="Faster").tap()
        box.until(lambda status: status["state"]["tempo"] == 121, "the tempo")
        phone.get_by_role("button", name="Leave").tap()
        expect(phone.get_by_text("You have left the room")).to_be_visible()
        phone.wait_for_function("window.lock.released")


def expect_to_fit(phone: Page) -> None:
    """Nothing is beside the screen, nor too small for a finger."""
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    assert phone.evaluate(TOO_SMALL, FINGER_PX) == []


def test_who_shows_the_code_says_what_the_browser_will_ask(box: Box, musicians: Musicians) -> None:
    page = musicians.open(f"{box.base}/", phone=True)

    expect(page.locator("#how")).to_contain_text("The browser asks once about the certificate")


def test_without_https_a_phone_is_told_why_it_has_no_microphone_and_listens(box: Box, musicians: Musicians) -> None:
    with playing(box.hub_port, ROOM, "Johann"):
        phone = musicians.open(f"http://{browsers.NAME}:{box.hub_port}/jam/{ROOM}", phone=True)
        expect(phone.get_by_text("A browser gives a microphone only to a secure page")).to_be_visible()
        expect(phone.get_by_text("so your browser will ask once; that is fine")).to_be_visible()
        expect(phone.get_by_role("link", name="Open the secure page")).to_have_attribute("href", box.jam)

        phone.get_by_role("button", name="Just listen").tap()

        expect(phone.locator(f"{OTHER}{HEARD}", has_text="Johann")).to_be_visible(timeout=PATIENCE_MS)
