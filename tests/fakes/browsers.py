"""Musicians in a real Chromium, and a hub in a thread for them; below, as fixtures that a conftest may take."""

import asyncio
import threading
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, expect, sync_playwright

from jambridge.hub.server import HubOptions, HubServer, open_hub

Run = Callable[[str], Any]
CHROMIUM = "/usr/bin/chromium"
RATE_HZ = 48_000
NAME = "hub.lan"  # not localhost: there http counts as secure
PATIENCE_MS = 20_000  # generous: two cores, shared
CONNECTED = "[data-state=connected]"
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
)
_AT_HOME = f"--host-resolver-rules=MAP {NAME} 127.0.0.1"
ALLOWED = "--use-fake-ui-for-media-stream"
DENIED = "--deny-permission-prompts"


@contextmanager
def chromium(playwright: Playwright, microphone: Path, permission: str = ALLOWED) -> Iterator[Browser]:
    """A browser whose microphone plays `microphone`, a WAV file, over and over."""
    arguments = [*ARGUMENTS, _AT_HOME, permission, f"--use-file-for-fake-audio-capture={microphone}"]
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
    yield browser
    browser.close()


def tone() -> NDArray[np.float64]:
    """Two seconds of two tones, one an ear: shape (frames, 2)."""
    time_s = np.arange(2 * RATE_HZ) / RATE_HZ
    return np.stack([0.3 * np.sin(2 * np.pi * frequency_hz * time_s) for frequency_hz in (440.0, 660.0)], axis=1)


def write_wav(path: Path, samples: NDArray[np.float64]) -> Path:
    """Write `samples`, shape (frames, 2) in -1..1, at 48 kHz."""
    with wave.open(str(path), "wb") as file:
        file.setparams((2, 2, RATE_HZ, 0, "NONE", ""))
        file.writeframes((samples * 32_767).astype("<i2").tobytes())
    return path


class Hub:
    """The hub in a thread of its own: Playwright's synchronous interface occupies the main thread's event loop."""

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending = asyncio.Event()
        self._thread = threading.Thread()
        self._hub: HubServer | None = None
        self.port = self.tls_port = 0

    def start(self) -> None:
        """Listen; after a stop, on the same ports."""
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)), daemon=True)
        self._thread.start()
        assert ready.wait(20), "the hub did not start"

    def stop(self) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join(20)
        assert not self._thread.is_alive()

    def send_to(self, page: str) -> None:
        """Tell everybody that the hub is at `page` from now on."""
        assert self._loop is not None
        assert self._hub is not None
        asyncio.run_coroutine_threadsafe(self._hub.send_to(page), self._loop).result(20)

    def secure(self, code: str) -> str:
        return f"https://{NAME}:{self.tls_port}/jam/{code}"

    def insecure(self, code: str) -> str:
        return f"http://{NAME}:{self.port}/jam/{code}"

    async def _serve(self, ready: threading.Event) -> None:
        self._loop, self._ending = asyncio.get_running_loop(), asyncio.Event()
        options = HubOptions(
            hub_id="test",
            state_dir=self._state_dir,
            bind="127.0.0.1",
            port=self.port,
            tls_port=self.tls_port,
            max_per_address=64,
        )
        async with open_hub(options) as hub:
            self._hub, self.port, self.tls_port = hub, hub.port, hub.tls_port
            ready.set()
            await self._ending.wait()


class Musicians:
    """A browser profile for each musician; whatever their consoles complain about is collected."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self.complaints: list[str] = []

    def open(self, url: str, *, phone: bool = False) -> Page:
        context = self._browser.new_context(
            ignore_https_errors=True,  # the user who accepts the certificate
            viewport={"width": 390 if phone else 1200, "height": 844},
            is_mobile=phone,
            has_touch=phone,
            color_scheme="light" if phone else "dark",
        )
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", self._listen)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(url)
        return page

    def join(self, url: str, name: str, *, button: str = "Join", phone: bool = False) -> Page:
        page = self.open(url, phone=phone)
        page.get_by_label("Your name").fill(name)
        page.get_by_role("button", name=button, exact=True).click()
        expect(page.locator(f"#room-light{CONNECTED}")).to_be_visible(timeout=PATIENCE_MS)
        return page

    def close(self) -> None:
        for context in self._browser.contexts:
            context.close()

    def _listen(self, message: ConsoleMessage) -> None:
        hub_away = "WebSocket connection to" in message.text  # Chromium says so itself, and nothing can prevent it
        if message.type in ("error", "warning") and not hub_away:
            self.complaints.append(message.text)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    running = Hub(tmp_path_factory.mktemp("hub"))
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="module")
def browser(playwright: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Its microphone hears two tones."""
    with chromium(playwright, write_wav(tmp_path_factory.mktemp("sound") / "tone.wav", tone())) as running:
        yield running


@pytest.fixture
def musicians(browser: Browser) -> Iterator[Musicians]:
    """Whose consoles must not have complained."""
    group = Musicians(browser)
    yield group
    group.close()
    assert group.complaints == []


@pytest.fixture(scope="module")
def run(hub: Hub, browser: Browser) -> Run:
    """Runs the body of an async function in the jam page's own origin."""
    page = browser.new_context(ignore_https_errors=True).new_page()
    page.goto(hub.secure("ABC123"))
    return lambda body: page.evaluate(f"async () => {{ {body} }}")
