"""A real broker, Debian's mosquitto, that comes and goes; and who looks on as Home Assistant does."""

import asyncio
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import aiomqtt

PATIENCE_S = 30.0


class Mosquitto:
    """Use `open_mosquitto`. What is retained does not outlive it."""

    def __init__(self, directory: Path, port: int, users: dict[str, str]) -> None:
        self.port = port
        self._config = directory / "mosquitto.conf"
        lines = [f"listener {port} 127.0.0.1", "persistence false", "user root"]
        if users:
            passwords = directory / "passwords"
            passwords.write_text("".join(f"{name}:{password}\n" for name, password in users.items()))
            subprocess.run([_tool("mosquitto_passwd"), "-U", passwords], check=True)
            lines += ["allow_anonymous false", f"password_file {passwords}"]
        else:
            lines.append("allow_anonymous true")
        self._config.write_text("\n".join(lines) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen([_tool("mosquitto"), "-c", self._config], stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + PATIENCE_S
        while not _answers(self.port):
            assert time.monotonic() < deadline, "mosquitto does not start"
            time.sleep(0.02)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextmanager
def open_mosquitto(directory: Path, **users: str) -> Iterator[Mosquitto]:
    """A broker that takes everybody, or the users given with their passwords."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    broker = Mosquitto(directory, port, users)
    broker.start()
    try:
        yield broker
    finally:
        broker.kill()


class Onlooker:
    """Has the newest message of every topic."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self._client = client
        self._changed = asyncio.Condition()
        self.newest: dict[str, str] = {}

    async def look(self) -> None:
        async for message in self._client.messages:
            assert isinstance(message.payload, bytes)
            async with self._changed:
                self.newest[message.topic.value] = message.payload.decode(errors="replace")
                self._changed.notify_all()

    async def until(self, topic: str, holds: Callable[[str], object]) -> None:
        async with asyncio.timeout(PATIENCE_S), self._changed:
            await self._changed.wait_for(lambda: topic in self.newest and holds(self.newest[topic]))

    async def ask(self, topic: str, payload: str | bytes, *, retain: bool = False) -> None:
        await self._client.publish(topic, payload, 1, retain=retain)


@asynccontextmanager
async def open_onlooker(port: int, **login: str) -> AsyncIterator[Onlooker]:
    async with aiomqtt.Client("127.0.0.1", port, **login) as client:  # type: ignore[arg-type]
        await client.subscribe("#", 1)
        onlooker = Onlooker(client)
        looking = asyncio.create_task(onlooker.look())
        try:
            yield onlooker
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)


def _tool(name: str) -> str:
    found = shutil.which(name, path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    assert found, f"{name} is missing: scripts/test installs it"
    return found


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
