"""A stock Firefox, driven by WebDriver BiDi (https://www.w3.org/TR/webdriver-bidi/), which it speaks by itself."""

import asyncio
import base64
import itertools
import json
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tests.fakes.browsers import NAME

FIREFOX = "/usr/bin/firefox-esr"
PATIENCE_S = 60.0  # its first start makes a profile
LOOK_S = 0.05
_PREFERENCES = {
    "media.navigator.permission.disabled": True,  # the musician who allows the microphone
    "media.navigator.streams.fake": True,  # which hears a tone
    "network.dns.localDomains": NAME,
}
_LISTENING = re.compile(r"WebDriver BiDi listening on (ws://\S+)")
_COMPLAINTS = ("error", "warn")
Answer = dict[str, Any]


class Firefox:
    """`complaints` are what its console says of any page."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self._asked: dict[int, asyncio.Future[Answer]] = {}
        self.complaints: list[str] = []

    async def ask(self, method: str, **parameters: Any) -> Answer:
        """Send a command; its result. AssertionError where there is none."""
        number, answered = next(self._ids), asyncio.get_running_loop().create_future()
        self._asked[number] = answered
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        async with asyncio.timeout(PATIENCE_S):
            answer: Answer = await answered
        assert answer["type"] == "success", answer
        result: Answer = answer["result"]
        return result

    async def open(self, url: str, width: int, height: int) -> "Tab":
        tab = Tab(self, (await self.ask("browsingContext.create", type="window"))["context"])
        viewport = {"width": width, "height": height}
        await self.ask("browsingContext.setViewport", context=tab.context, viewport=viewport)
        await self.ask("browsingContext.navigate", context=tab.context, url=url, wait="complete")
        return tab

    async def listen(self) -> None:
        """Take what it says, until it ends."""
        async for message in self._socket:
            said = json.loads(message.data)
            if said["type"] == "event":
                entry = said["params"]
                if said["method"] == "log.entryAdded" and entry["level"] in _COMPLAINTS:
                    self.complaints.append(f"{entry['level']}: {entry['text']}")
            elif said["id"] in self._asked:
                self._asked.pop(said["id"]).set_result(said)


class Tab:
    def __init__(self, browser: Firefox, context: str) -> None:
        self._browser = browser
        self.context = context

    async def evaluate(self, expression: str) -> Any:
        """What a JavaScript expression gives, or its promise, as JSON has it."""
        outcome = await self._browser.ask(
            "script.evaluate",
            expression=f"Promise.resolve({expression}).then((value) => JSON.stringify(value) ?? 'null')",
            target={"context": self.context},
            awaitPromise=True,
        )
        assert outcome["type"] == "success", outcome
        return json.loads(outcome["result"]["value"])

    async def until(self, condition: str) -> None:
        """Until a JavaScript expression holds."""
        async with asyncio.timeout(PATIENCE_S):
            while not await self.evaluate(f"Boolean({condition})"):  # noqa: ASYNC110  seen only from outside
                await asyncio.sleep(LOOK_S)

    async def click(self, selector: str) -> None:
        """With the mouse, as a person does."""
        locator = {"type": "css", "value": selector}
        (node,) = (await self._browser.ask("browsingContext.locateNodes", context=self.context, locator=locator))[
            "nodes"
        ]
        element = {"type": "element", "element": {"sharedId": node["sharedId"]}}
        steps = [
            {"type": "pointerMove", "x": 0, "y": 0, "origin": element},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        ]
        mouse = {"type": "pointer", "id": "mouse", "actions": steps}
        await self._browser.ask("input.performActions", context=self.context, actions=[mouse])

    async def shoot(self, file: Path) -> None:
        """A picture of the whole page, as PNG."""
        shot = await self._browser.ask("browsingContext.captureScreenshot", context=self.context, origin="document")
        await asyncio.to_thread(file.write_bytes, base64.b64decode(shot["data"]))


@asynccontextmanager
async def firefox(folder: Path) -> AsyncIterator[Firefox]:
    """Its profile and its words are kept in `folder`."""
    profile = folder / "profile"
    profile.mkdir(parents=True)
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in _PREFERENCES.items()]
    (profile / "user.js").write_text("".join(lines))
    arguments = ("--headless", "--no-remote", "--profile", str(profile), "--remote-debugging-port", "0")
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            FIREFOX, *arguments, env={**os.environ, "HOME": str(folder)}, stdout=log, stderr=log
        )
    try:
        address = await _address(folder / "log")
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{address}/session", max_msg_size=0) as socket,
            asyncio.TaskGroup() as group,
        ):
            browser = Firefox(socket)
            listening = group.create_task(browser.listen())
            await browser.ask("session.new", capabilities={"alwaysMatch": {"acceptInsecureCerts": True}})
            await browser.ask("session.subscribe", events=["log.entryAdded"])
            yield browser
            listening.cancel()
    finally:
        process.terminate()
        await process.wait()


async def _address(log: Path) -> str:
    async with asyncio.timeout(PATIENCE_S):
        while not (found := _LISTENING.search(log.read_text(errors="replace"))):  # noqa: ASYNC110, ASYNC240  a local file
            await asyncio.sleep(LOOK_S)
    return found[1]
