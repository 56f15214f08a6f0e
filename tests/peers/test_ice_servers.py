"""Which servers connections are made with, and what becomes of those that do not answer."""

import asyncio
import base64
import hashlib
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from jambridge import ice_url
from jambridge.ice_url import IceUrl
from jambridge.peers.ice_servers import LOGIN_S, IceServers, Server
from tests.fakes.waiting import until

STUN, STUN_2 = (Server(ice_url.parse(f"stun:s{number}")) for number in (1, 2))
TURN, TURN_2 = (Server(ice_url.parse(f"turn:t{number}"), "me", "hush") for number in (1, 2))


class Internet:
    """Where some servers do not answer."""

    def __init__(self) -> None:
        self.failing: dict[str, str] = {}
        self.asked: list[str] = []

    async def probe(self, url: IceUrl, _username: str, _credential: str) -> str | None:
        self.asked.append(url.text)
        await asyncio.sleep(0)
        return self.failing.get(url.text)


@asynccontextmanager
async def running(servers: IceServers) -> AsyncIterator[None]:
    task = asyncio.create_task(servers.run())
    yield
    task.cancel()


def test_one_of_each_kind_is_chosen_and_the_next_after_an_attempt_that_failed() -> None:
    servers = IceServers([STUN, STUN_2, TURN, TURN_2])
    assert servers.choose() == (STUN, TURN)
    servers.pass_over(servers.choose())
    assert servers.choose() == (STUN_2, TURN_2)
    servers.pass_over((TURN,))
    assert servers.choose() == (STUN_2, TURN_2), "another attempt had failed with the former"
    servers.pass_over((TURN_2,))
    assert servers.choose() == (STUN_2, TURN)


def test_nothing_but_turn_is_chosen_where_only_a_relay_may_be_used() -> None:
    assert IceServers([STUN, TURN], relay_only=True).choose() == (TURN,)


def test_no_servers_are_no_choice() -> None:
    servers = IceServers()
    servers.pass_over(())
    assert (servers.choose(), servers.errors, servers.would_add(())) == ((), {}, False)


def test_what_does_not_answer_is_left_out_until_it_does() -> None:
    internet = Internet()
    internet.failing = {"stun:s1": "no answer", "turn:t1": "its name is not known"}

    async def scenario() -> None:
        servers = IceServers([STUN, TURN, TURN_2], probe=internet.probe)
        async with running(servers):
            await until(lambda: len(servers.errors) == 2)
            assert servers.choose() == (TURN_2,)
            assert servers.errors == internet.failing
            assert not servers.would_add((TURN,)), "another TURN server is no reason to connect anew"
            internet.failing = {}
            await until(lambda: not servers.errors)
            assert servers.choose() == (STUN, TURN)
            assert servers.would_add((TURN,)), "now there is STUN"
            asked = len(internet.asked)
            await asyncio.sleep(0.05)
            assert len(internet.asked) == asked, "who answers is left in peace"

    asyncio.run(scenario())


def test_one_that_was_silent_is_left_out_at_once_and_asked_why() -> None:
    internet = Internet()

    async def scenario() -> None:
        servers = IceServers([TURN], probe=internet.probe)
        async with running(servers):
            await until(lambda: internet.asked == ["turn:t1"])
            internet.failing = {"turn:t1": "it refuses"}
            servers.was_silent(TURN)
            assert servers.choose() == ()
            assert servers.errors == {"turn:t1": "no answer"}
            await until(lambda: servers.errors == {"turn:t1": "it refuses"})

    asyncio.run(scenario())


def test_credentials_made_of_a_secret_hold_for_a_day() -> None:
    username, credential = Server(TURN.url, "band", secret="north").login(1_700_000_000.9)
    assert username == f"{1_700_000_000 + LOGIN_S}:band"
    assert base64.b64decode(credential) == hmac.new(b"north", username.encode(), hashlib.sha1).digest()
    # printf 86400 | openssl dgst -sha1 -hmac north -binary | base64
    assert Server(TURN.url, secret="north").login(0) == ("86400", "eajt6WNkZ2X+Zybd9RgeqGLkiEg=")


def test_a_servers_secrets_are_not_shown() -> None:
    assert "hush" not in repr(TURN)
    assert "north" not in repr(Server(TURN.url, secret="north"))
