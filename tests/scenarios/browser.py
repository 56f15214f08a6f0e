"""A musician: a real Chromium on a host of its own, a piece of music as its microphone."""

import contextlib
import os
import shlex
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray
from playwright.sync_api import BrowserType, Page, expect
from playwright.sync_api import Error as BrowserError

from tests.fakes import browsers
from tests.fakes.browsers import CHROMIUM, CONNECTED
from tests.scenarios.namespaces import Host

PATIENCE_MS = 30_000  # two cores, several browsers
ARGUMENTS = (*browsers.ARGUMENTS, browsers.ALLOWED)
OTHERS = ".member[data-self=false]"
_MICROPHONE = Path(__file__).with_name("microphone.js")
_EAR = Path(__file__).with_name("ear.js").read_text()


@dataclass(frozen=True, slots=True)
class Member:
    """A participant as the page shows it; `level` is the meter, 0..1 over 60 dB."""

    name: str
    is_self: bool
    is_host: bool
    light: str
    level: float


class Musician:
    """Use `open_musician`."""

    def __init__(self, page: Page, pid_file: Path) -> None:
        self.page = page
        self.complaints: list[str] = []
        self._pid_file = pid_file
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def join(self, url: str, name: str) -> None:
        """Follow the invitation, accept the certificate, and come in with the microphone."""
        self.page.goto(url)
        assert self.page.evaluate("isSecureContext")
        self.page.get_by_label("Your name").fill(name)
        self.page.get_by_role("button", name="Join", exact=True).click()
        expect(self.page.locator(f"#room-light{CONNECTED}")).to_be_visible(timeout=PATIENCE_MS)

    def leave(self) -> None:
        self.page.get_by_role("button", name="Leave").click()
        expect(self.page.get_by_text("You have left the room")).to_be_visible()

    def members(self) -> list[Member]:
        """Everyone on the page, oneself first."""
        found: list[Member] = [
            Member(*values)
            for values in self.page.locator(".member").evaluate_all("""cards => cards.map((card) => [
                card.querySelector(".name").textContent,
                card.dataset.self === "true",
                !card.querySelector(".host").hidden,
                card.querySelector(".light").dataset.state,
                Number(card.dataset.level ?? 0),
            ])""")
        ]
        return found

    def room_light(self) -> str | None:
        return self.page.locator("#room-light").get_attribute("data-state")

    def expect_others(self, count: int) -> None:
        """`count` others are on the page, with a green light each."""
        expect(self.page.locator(OTHERS)).to_have_count(count, timeout=PATIENCE_MS)
        expect(self.page.locator(f"{OTHERS} .light{CONNECTED}")).to_have_count(count, timeout=PATIENCE_MS)

    def expect_to_hear(self, names: list[str]) -> None:
        """Each of them moves its meter here."""
        for name in names:
            card = self.page.locator(OTHERS).filter(has=self.page.locator(".name", has_text=name))
            expect(card.and_(self.page.locator("[data-level]:not([data-level='0.00'])"))).to_have_count(
                1, timeout=PATIENCE_MS
            )

    def hears(self, name: str) -> NDArray[np.float64]:
        """The newest of what it plays of another, shape (frames, 2), two thirds of a second at 48 kHz."""
        card = self.page.locator(OTHERS).filter(has=self.page.locator(".name", has_text=name))
        return np.array(card.locator("audio").evaluate(_EAR)).T

    def shows_as_sending(self, name: str) -> bool:
        """Whether that member's presence says that it plays."""
        card = self.page.locator(".member").filter(has=self.page.locator(".name", has_text=name))
        return card.get_attribute("data-sends") == "true"

    def attacks(self) -> list[float]:
        """time.monotonic() of each attack after a second of silence, when the sound device handed it in."""
        ahead_s = time.clock_gettime(time.CLOCK_REALTIME) - time.monotonic()
        return [attack - ahead_s for attack in self.page.evaluate("window.attacks")]

    def slip_s(self, start: float, end: float) -> float:
        """How far its sound device strayed from real time in between, in time.monotonic(): a busy machine delays it."""
        ahead_s = time.clock_gettime(time.CLOCK_REALTIME) - time.monotonic()
        behind: list[float] = [
            at - handed_in for at, handed_in in self.page.evaluate("window.pace") if start <= at - ahead_s <= end
        ]
        return max(behind) - min(behind)

    def kill(self) -> None:
        """End the whole browser with SIGKILL: no goodbye of any kind."""
        with contextlib.suppress(psutil.NoSuchProcess):
            browser = psutil.Process(int(self._pid_file.read_text()))
            for process in (browser, *browser.children(recursive=True)):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGKILL)


@contextmanager
def open_musician(chromium: BrowserType, host: Host, sound: Path, directory: Path) -> Iterator[Musician]:
    """Start a browser on `host`, with `sound` (a WAV file, looped) as its microphone.

    Args:
        chromium: of Playwright.
        host: where it runs.
        sound: what the microphone hears, again and again.
        directory: for the files of this one browser; made if missing.
    """
    directory.mkdir(parents=True, exist_ok=True)
    pid_file, program = directory / "pid", directory / "chromium"
    command = shlex.join(host.command([CHROMIUM]))
    program.write_text(f'#!/bin/sh\necho $$ > {shlex.quote(str(pid_file))}\nexec {command} "$@"\n')
    program.chmod(0o755)
    browser = chromium.launch(executable_path=program, args=[*ARGUMENTS, f"--use-file-for-fake-audio-capture={sound}"])
    try:
        context = browser.new_context(ignore_https_errors=True)  # the musician who accepts the certificate
        context.add_init_script(path=_MICROPHONE)
        yield Musician(context.new_page(), pid_file)
    finally:
        with contextlib.suppress(BrowserError):  # killed
            browser.close()
