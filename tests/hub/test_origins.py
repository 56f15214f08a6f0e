"""Which pages may connect."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jambridge.hub import origins

NAMES = frozenset({"pi", "pi.local", "192.168.1.20"})


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        (None, "pi.local:3001"),
        ("https://pi.local:3443", "pi.local:3443"),
        ("http://192.168.1.20:3001", "192.168.1.20:3001"),
        ("https://10.0.0.7:3443", "10.0.0.7:3443"),
        ("https://[fd00::2]:3443", "[fd00::2]:3443"),
        ("https://jam.lan", "jam.lan"),
        ("https://example.org", "pi.local:3443"),
        ("http://localhost:5173", "pi.local:3001"),
        ("https://jam-dev.audiolux.app", "pi.local:3443"),
    ],
)
def test_bridges_the_hubs_own_page_and_configured_pages_may(origin: str | None, host: str) -> None:
    assert origins.allowed(origin, host, NAMES, configured=("https://example.org",))


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://evil.example", "pi.local:3443"),
        ("http://rebound.example:3001", "rebound.example:3001"),
        ("http://pi.local:8080", "pi.local:3001"),
        ("null", "pi.local:3001"),
        ("file://pi.local:3001", "pi.local:3001"),
        ("https://pi.local:3443@evil.example", "pi.local:3443"),
        ("http://jam-dev.audiolux.app", "pi.local:3443"),
        ("https://localhost:5173", "pi.local:3443"),
        ("", ""),
        ("http://[", "["),
    ],
)
def test_others_may_not(origin: str, host: str) -> None:
    assert not origins.allowed(origin, host, NAMES, configured=())


@given(st.text(), st.text())
def test_any_header_is_answered(origin: str, host: str) -> None:
    with contextlib.suppress(AssertionError):
        origins.allowed(origin, host, NAMES, ())


@pytest.mark.parametrize("host", ["pi:3001", "192.168.1.20:3001", "[fd00::2]:3001", "box.lan", "example.org:3001"])
def test_the_hub_knows_the_names_it_may_have(host: str) -> None:
    assert origins.host_known(host, NAMES, ("https://example.org:3001",))


@pytest.mark.parametrize("host", ["rebound.example:3001", "example.org", "", "[", "pi.local@evil.example"])
def test_the_hub_knows_no_other(host: str) -> None:
    assert not origins.host_known(host, NAMES, ("https://example.org:3001",))


@given(st.text())
def test_any_host_is_answered(host: str) -> None:
    assert origins.host_known(host, NAMES, ()) in (True, False)
