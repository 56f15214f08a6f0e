import pytest

from jambridge.status import access
from jambridge.status.access import COOKIE, OPEN, Access

TOKEN = "correct-horse-battery"
EVERYTHING = ("/status", "/events", "/metrics", "/api/state", "/api/stats", "/qr.svg", "/anything")


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("localhost", True),
        ("localhost:3080", True),
        ("127.0.0.1:3080", True),
        ("127.9.9.9", True),
        ("[::1]:3080", True),
        ("192.168.1.7:3080", True),
        ("192.168.1.8", False),
        ("box.local", True),
        ("BOX.local:80", True),
        ("evil.example", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("user@evil.example", False),
        ("[broken", False),
        ("", False),
    ],
)
def test_only_names_of_this_machine_and_the_address_that_was_asked_are_known(host: str, known: bool) -> None:
    assert Access(None, ["Box.local"]).knows(host, "192.168.1.7") is known


def test_an_ipv4_address_is_known_where_the_socket_calls_it_ipv6() -> None:
    assert Access(None, ()).knows("192.168.1.7:3080", "::ffff:192.168.1.7")


@pytest.mark.parametrize("path", EVERYTHING)
def test_from_another_machine_nothing_is_told_without_the_token(path: str) -> None:
    guarded = Access(TOKEN, ())

    assert guarded.refusal(path, is_near=False) is not None
    assert guarded.refusal(path, is_near=False, authorization=f"Bearer {TOKEN}x") is not None
    assert guarded.refusal(path, is_near=False, authorization="Bearer ") is not None
    assert guarded.refusal(path, is_near=False, authorization=f"Basic {TOKEN}") is not None
    assert guarded.refusal(path, is_near=False, cookie=TOKEN) is not None
    assert guarded.refusal(path, is_near=False, cookie="") is not None
    assert guarded.refusal(path, is_near=False, authorization=f"bearer {TOKEN}") is None
    assert guarded.refusal(path, is_near=False, cookie=guarded.cookie) is None


@pytest.mark.parametrize("path", EVERYTHING)
def test_without_a_token_only_this_machine_may_ask(path: str) -> None:
    assert Access(None, ()).refusal(path, is_near=False, authorization="Bearer ", cookie="") is not None
    assert Access(None, ()).refusal(path, is_near=True) is None


def test_the_figures_take_the_token_on_this_machine_as_well() -> None:
    guarded = Access(TOKEN, ())

    assert guarded.refusal("/api/stats", is_near=True) is not None
    assert guarded.refusal("/api/stats", is_near=True, authorization=f"Bearer {TOKEN}") is None
    assert guarded.refusal("/status", is_near=True) is None


@pytest.mark.parametrize("path", sorted(OPEN | {"/page/box.js"}))
def test_what_tells_nothing_of_the_box_is_open(path: str) -> None:
    assert Access(TOKEN, ()).refusal(path, is_near=False) is None


def test_a_cookie_is_of_its_token_and_does_not_show_it() -> None:
    assert Access(TOKEN, ()).cookie == Access(TOKEN, ()).cookie != Access(f"{TOKEN}2", ()).cookie
    assert TOKEN not in Access(TOKEN, ()).cookie
    assert COOKIE.isalnum()


@pytest.mark.parametrize(
    ("peer", "forwarded", "near"),
    [
        ("127.0.0.1", None, True),
        ("::1", None, True),
        ("::ffff:127.0.0.1", None, True),
        ("192.168.1.7", None, True),  # itself, by its own address
        ("192.168.1.8", None, False),
        ("127.0.0.1", "for=203.0.113.9", False),
        ("", None, False),
    ],
)
def test_who_is_near(peer: str, forwarded: str | None, near: bool) -> None:
    assert access.is_near(peer, "192.168.1.7", forwarded) is near
