import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jambridge.doctor.redaction import MASK, Redaction, written_in

SECRET = 'p/ss "wörd"+1'
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoiYW5vbiJ9.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    "form",
    [SECRET, quote(SECRET, safe=""), json.dumps(SECRET), base64.b64encode(SECRET.encode()).decode()],
    ids=["plain", "in a URL", "in JSON", "in base64"],
)
def test_a_known_secret_goes_however_it_is_written(form: str) -> None:
    told = Redaction([SECRET]).text(f"before {form} behind")

    assert form.strip('"') not in told
    assert told.startswith("before ")
    assert told.endswith(" behind")


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (f"realtime wss://x.supabase.co/socket?apikey={TOKEN}&vsn=1.0.0 open", "&vsn=1.0.0 open"),
        (f"Authorization: Bearer {TOKEN}", "Authorization: Bearer"),
        ("Authorization: Basic YmFuZDpvcGVuc2VzYW1l", "Basic"),
        ("the key sb_secret_0123456789abcdef is refused", "is refused"),
        ("the key sb_publishable_0123456789abcdef", "the key"),
        ("token sbp_0123456789abcdef", "token"),
        ("hub at http://ada:opensesame@192.168.1.7:3001/ is gone", "@192.168.1.7:3001/ is gone"),
        ("turn:band:opensesame@turn.example.org does not answer", "@turn.example.org does not answer"),
        ("open http://box:3080/login#0123456789abcdef", "http://box:3080/login#"),
        ("credential=opensesame url=turn:t", "url=turn:t"),
        ("-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\n-----END EC PRIVATE KEY-----\nmore", "more"),
        ("-----BEGIN PRIVATE KEY-----\nMHcCAQEE", ""),
        ("Room OLDER2, link https://192.168.1.7:3443/jam/OLDER2", ", link https://192.168.1.7:3443/jam/"),
        ("Resumed from OLDER2 in the new room OLDER-2.", " in the new room "),
        ("Session OLDER2 restored successfully", " restored successfully"),
        ("session not resumed id=OLDER2 error=gone", " error=gone"),
        ("joined topic=room:OLDER2", "joined topic=room:"),
        ("members came room=OLDER2 peers=3 names=Ada ids=a1", "peers=3 names=Ada"),
    ],
)
def test_what_looks_like_a_secret_goes_and_the_rest_stays(text: str, kept: str) -> None:
    told = Redaction(()).text(text)

    assert MASK in told
    assert kept in told
    for secret in (TOKEN, "YmFuZDpvcGVuc2VzYW1l", "opensesame", "0123456789abcdef", "MHcCAQEE", "OLDER2", "OLDER-2"):
        assert secret not in told


@pytest.mark.parametrize(
    "text",
    [
        "a broadcast was dropped key=C scale=major tempo=120",
        "stun:stun.l.google.com:19302 answers",
        "mail to ada@example.org",
        "hub found url=http://192.168.1.7:3001",
        "secret_file: /etc/jambridge/turn-secret",
        "12:34:56 I jambridge.app: joined",
        "another hub stays id=0123456789abcdef address=192.168.1.7",
        "Room codes are six letters; 3 in the room now",
    ],
)
def test_what_is_none_stays(text: str) -> None:
    assert Redaction(()).text(text) == text


def test_json_is_masked_by_its_names_as_well() -> None:
    told = Redaction(["ABC123"]).value(
        {
            "anon_key": 5,
            "credential": "x",
            "turnSecret": "x",
            "password": None,
            "key": "C",
            "room": {"code": "ABC123", "link": "https://h/jam/ABC123"},
            "list": [{"token": ["x"]}, 1.5, True, None],
        }
    )

    assert told == {
        "anon_key": MASK,
        "credential": MASK,
        "turnSecret": MASK,
        "password": None,
        "key": "C",
        "room": {"code": MASK, "link": f"https://h/jam/{MASK}"},
        "list": [{"token": MASK}, 1.5, True, None],
    }


def test_a_short_secret_does_not_take_every_word_along() -> None:
    assert Redaction(["a", ""]).text("an apple") == "an apple"


def test_secrets_of_a_file_that_cannot_be_used_are_known() -> None:
    found = written_in(
        "supabase:\n  anon_key: 'opensesame'\nwebrtc: {ice_servers: [{urls: turn:t, credential: \"bandroom\",\n"
        "  secret_file: /etc/turn}]}\n broken: [\n  password: null\n"
    )

    assert {"opensesame", "bandroom"} <= found
    assert not found & {"/etc/turn", "null"}


@given(st.text(min_size=4, max_size=20), st.text(max_size=60), st.text(max_size=60))
def test_no_secret_survives(secret: str, before: str, behind: str) -> None:
    if secret in MASK:
        return
    assert secret not in Redaction([secret]).text(before + secret + behind).replace(MASK, "")
