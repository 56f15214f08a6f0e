"""`/metrics`: the status in Prometheus's text format. Labels are kinds, never people: a jam adds no time series.

Pure but for the library's own state. Source: the status's shape; names as https://prometheus.io/docs/practices/naming/
wants them.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from jambridge.errors import Text
from jambridge.light import consent
from jambridge.strict_json import JsonObject

CONTENT_TYPE = CONTENT_TYPE_LATEST
_PATHS = ("host", "srflx", "relay")
_PEER_STATES = ("connected", "reconnecting", "disconnected")
_MS = 1000.0
Labelled = Mapping[str, float | None]


def text(status: JsonObject, viewers: int, bad_requests: int) -> bytes:
    """One scrape.

    Args:
        status: as `/status`.
        viewers: who look at `/events`.
        bad_requests: what was no HTTP.
    """
    registry = CollectorRegistry(auto_describe=False)
    others = (metric for section in (_store, _room, _sound, _light) for metric in section(status))
    registry.register(_Once([*_box(status, viewers, bad_requests), *others]))
    return bytes(generate_latest(registry))


class _Once(Collector):
    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        yield from self._metrics


def _box(status: JsonObject, viewers: int, bad_requests: int) -> Iterator[Metric]:
    services, active = status["services"], {alert["code"] for alert in status["alerts"]}
    clock = status["clock"]
    yield _gauges("info", "Always 1; the version is its label.", "version", {status["version"]: 1.0})
    yield _gauge("uptime_seconds", "Since the daemon started.", status["uptime_s"])
    running = {name: one["state"] == "running" for name, one in services.items()}
    yield _gauges("service_up", "Whether the service runs.", "service", running)
    restarts = {name: one["restarts"] for name, one in services.items()}
    yield _counters("service_restarts", "After a failure.", "service", restarts)
    codes = {code.name.lower(): float(code.name.lower() in active) for code in Text}
    yield _gauges("alert_active", "Whether people are told of it now.", "code", codes)
    yield _gauge("page_viewers", "Who look at the page.", viewers)
    yield _counter("http_bad_requests", "What was no HTTP.", bad_requests)
    delay = clock["delay_ms"]
    yield _gauge("room_clock_delay_seconds", "Round trip to the host.", None if delay is None else delay / _MS)


def _store(status: JsonObject) -> Iterator[Metric]:
    store = status["store"]
    pool, minutes = store.get("pool", {}), store.get("minutes")
    yield _gauge("store_pending_sessions", "Not at the room's own database yet.", store.get("pending", 0))
    used = {state: pool.get(state) for state in ("active", "idle")}
    yield _gauges("store_connections", "To that database, at most four.", "state", used)
    yield _counter("store_timeouts", "Requests to it that ran out of time.", pool.get("timeouts"))
    seconds = None if minutes is None else 60 * minutes
    yield _gauge("session_duration_seconds", "In whole minutes, while this box hosts.", seconds)


def _room(status: JsonObject) -> Iterator[Metric]:
    room, state = status["room"], status["state"]
    yield _gauge("room_connected", "Whether the box has its seat.", room["connection"] == "connected")
    yield _gauge("room_participants", "In the room, the box among them.", len(room["participants"]))
    yield _counters("room_dropped", "Not sent or not taken.", "reason", room["dropped"])
    yield _gauge("tempo_bpm", "Beats a minute.", state["tempo"])
    yield _gauge("playing", "Whether the beat runs.", state["isPlaying"])
    if quota := room["quota"]:
        messages = {way: quota[f"messages_{way}"] for way in ("sent", "received")}
        yield _counters("supabase_messages", "That the project is billed for.", "direction", messages)
        yield _gauge("supabase_days_left", "Of a month's messages, at the last pace.", quota["days_left"])


def _sound(status: JsonObject) -> Iterator[Metric]:
    audio, midi = status["audio"], status["midi"]
    cards = {"input": audio["input"], "output": audio["output"]}
    peers = audio["peers"]
    yield _gauges(
        "card_up", "Whether the sound card is in use.", "card", _of(cards, lambda one: one["card"] is not None)
    )
    yield _counters("card_blocks", "Callbacks.", "card", _of(cards, lambda one: one["blocks"]))
    yield _counters("card_missed_blocks", "Before which sound was lost.", "card", _of(cards, lambda one: one["missed"]))
    yield _counters("card_cpu_seconds", "Of its process.", "card", _of(cards, lambda one: one["cpu_s"]))
    yield _gauges("card_peak_dbfs", "Of the last moment.", "card", _of(cards, lambda one: one["peak_dbfs"]))
    states = {state: sum(peer["state"] == state for peer in peers) for state in _PEER_STATES}
    yield _gauges("peers", "Musicians by the state of their connection.", "state", states)
    paths = {path: sum(peer["path"] == path for peer in peers) for path in _PATHS}
    yield _gauges("peer_paths", "Connections by the way they go.", "path", paths)
    made = audio["ice"].get("selected_pairs", {})
    yield _counters("ice_selected_pair", "Connections made, by the way that was found.", "type", made)
    latency = {part: _most(peer["latency_ms"][part] for peer in peers) for part in ("network", "jitter", "playout")}
    seconds = {part: None if most is None else most / _MS for part, most in latency.items()}
    yield _gauges("peer_latency_seconds", "Of the musician with the longest.", "part", seconds)
    yield _gauge("peer_loss_ratio", "Of the musician with the most, 0 to 1.", _most(peer["loss"] for peer in peers))
    yield _counters("peer_dropped", "Not taken from musicians.", "reason", audio["dropped"])
    ways = {"sent": midi["sent"], "received": midi["received"], "dropped": midi["dropped"]}
    yield _counters("midi_messages", "Over the room.", "way", ways)


def _light(status: JsonObject) -> Iterator[Metric]:
    process, controllers = status["light"]["process"], status["light"]["controllers"]
    if process:
        yield _counter("light_ticks", "Frames made.", process["ticks"])
        yield _counter("light_late_ticks", "More than a quarter of a frame late.", process["late_ticks"])
        yield _counter("light_cpu_seconds", "Of the light's process.", process["cpu_s"])
        yield _counter("detector_cpu_seconds", "Of that, to find notes.", process["detector_s"])
    found = {state: sum(one["state"] == state for one in controllers) for state in get_args(consent.State)}
    yield _gauges("controllers", "WLEDs seen.", "state", found)
    driven = [one for one in controllers if one["state"] == "driven"]
    least = min((one["fps_sent"] for one in driven if one["fps_sent"] is not None), default=None)
    yield _gauge("controller_sent_fps", "To the driven WLED with the fewest.", least)
    frames = {"sent": "frames_sent", "skipped": "skipped"}
    counts = {way: sum(one[key] for one in controllers) for way, key in frames.items()}
    yield _counters("controller_frames", "To all WLEDs.", "way", counts)
    failing = sum(bool(one["error"]) for one in controllers)
    yield _gauge("controllers_failing", "Those to which frames cannot be sent.", failing)


def _of(cards: Mapping[str, JsonObject], read: Any) -> Labelled:
    return {name: read(card) for name, card in cards.items()}


def _most(values: Iterator[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _gauge(name: str, about: str, value: float | None) -> Metric:
    return _gauges(name, about, "", {"": value})


def _gauges(name: str, about: str, label: str, values: Labelled) -> Metric:
    return _filled(GaugeMetricFamily(f"jambridge_{name}", about, labels=[label] if label else []), label, values)


def _counter(name: str, about: str, value: float | None) -> Metric:
    return _counters(name, about, "", {"": value})


def _counters(name: str, about: str, label: str, values: Labelled) -> Metric:
    return _filled(CounterMetricFamily(f"jambridge_{name}", about, labels=[label] if label else []), label, values)


def _filled(family: Any, label: str, values: Labelled) -> Metric:
    """What is not known is left out."""
    for kind, value in values.items():
        if value is not None:
            family.add_metric([kind] if label else [], float(value))
    filled: Metric = family
    return filled
