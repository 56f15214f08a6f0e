"""Pictures of both pages, as they are while somebody plays: scripts/screenshots [FOLDER]"""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from tests.fakes import browsers
from tests.fakes.box import open_box
from tests.fakes.browsers import Musicians
from tests.fakes.pianist import playing

SIZES = {"phone": (390, 844), "desktop": (1280, 800)}
ROOM = "JAM-42"


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as state,
        open_box(Path(state), ROOM) as box,
        playing(box.hub_port, ROOM, "Johann Sebastian"),
        sync_playwright() as playwright,
        browsers.chromium(playwright, browsers.write_wav(Path(state) / "tone.wav", browsers.tone())) as browser,
    ):
        visitors = Musicians(browser)
        jam = visitors.join(box.jam, "Ann")
        page = visitors.open(f"{box.base}/")
        expect(page.locator(".chord")).not_to_be_empty(timeout=browsers.PATIENCE_MS)
        box.ask("POST", "/api/state", {"tempo": 96, "key": "D", "scale": "minor"})
        for name, one in (("box", page), ("jam", jam)):
            for size, (width, height) in SIZES.items():
                for scheme in ("light", "dark"):
                    one.emulate_media(color_scheme=scheme)
                    one.set_viewport_size({"width": width, "height": height})
                    _shoot(one, folder / f"{name}-{size}-{scheme}.png")
        visitors.close()


def _shoot(page: Page, file: Path) -> None:
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    page.screenshot(path=file, full_page=True)
    sys.stdout.write(f"{file}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "screenshots"))
