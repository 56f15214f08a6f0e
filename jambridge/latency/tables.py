"""Measurements for people at a terminal."""

from collections.abc import Sequence
from datetime import datetime

import numpy as np
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from jambridge.latency.budget import Basis, Kind, Stage, Verdict, Way
from jambridge.latency.history import Series
from jambridge.latency.loopback import Loopback
from jambridge.latency.remedy import IN_ORDER
from jambridge.strict_json import JsonObject
from jambridge.units import SAMPLE_RATE_HZ

_TITLES = {
    Kind.HEARD: "What you hear of the others",
    Kind.SENT: "What the others hear of you, as far as it is known here",
    Kind.LIGHT: "The light: from an attack to its flash",
    Kind.LOOPBACK: "Line-in to line-out, measured over a cable",
}
_COLOURS = {
    Verdict.GOOD: "green",
    Verdict.ACCEPTABLE: "yellow",
    Verdict.TOO_LONG: "red",
    Verdict.UNKNOWN: "default",
    Verdict.UNRELIABLE: "yellow",
}
_MARKS = {Basis.TYPICAL: "~", Basis.UNKNOWN: "?"}
_BARS = "▁▂▃▄▅▆▇█"
_LEAST_RANGE_MS = 5.0  # of a trend: less is none
_SHOWN = 20
"""Measurements listed, and points of a trend."""


def ways(found: Sequence[Way]) -> RenderableType:
    """A table for each kind, then what would help and what the figures rest on."""
    if not found:
        return Text("Nobody else is heard, and no strip is driven: nothing to measure. See jambridge status.")
    parts: list[RenderableType] = []
    for kind in Kind:
        of_kind = [way for way in found if way.kind is kind]
        if of_kind:
            parts += [Text(_TITLES[kind], style="bold"), _table(of_kind), Text()]
    doubts = [Text(f"Not reliable: {way.doubt}.", style="yellow") for way in found if way.doubt]
    return Group(*parts, *doubts, *_hints(found), *_footnotes(found))


def loopback(measured: Loopback) -> RenderableType:
    totals = [f"{measured.percentile(share):.1f}" for share in (0, 50, 99, 100)]
    spread = f"Least, median, p99, most: {', '.join(totals)} ms; {len(measured.totals_ms)} of {measured.played} heard."
    gain = f"The cable has a gain of {20 * np.log10(measured.cards.gain):+.1f} dB."
    lost = f" The cards lost sound {measured.missed} times: the machine is busy." if measured.missed else ""
    blocks = f" It hands over {measured.cards.block_frames} frames at a time, at {measured.cards.rate_hz / 1000:g} kHz."
    return Group(ways([measured.way]), Text(spread), Text(gain + blocks + lost), *_conversion(measured))


def _conversion(measured: Loopback) -> list[Text]:
    if measured.cards.rate_hz == SAMPLE_RATE_HZ:
        return []
    return [Text("Converting its rate takes time: set the card to 48 kHz if it can be.", style="yellow")]


def history(entries: Sequence[JsonObject], trends: Sequence[Series]) -> RenderableType:
    """The newest measurements, and each way over time."""
    if not entries:
        return Text("Nothing was measured yet: jambridge latency, or jambridge latency --loopback.")
    listed = Table("When", "Way", "Who", "ms", "", box=None, pad_edge=False)
    for one in entries[-_SHOWN:]:
        for number, way in enumerate(one["ways"]):
            when = _when(one["at"]) if number == 0 else ""
            listed.add_row(when, *_cells(way))
    drawn = Table("Way", "Who", "Times", "Least", "Median", "Most", "Newest", "Trend", box=None, pad_edge=False)
    for each in trends:
        sums = each.sums_ms
        figures = (f"{figure:.1f}" for figure in (min(sums), float(np.median(sums)), max(sums), sums[-1]))
        drawn.add_row(escape(each.kind), escape(each.who), str(len(sums)), *figures, _line(sums[-_SHOWN:]))
    return Group(listed, Text(), drawn)


def _table(found: Sequence[Way]) -> Table:
    used = {stage.name for way in found for stage in way.stages}
    names = [name for name in IN_ORDER if name in used]
    table = Table("Who", "Path", box=None, pad_edge=False)
    for name in (*names, "sum ms"):
        table.add_column(name.capitalize(), justify="right")
    table.add_column("")
    for way in found:
        stages = (way.stage(name) for name in names)
        cells = [_figure(stage) if stage else "-" for stage in stages]
        table.add_row(escape(way.who), way.path or "-", *cells, _sum(way), _verdict(way))
    return table


def _figure(stage: Stage) -> str:
    return "?" if stage.ms is None else f"{_MARKS.get(stage.basis, '')}{stage.ms:.1f}"


def _sum(way: Way) -> str:
    if way.sum_ms is None:
        return "?"
    return f"{way.sum_ms:.1f}" if way.is_whole else f">{way.sum_ms:.1f}"


def _verdict(way: Way) -> str:
    verdict = way.verdict
    so_far = " so far" if verdict is Verdict.GOOD and not way.is_whole else ""
    above = {Verdict.ACCEPTABLE: f": above {way.bar_ms:.0f} ms", Verdict.TOO_LONG: ": above 100 ms"}.get(verdict, "")
    return f"[{_COLOURS[verdict]}]{verdict.value}{so_far}{above}[/]"


def _hints(found: Sequence[Way]) -> list[Text]:
    """The same advice is given once."""
    hints: dict[str, list[str]] = {}
    for way in found:
        if way.remedy and way.longest:
            hints.setdefault(f"the longest part is the {way.longest.name}; sooner by {way.remedy}", []).append(way.who)
    return [Text(f"{', '.join(dict.fromkeys(names))}: {hint}") for hint, names in hints.items()]


def _footnotes(found: Sequence[Way]) -> list[Text]:
    bases = {stage.basis for way in found for stage in way.stages}
    beyond = dict.fromkeys(one for way in found for one in way.beyond)
    notes = [f"Not in the sums: {', '.join(beyond)}."] if beyond else []
    notes += ["? is not measured."] if Basis.UNKNOWN in bases else []
    notes += ["~ is typical, not measured here."] if Basis.TYPICAL in bases else []
    return [Text(note, style="dim") for note in notes]


def _cells(way: JsonObject) -> tuple[str, str, str, str]:
    sum_ms = way["sum_ms"]
    shown = "?" if sum_ms is None else f"{'' if way['whole'] else '>'}{sum_ms:.1f}"
    return escape(way["kind"]), escape(way["who"]), shown, escape(way["verdict"])


def _line(figures: Sequence[float]) -> str:
    """A bar for each, from the least to the most."""
    least, most = min(figures), max(figures)
    steps = (len(_BARS) - 1) / max(most - least, _LEAST_RANGE_MS)
    return "".join(_BARS[round((figure - least) * steps)] for figure in figures)


def _when(moment: str) -> str:
    try:
        return f"{datetime.fromisoformat(moment).astimezone():%Y-%m-%d %H:%M}"
    except ValueError:
        return "?"
