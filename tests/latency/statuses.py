"""Readings of /status, as far as latency is read from them."""

from typing import Any


def peer(name: str = "Anna", **changes: Any) -> dict[str, Any]:
    return {
        "id": name.lower(),
        "name": name,
        "state": "connected",
        "path": "host",
        "latency_ms": {"network": 0.4, "jitter": 1.0, "playout": 6.1},
        "packets": 1000,
        **changes,
    }


def card(**changes: Any) -> dict[str, Any]:
    return {"card": "USB", "latency_ms": 8.0, "rate_hz": 48_000, **changes}


def status(*peers: dict[str, Any], sends: bool = True, strips: int = 0, **cards: Any) -> dict[str, Any]:
    line_in = {**card(), "sends": sends, "packet_ms": 5.0, **cards.get("input", {})}
    return {
        "audio": {"input": line_in, "output": {**card(), **cards.get("output", {})}, "peers": list(peers)},
        "light": {"controllers": [{"state": "driven"}] * strips},
    }
