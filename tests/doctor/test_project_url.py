import pytest
from hypothesis import given
from hypothesis import strategies as st

from jambridge.doctor import project_url
from jambridge.doctor.finding import Verdict
from jambridge.doctor.project_url import Target


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://abcdefgh.supabase.co", Target("https://abcdefgh.supabase.co", "abcdefgh.supabase.co", 443, tls=True)),
        ("http://box.local:3001", Target("http://box.local:3001", "box.local", 3001, tls=False)),
        ("http://192.168.1.7:3001", Target("http://192.168.1.7:3001", "192.168.1.7", 3001, tls=False)),
        ("http://[fd00::1]:3001", Target("http://[fd00::1]:3001", "fd00::1", 3001, tls=False)),
        ("http://localhost", Target("http://localhost", "localhost", 80, tls=False)),
    ],
)
def test_a_project_or_a_hub_is_an_address(url: str, target: Target) -> None:
    finding, found = project_url.judge(url)

    assert (finding.verdict, found) == (Verdict.GOOD, target)


@pytest.mark.parametrize("url", ["http://abcdefgh.supabase.co", "http://8.8.8.8:3001"])
def test_the_internet_without_tls_is_warned_of(url: str) -> None:
    finding, target = project_url.judge(url)

    assert (finding.verdict, finding.remedy) == (Verdict.WARNING, "use https://")
    assert target is not None


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "is no address"),
        ("abcdefgh.supabase.co", "does not begin with https://"),
        ("abcdefgh", "does not begin with https://"),
        ("https://", "does not begin with https://"),
        ("postgresql://postgres@db.abcdefgh.supabase.co:5432/postgres", "does not begin with https://"),
        ("https://abcdefgh.supabase.co\n", "is no address"),
        ("https://abc defgh.supabase.co", "is no address"),
        ("https://user:secret@abcdefgh.supabase.co", "there is a user or a password in the address"),
        ("https://supabase.com/dashboard/project/abcdefgh", "the address of the dashboard"),
        ("https://abcdefgh.supabase.co/rest/v1", "there is more than a host in it: /rest/v1"),
        ("https://abcdefgh.supabase.co?x=1", "there is more than a host in it: ?x=1"),
        ("https://abcdefgh.supabase.co:99999", "is no address"),
        ("https://[::1", "is no address"),
    ],
)
def test_anything_else_is_refused_with_the_reason(url: str, reason: str) -> None:
    finding, target = project_url.judge(url)

    assert target is None
    assert finding.verdict is Verdict.FAILURE
    assert reason in finding.reason
    assert "https://PROJECT.supabase.co" in finding.remedy
    assert "secret" not in finding.reason


@given(st.text() | st.text().map("https://{}".format))
def test_any_text_is_judged(text: str) -> None:
    finding, target = project_url.judge(text)

    assert (target is None) == (finding.verdict is Verdict.FAILURE)
    assert finding.reason.isprintable()
