"""The box's page in a real Chromium, against a real daemon that hears a musician and lights a strip."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.fakes import browsers
from tests.fakes.box import Box, open_box
from tests.fakes.browsers import CONNECTED, PATIENCE_MS, Musicians

AXE = Path(__file__).parents[1] / "npm" / "node_modules" / "axe-core" / "axe.min.js"
ROOM = "STAGE2"
TOKEN = "a-token-for-the-tests-alone"
SIZES = {"phone": (390, 844), "desktop": (1280, 800)}
VIOLATIONS = """async () => {
  const { violations } = await axe.run(document, { resultTypes: ["violations"] });
  const where = ({ html, any }) => `${html} ${any.map(({ message }) => message)}`;
  return violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(where).join(" | ")}`);
}"""
LIT = """() => {
  const { width } = document.querySelector(".dots");
  const { data } = document.querySelector(".dots").getContext("2d").getImageData(0, 0, width, 1);
  return data.some((value, at) => at % 4 !== 3 && value > 60);
}"""
WHEN_CHANGED = """() => new Promise((seen) => {
  const words = document.querySelector("#transport .words");
  const before = words.textContent;
  const look = () => (words.textContent === before ? requestAnimationFrame(look) : seen(Date.now()));
  look();
})"""


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    folder = tmp_path_factory.mktemp("box")
    (folder / "token").write_text(TOKEN)
    (folder / "token").chmod(0o600)
    settings = {"HTTP__TOKEN_FILE": str(folder / "token"), "HTTP__ALLOWED_HOSTS": json.dumps([browsers.NAME])}
    with open_box(folder, ROOM, settings) as running:
        yield running


@pytest.fixture
def page(box: Box, musicians: Musicians) -> Page:
    box.ask("POST", "/api/light", {"zones": [], "effect": "notes", "mode": "auto", "brightness": 1.0})
    page = musicians.open(f"{box.base}/")
    expect(page.locator("#box")).to_be_visible(timeout=PATIENCE_MS)
    return page


def test_the_room_is_shown_with_its_code_link_and_people(box: Box, musicians: Musicians, page: Page) -> None:
    expect(page.locator("#room-code")).to_have_text(ROOM)
    expect(page.locator(f"#room-light{CONNECTED}")).to_be_visible()
    expect(page.get_by_role("link", name=f"/jam/{ROOM}")).to_have_attribute("href", box.jam)
    page.wait_for_function("document.querySelector('#qr').naturalWidth > 0")
    expect(page.locator(".member .name")).to_have_text(["Box"])
    expect(page.locator(".member .self")).to_be_visible()
    expect(page.locator(".member .host")).to_be_visible()

    ann = musicians.join(box.jam, "Ann")
    card = page.locator(".member", has_text="Ann")
    expect(card.locator(f".light{CONNECTED}")).to_be_visible(timeout=PATIENCE_MS)
    expect(card.locator(".figures")).to_contain_text("% lost", timeout=PATIENCE_MS)
    expect(page.locator(".member:not([data-level='0.00'])", has_text="Ann")).to_be_visible(timeout=PATIENCE_MS)
    expect(card.locator(".since time")).to_be_visible()

    ann.get_by_role("button", name="Leave").click()
    expect(page.locator(".member .name")).to_have_text(["Box"], timeout=PATIENCE_MS)


def test_what_is_played_is_shown_as_notes_and_on_the_strip(box: Box, musicians: Musicians, page: Page) -> None:
    expect(page.locator("#notes")).to_have_text("Silence")

    musicians.join(box.jam, "Ann")

    expect(page.locator("#notes li", has_text="A4")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.locator(".member", has_text="Ann").locator(".playing")).to_contain_text("A4", timeout=PATIENCE_MS)
    page.wait_for_function(LIT, timeout=PATIENCE_MS)
    expect(page.locator(".strip .caption")).to_contain_text("Stage")
    expect(page.get_by_role("img", name="Strip Stage: shines with the notes")).to_be_visible()


def test_a_change_is_seen_at_once_wherever_it_is_made(box: Box, page: Page) -> None:
    box.ask("POST", "/api/state", {"tempo": 96, "key": "D", "scale": "minor", "colorMode": "harmonic"})
    expect(page.locator("#tempo")).to_have_value("96")
    expect(page.locator("#key")).to_have_value("D")
    expect(page.locator("#scale")).to_have_value("minor")
    expect(page.locator("#color-mode")).to_have_value("harmonic")

    page.get_by_role("button", name="Start").click()
    box.until(lambda status: status["state"]["isPlaying"], "it plays")
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    page.get_by_label("Tempo, beats a minute").fill("132")
    page.keyboard.press("Enter")
    page.get_by_label("Key").select_option("F#")
    box.until(lambda status: (status["state"]["tempo"], status["state"]["key"]) == (132, "F#"), "tempo and key")

    page.evaluate(f"() => {{ window.seen = ({WHEN_CHANGED})(); }}")
    asked_ms = page.evaluate("Date.now()")
    box.ask("POST", "/api/state", {"isPlaying": False})
    took_ms = page.evaluate("window.seen") - asked_ms
    assert took_ms < PATIENCE_MS / 10, took_ms


def test_lights_are_changed_and_zones_made_and_removed(box: Box, musicians: Musicians, page: Page) -> None:
    page.locator("#effect").select_option("wash")
    page.get_by_label("Brightness").fill("40")
    box.until(lambda status: (status["light"]["effect"], status["light"]["brightness"]) == ("wash", 0.4), "the light")
    page.get_by_label("Follows").select_option("broadcast")
    box.until(lambda status: status["light"]["wanted"] == "broadcast", "the host's colours are wanted")
    page.locator("#lights-title").click()
    box.ask("POST", "/api/light", {"mode": "local"})
    expect(page.locator("#mode")).to_have_value("local")

    page.locator("summary").click()
    page.get_by_role("button", name="Add a zone").click()
    zone = page.locator(".zone")
    expect(zone).to_have_count(1)
    zone.get_by_label("To").fill("30")
    zone.get_by_label("To").press("Enter")
    zone.get_by_label("Effect").select_option("vu")
    box.until(
        lambda status: [(one["stop"], one["effect"]) for one in status["light"]["zones"]] == [(30, "vu")], "a zone"
    )

    zone.get_by_label("From").fill("60")
    zone.get_by_label("From").press("Enter")
    expect(page.locator("#lights-problem")).to_contain_text("not behind start")
    page.get_by_role("button", name="Remove zone 1").click()
    expect(zone).to_have_count(0)
    expect(page.locator("#lights-problem")).to_be_empty()
    musicians.complaints[:] = [one for one in musicians.complaints if " 400 " not in one]  # what it was refused with


def test_a_musician_is_turned_down_and_muted_here_alone(box: Box, musicians: Musicians, page: Page) -> None:
    musicians.join(box.jam, "Ann")
    page.get_by_label("Volume of Ann here").fill("150")
    page.get_by_role("button", name="Mute Ann here").click()

    box.until(lambda status: [(one["gain"], one["muted"]) for one in status["audio"]["peers"]] == [(1.5, True)], "Ann")
    expect(page.get_by_role("button", name="Mute Ann here")).to_have_attribute("aria-pressed", "true")

    box.ask("POST", "/api/audio", {"players": {"Ann": {"gain": 1, "muted": False}}})
    expect(page.get_by_role("button", name="Mute Ann here")).to_have_attribute("aria-pressed", "false")
    expect(page.get_by_label("Volume of Ann here")).to_have_value("100")
    page.get_by_role("button", name="Mute the output").click()
    page.get_by_label("Volume of the output").fill("30")
    box.until(
        lambda status: (status["audio"]["output"]["muted"], status["audio"]["output"]["volume"]) == (True, 0.3), ""
    )
    box.ask("POST", "/api/audio", {"muted": False, "masterVolume": 0.8})


def test_by_keyboard_alone_one_starts_and_sets_the_tempo(box: Box, page: Page) -> None:
    box.ask("POST", "/api/state", {"isPlaying": False, "tempo": 120})
    expect(page.locator("#tempo")).to_have_value("120")

    reach(page, "transport")
    page.keyboard.press("Space")
    box.until(lambda status: status["state"]["isPlaying"], "it plays")
    reach(page, "tempo")
    page.keyboard.press("Control+a")
    page.keyboard.type("90")
    page.keyboard.press("Enter")
    box.until(lambda status: status["state"]["tempo"] == 90, "the tempo")


def reach(page: Page, wanted: str) -> None:
    """By the tabulator."""
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == wanted:
            return
    raise AssertionError(f"{wanted} cannot be reached by the tabulator")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_nobody_is_shut_out(box: Box, musicians: Musicians, page: Page, size: str, scheme: Any) -> None:
    musicians.join(box.jam, "Ann")
    expect(page.locator("#notes li", has_text="A4")).to_be_visible(timeout=PATIENCE_MS)
    page.emulate_media(color_scheme=scheme)
    width, height = SIZES[size]
    page.set_viewport_size({"width": width, "height": height})
    page.locator("summary").click()
    page.get_by_role("button", name="Add a zone").click()
    expect(page.locator(".zone")).to_have_count(1)

    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.evaluate(AXE.read_text())  # the page's policy lets no script in from elsewhere
    assert page.evaluate(VIOLATIONS) == []

    page.get_by_role("button", name="Remove zone 1").click()
    expect(page.locator(".zone")).to_have_count(0)


def test_from_another_machine_the_token_opens_the_page_and_is_not_left_in_the_address(
    box: Box, musicians: Musicians
) -> None:
    page = musicians.open("about:blank")
    page.context.set_extra_http_headers({"X-Forwarded-For": "192.0.2.7"})
    page.goto(f"http://{browsers.NAME}:{box.port}/")
    expect(page.get_by_label("Token")).to_be_visible()
    expect(page.locator("#box")).to_be_hidden()
    page.get_by_label("Token").fill("guessed-wrong-again")
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_role("alert").filter(has_text="That is not the token.")).to_be_visible()

    page.goto(f"http://{browsers.NAME}:{box.port}/login#{TOKEN}")
    expect(page.locator("#room-code")).to_have_text(ROOM)
    assert page.url == f"http://{browsers.NAME}:{box.port}/"
    page.reload()
    expect(page.locator("#room-code")).to_have_text(ROOM)
    assert page.evaluate("document.cookie") == ""  # no script sees it
    musicians.complaints[:] = [one for one in musicians.complaints if "401" not in one]  # Chromium says so itself


def test_an_older_session_is_resumed_and_the_page_follows(tmp_path: Path, musicians: Musicians) -> None:
    with open_box(tmp_path, "FIRST2") as before:
        before.ask("POST", "/api/state", {"tempo": 77})
        before.until(lambda status: status["store"]["saved_at"], "the session is stored")
    with open_box(tmp_path, "SECND2") as box:
        page = musicians.open(f"{box.base}/")
        expect(page.locator("#room-code")).to_have_text("SECND2")

        page.get_by_role("button", name="Resume FIRST2").click()
        page.get_by_role("dialog").get_by_role("button", name="Resume").click()

        expect(page.locator("#room-code")).to_have_text("FIRST2", timeout=2 * PATIENCE_MS)
        expect(page.locator("#tempo")).to_have_value("77", timeout=PATIENCE_MS)
        musicians.close()
        box.process.terminate()
        assert box.process.wait(20) == 0
    musicians.complaints[:] = [one for one in musicians.complaints if "ERR_" not in one]  # while the box was away
