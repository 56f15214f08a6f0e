"""`/metrics` of a status."""

from typing import Any

from jambridge.status import metrics, snapshot
from jambridge.store.service import StoreReport
from jambridge.store.transport import Pool
from jambridge.strict_json import JsonObject

CARD = {"card": None, "blocks": 0, "missed": 0, "cpu_s": 0.0, "peak_dbfs": -90.0}
QUOTA = {"messages_sent": 7, "messages_received": 21, "days_left": 12.5}
REPORT = StoreReport(pending=1, pool=Pool(active=1, idle=2, timeouts=3), minutes=42)


def status(**sections: Any) -> JsonObject:
    """Of a box that is alone, without devices."""
    return {
        "version": "1.0.0",
        "uptime_s": 3.0,
        "services": {},
        "alerts": [],
        "clock": {"delay_ms": None},
        "store": snapshot.store(REPORT),
        "room": {"connection": "connected", "participants": [], "dropped": {}, "quota": QUOTA},
        "state": {"tempo": 120, "isPlaying": False},
        "audio": {"input": CARD, "output": CARD, "peers": [], "ice": {}, "dropped": {}},
        "midi": {"sent": 0, "received": 0, "dropped": 0},
        "light": {"process": None, "controllers": []},
        **sections,
    }


def samples(shown: JsonObject) -> dict[str, float]:
    lines = metrics.text(shown, viewers=0, bad_requests=0).decode().splitlines()
    return {name: float(value) for name, value in (line.split(" ") for line in lines if not line.startswith("#"))}


def test_the_store_and_what_supabase_bills_are_figures() -> None:
    wanted = {
        "supabase_days_left": 12.5,
        "session_duration_seconds": 2520.0,
        "store_pending_sessions": 1.0,
        'store_connections{state="active"}': 1.0,
        'store_connections{state="idle"}': 2.0,
        "store_timeouts_total": 3.0,
    }

    shown = samples(status())

    assert {name: shown.get(f"jambridge_{name}") for name in wanted} == wanted


def test_what_is_not_known_is_left_out() -> None:
    quiet = status(store=snapshot.store(None), room={**status()["room"], "quota": {**QUOTA, "days_left": None}})

    left_out = ("supabase_days_left", "session_duration", "store_connections", "store_timeouts")
    assert [name for name in samples(quiet) if name.removeprefix("jambridge_").startswith(left_out)] == []
