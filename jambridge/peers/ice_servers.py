"""Which of the configured STUN and TURN servers connections are made with.

aiortc uses one of each and passes over the rest, so one of each is chosen here: the first that answers, and the next
after an attempt that failed. What does not answer is asked again until it does, and costs no connection its time.
"""

import asyncio
import base64
import contextlib
import hmac
import logging
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from jambridge.ice_url import IceUrl
from jambridge.peers import ice_probe

log = logging.getLogger(__name__)

LOGIN_S = 24 * 3600
WANTED_S = 20.0  # an attempt to connect takes fifteen at most
WAIT_WANTED_S, WAIT_S = 0.5, 10.0  # before a server is asked again: while somebody tries to connect, and else
NO_ANSWER = "no answer"


@dataclass(frozen=True, slots=True)
class Server:
    """`secret` is what time-limited credentials are made of; then `username` only tells their owner."""

    url: IceUrl
    username: str = ""
    credential: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)

    def login(self, now_s: float) -> tuple[str, str]:
        """Username and credential at `now_s`, seconds since 1970; those made of a secret hold for a day.

        Source: draft-uberti-behave-turn-rest-00 section 2.2.
        """
        if not self.secret:
            return self.username, self.credential
        username = ":".join(filter(None, (str(int(now_s) + LOGIN_S), self.username)))
        digest = hmac.digest(self.secret.encode(), username.encode(), "sha1")
        return username, base64.b64encode(digest).decode()


Probe = Callable[[IceUrl, str, str], Awaitable[str | None]]
"""Asks a server, given username and credential; says what is wrong with it, None if nothing is."""


class IceServers:
    """What all connections of a mesh share of their servers; `relay_only` lets them use nothing but TURN."""

    def __init__(
        self,
        servers: Iterable[Server] = (),
        *,
        relay_only: bool = False,
        probe: Probe = ice_probe.ask,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.relay_only = relay_only
        self._probe = probe
        self._wall = wall
        everyone = tuple(servers)
        stun = () if relay_only else (server for server in everyone if not server.url.is_turn)
        self._queues = (deque(stun), deque(server for server in everyone if server.url.is_turn))
        self._errors: dict[Server, str] = {}
        self._wanted_at = -math.inf
        self._doubted: dict[Server, asyncio.Event] = {
            server: asyncio.Event() for queue in self._queues for server in queue
        }

    def choose(self) -> tuple[Server, ...]:
        """For the next connection: one of each kind, as far as one is known or not known yet to answer."""
        self._wanted_at = time.monotonic()
        for server in self._errors:
            self._doubted[server].set()
        found = (next((server for server in queue if server not in self._errors), None) for queue in self._queues)
        return tuple(server for server in found if server is not None)

    def was_silent(self, server: Server) -> None:
        """A connection got nothing of it."""
        self._errors.setdefault(server, NO_ANSWER)
        self._doubted[server].set()

    def pass_over(self, servers: Collection[Server]) -> None:
        """An attempt with these failed, whosever fault it was: the next shall have their chance."""
        for queue in self._queues:
            if queue and queue[0] in servers:
                queue.rotate(-1)

    def would_add(self, had: Collection[Server]) -> bool:
        """Whether a connection anew would have a kind of server that one with these has not."""
        present = {server.url.is_turn for server in self._doubted if server not in self._errors}
        return bool(present - {server.url.is_turn for server in had})

    @property
    def errors(self) -> Mapping[str, str]:
        """URL → what is wrong with that server; the others are in use."""
        return {server.url.text: reason for server, reason in self._errors.items()}

    @property
    def urls(self) -> tuple[str, ...]:
        return tuple(server.url.text for server in self._doubted)

    async def run(self) -> None:
        """Ask every server once, and whichever does not answer until it does."""
        if any(len(queue) > 1 for queue in self._queues):
            log.info("one STUN and one TURN server are used at a time, the next when one fails")
        async with asyncio.TaskGroup() as group:
            for server in self._doubted:
                group.create_task(self._follow(server))

    async def _follow(self, server: Server) -> None:
        while True:
            self._doubted[server].clear()
            reason = await self._probe(server.url, *server.login(self._wall()))
            self._note(server, reason)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if reason is None else self._wait_s):
                    await self._doubted[server].wait()

    @property
    def _wait_s(self) -> float:
        return WAIT_WANTED_S if time.monotonic() - self._wanted_at < WANTED_S else WAIT_S

    def _note(self, server: Server, reason: str | None) -> None:
        before = self._errors.get(server)
        if reason is None:
            self._errors.pop(server, None)
        else:
            self._errors[server] = reason
        if reason != before:
            level = logging.INFO if reason is None else logging.WARNING
            log.log(level, "a server for connections %s url=%s", reason or "answers", server.url)
