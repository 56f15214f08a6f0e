"""The daemon's own word; a real one is asked in `tests/scenarios/test_doctor.py`."""

from typing import Any

from jambridge.doctor.finding import Verdict
from jambridge.doctor.judge import daemon
from jambridge.latency.budget import Basis, Kind, Stage, Way


def status(**changes: Any) -> dict[str, Any]:
    well = {
        "uptime_s": 61.2,
        "room": {"connection": "connected", "participants": [{}, {}]},
        "services": {"mesh": {"state": "running", "last_error": "was away"}},
        "alerts": [],
    }
    return {**well, **changes}


def test_one_that_is_well() -> None:
    (found,) = daemon.daemon(status(), is_claimed=True)

    assert (found.verdict, found.reason) == (Verdict.GOOD, "runs for 61 s, connected, 2 in the room")


def test_services_that_fail_and_alerts_are_told() -> None:
    services = {
        "line-in": {"state": "waiting", "last_error": "no card"},
        "room": {"state": "starting", "last_error": None},
    }
    alerts = [{"text": "Connection lost, reconnecting...", "cause": "the hub is gone"}]
    well, service, alert = daemon.daemon(status(services=services, alerts=alerts), is_claimed=True)

    assert well.verdict is Verdict.GOOD
    assert (service.verdict, service.reason) == (Verdict.FAILURE, "its service line-in is waiting: no card")
    assert alert.reason == "Connection lost, reconnecting...: the hub is gone"


def test_one_that_is_not_in_its_room() -> None:
    (found,) = daemon.daemon(status(room={"connection": "reconnecting", "participants": []}), is_claimed=True)

    assert found.verdict is Verdict.WARNING


def test_one_that_does_not_run_and_one_that_does_not_answer() -> None:
    (absent,) = daemon.daemon(None, is_claimed=False)
    (elsewhere,) = daemon.daemon(None, is_claimed=True)

    assert absent.verdict is Verdict.NOTE
    assert elsewhere.verdict is Verdict.WARNING
    assert "--config" in elsewhere.remedy


def way(ms: float | None, doubt: str | None = None) -> Way:
    return Way(
        Kind.HEARD, "Ada", "host", (Stage("network", ms, Basis.MEASURED),), (), "a cable instead of Wi-Fi", doubt
    )


def test_ways_are_judged_by_their_length() -> None:
    verdicts = [one.verdict for one in daemon.latency([way(12), way(70), way(140), way(None)], is_running=True)]
    short, _, long, _ = daemon.latency([way(12), way(70), way(140), way(None)], is_running=True)

    assert verdicts == [Verdict.GOOD, Verdict.WARNING, Verdict.FAILURE, Verdict.NOTE]
    assert (short.check, short.reason) == ("latency heard Ada", "12 ms of 50")
    assert (long.reason, long.remedy) == ("140 ms of 50: too late to play in time", "a cable instead of Wi-Fi")


def test_without_ways_it_is_said_how_to_measure() -> None:
    assert [one.verdict for one in daemon.latency([], is_running=False)] == [Verdict.NOTE]
    assert "jambridge latency" in daemon.latency([], is_running=True)[0].remedy
