import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jambridge import supabase_key
from tests.store.postgrest.cluster import ANON_KEY, SERVICE_KEY, jwt


def token(payload: bytes) -> str:
    return "eyJhbGciOiJIUzI1NiJ9." + base64.urlsafe_b64encode(payload).rstrip(b"=").decode() + ".c2lnbmF0dXJl"


@pytest.mark.parametrize("key", [ANON_KEY, "sb_publishable_0123456789abcdefghij_01234567"])
def test_a_public_key_is_accepted(key: str) -> None:
    assert supabase_key.check(key) is None
    assert supabase_key.is_public(key)


@pytest.mark.parametrize("key", ["any", "any.key.works", "hub"])
def test_what_only_a_hub_would_take_is_not_refused_but_no_public_key_either(key: str) -> None:
    assert supabase_key.check(key) is None
    assert not supabase_key.is_public(key)


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (SERVICE_KEY, "this is the service_role key: it passes by every row-level security rule"),
        (jwt("authenticated"), "this is somebody's sign-in, which expires"),
        (jwt("supabase_admin"), "this is no public key: its role is not anon"),
        (token(b'{"iss": "supabase"}'), "this is no public key: its role is not anon"),
        (token(b'{"role": ["anon"]}'), "this is no public key: its role is not anon"),
        ("sb_secret_0123456789", "this is the project's secret key: it passes by every row-level security rule"),
        ("sbp_0123456789abcdef", "this is an access token for the whole Supabase account"),
        (ANON_KEY[:-60], "this key is damaged: copy it whole"),
        (token(b'{"role": "anon", "role": "service_role"}'), "this key is damaged: copy it whole"),
        (token(b'{"role": "anon"'), "this key is damaged: copy it whole"),
        ("", "this is no key: it is empty"),
        (" \n", "this is no key: it is empty"),
        (f'"{ANON_KEY}"', "this is no key: there are quotation marks in it"),
        (f"'{ANON_KEY}'", "this is no key: there are quotation marks in it"),
        (f"Bearer {ANON_KEY}", "this is no key: leave out the word Bearer"),
        (f"{ANON_KEY[:40]}\n{ANON_KEY[40:]}", "this is no key: there are blanks or line breaks in it"),
        ("https://abcdefgh.supabase.co", "this is no key: this is an address"),
        (f"SUPABASE_ANON_KEY={ANON_KEY}", "this is no key: leave out the name before the equals sign"),
        (f"{ANON_KEY}…", "this is no key: there are characters in it that no key has"),
        ("x" * 4097, "this is no key: it is too long"),
    ],
)
def test_any_other_is_refused_with_the_reason_and_the_remedy(key: str, reason: str) -> None:
    assert supabase_key.check(key) == f"{reason}; {supabase_key.INSTEAD}"
    assert not supabase_key.is_public(key)


@given(st.text() | st.binary().map(token) | st.recursive(st.none() | st.text(), st.lists).map(json.dumps))
def test_any_text_is_judged_and_never_said_back(text: str) -> None:
    reason = supabase_key.check(text)

    assert reason is None or reason.endswith(supabase_key.INSTEAD)
    assert len(text) < 16 or text not in (reason or "")


@given(st.dictionaries(st.text(), st.text() | st.none()), st.sampled_from(["service_role", "supabase_admin", "root"]))
def test_no_signed_secret_key_slips_through(claims: dict[str, str | None], role: str) -> None:
    assert supabase_key.check(token(json.dumps({**claims, "role": role}).encode())) is not None
