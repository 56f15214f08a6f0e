import pytest
from hypothesis import given
from hypothesis import strategies as st

from jambridge import ice_url
from jambridge.ice_url import IceUrl


@pytest.mark.parametrize(
    ("text", "host", "port", "is_turn", "is_tls", "transport"),
    [
        ("stun:stun.l.google.com:19302", "stun.l.google.com", 19302, False, False, "udp"),
        ("stun:192.0.2.1", "192.0.2.1", 3478, False, False, "udp"),
        ("turn:turn.example.org", "turn.example.org", 3478, True, False, "udp"),
        ("turn:turn.example.org?transport=tcp", "turn.example.org", 3478, True, False, "tcp"),
        ("turns:turn.example.org", "turn.example.org", 5349, True, True, "tcp"),
        ("turns:turn.example.org:443?transport=tcp", "turn.example.org", 443, True, True, "tcp"),
    ],
)
def test_a_url_says_where_a_server_is_and_how_to_speak_with_it(
    text: str, host: str, port: int, is_turn: bool, is_tls: bool, transport: str
) -> None:
    assert ice_url.parse(text) == IceUrl(text, host, port, is_turn, is_tls, transport)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("https://turn.example.org", "must begin with stun:, turn: or turns:"),
        ("turn://turn.example.org", "without //"),
        ("stuns:turn.example.org", "STUN over TLS is not supported"),
        ("turn:me:secret@turn.example.org", "beside the URL"),
        ("turn:[2001:db8::1]:3478", "IPv6"),
        ("turns:turn.example.org?transport=udp", "the transport of turns: is tcp"),
        ("turn:turn.example.org?transport=sctp", "the transport of turn: is udp or tcp"),
        ("stun:turn.example.org?transport=udp", "the transport of stun: has none"),
        ("turn:turn.example.org:99999", "no port 99999"),
        ("turn:", "is no URL"),
        ("turn:a b", "is no URL"),
        ("", "must begin with"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason.replace("?", r"\?")):
        ice_url.parse(text)


@given(st.text() | st.from_regex(r"(stun|turns?):.{0,40}"))
def test_any_text_is_a_url_or_a_value_error(text: str) -> None:
    try:
        assert 0 < ice_url.parse(text).port < 1 << 16
    except ValueError as exc:
        assert str(exc)
