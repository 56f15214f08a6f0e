"""Our detector beside others on pieces with known truth: clean, through Opus at 128 kbit/s, and 35 cents flat.

    scripts/bench notes [--set DIRECTORY] [--render] [--threshold T] [--only PIECE] [--detectors A,B] [--json]

Without a set, one is made (see tests/bench/note_set.py). PITCHED is what is mono, chord, poly, bass or band. All but
basic-pitch hear strictly causally; basic-pitch is given the whole sound, and so has no delay to speak of.
"""

import argparse
import json
import math
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from jambridge.notes.tracker import Threshold
from tests.bench import note_costs, note_detectors, note_set, onsets, truth
from tests.bench.note_conditions import CONDITIONS
from tests.bench.note_costs import Cpu, Memory
from tests.bench.note_detectors import DETECTORS, Ear, NotInstalledError
from tests.bench.note_scores import REGISTERS, Figures, Score, figures, score
from tests.bench.truth import PITCHED, Piece

CPU_STREAMS = (1, 4)
CPU_SECONDS = 600.0
QUIET = ("drums", "pink", "white", "hum", "silence")
SINGLE = "mono"
OFFLINE = "basic-pitch"


@dataclass
class Heard:
    """One detector under one condition: the score of each piece, with its kind."""

    pieces: list[tuple[str, str, Score]] = field(default_factory=list)

    def of(self, *kinds: str) -> list[Score]:
        return [one for _, kind, one in self.pieces if kind in kinds]

    def kinds(self) -> list[str]:
        return sorted({kind for _, kind, _ in self.pieces})


@dataclass
class Results:
    heard: dict[tuple[str, str], Heard]
    """By condition and detector."""
    flashes: dict[str, list[tuple[str, str, onsets.Score]]]
    """By condition: piece, kind and score."""
    missing: dict[str, str] = field(default_factory=dict)
    """Detectors that are not installed, and what to do."""
    cpu: list[Cpu] = field(default_factory=list)
    memory: Memory | None = None


def measure(directory: Path, names: Sequence[str], detectors: Sequence[str], threshold: Threshold) -> Results:
    results = Results(heard={}, flashes={condition: [] for condition in CONDITIONS})
    with ExitStack() as stack:
        ears = dict[str, Ear]()
        for name in detectors:
            try:
                ears[name] = note_detectors.opened(name, stack, threshold)
            except NotInstalledError as exc:
                results.missing[name] = str(exc)
        results.heard = {(condition, name): Heard() for condition in CONDITIONS for name in ears}
        for index, name in enumerate(names):
            piece = truth.read(directory, name)
            for condition, altered in CONDITIONS.items():
                progress(f"{index + 1}/{len(names)} {name}, {condition}")
                _listen(results, altered(piece), condition, ears)
    return results


def _listen(results: Results, piece: Piece, condition: str, ears: dict[str, Ear]) -> None:
    for name, ear in ears.items():
        one = (piece.name, piece.kind, score(piece.notes, ear(piece.hops)))
        results.heard[condition, name].pieces.append(one)
    results.flashes[condition].append((piece.name, piece.kind, onsets.listened(piece)[0]))


def main(arguments: Sequence[str]) -> None:
    options = _options(arguments)
    with tempfile.TemporaryDirectory() as folder:
        directory = options.set or Path(folder)
        if options.render or not options.set:
            progress("rendering a set")
            note_set.render(directory, options.soundfont)
        names = [name for name in truth.names(directory) if options.only in name]
        results = measure(directory, names, options.detectors, options.threshold)
        if options.seconds > 0:
            sound = np.concatenate([truth.read(directory, name).hops for name in names]).ravel()
            _measure_costs(results, sound, options.seconds)
    progress("")
    print(json.dumps(as_json(results), indent=1) if options.json else "\n".join(tables(results)))


def _measure_costs(results: Results, sound: NDArray[np.float32], seconds: float) -> None:
    for streams in CPU_STREAMS:
        progress(f"{seconds:.0f} s of {streams} streams")
        results.cpu.append(note_costs.cpu(streams, seconds, sound))
    results.memory = note_costs.memory()


def _options(arguments: Sequence[str]) -> Any:
    parser = argparse.ArgumentParser(prog="scripts/bench notes")
    parser.add_argument("--set", type=Path, metavar="DIRECTORY", help="pieces as NAME.flac with NAME.json")
    parser.add_argument("--render", action="store_true", help="make the set first, in its directory")
    parser.add_argument("--soundfont", type=Path, default=note_set.SOUNDFONT, help="to make it with")
    parser.add_argument("--threshold", choices=get_args(Threshold), default="normal")
    parser.add_argument("--detectors", type=lambda words: words.split(","), default=DETECTORS, metavar="A,B")
    parser.add_argument("--only", default="", metavar="PIECE", help="pieces with this in their name")
    parser.add_argument("--seconds", type=float, default=CPU_SECONDS, help="of sound for CPU time and memory; 0: none")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    if unknown := set(options.detectors) - set(DETECTORS):
        parser.error(f"no detector {', '.join(sorted(unknown))}: there are {', '.join(DETECTORS)}")
    return options


def progress(words: str) -> None:
    """On a terminal or not: one line that replaces itself."""
    sys.stderr.write(f"\r\033[K{words}")
    sys.stderr.flush()


def tables(results: Results) -> Iterator[str]:
    for condition in CONDITIONS:
        heard = {name: one for (of, name), one in results.heard.items() if of == condition}
        yield f"\n{condition.upper()}, pitched pieces"
        yield f"{'':13}{'P':>6}{'R':>6}{'F1':>6}{'oct':>6}  ms: mono mid/high   mid  p90 all  missed"
        yield from (_summary(name, one) for name, one in heard.items())
        yield from _f1_table(heard)
        yield from _delay_table(heard)
        yield from _ghost_table(heard)
    yield from (f"{name}: not installed: {advice}" for name, advice in results.missing.items())
    yield "\nFLASHES of jambridge"
    yield f"{'':15}{'P':>6}{'R':>6}{'F1':>6}{'false/s':>7}  p50  p90 ms"
    for condition, flashes in results.flashes.items():
        for kind in sorted({kind for _, kind, _ in flashes}):
            if condition == "clean":
                yield onsets.row(kind, [one for _, of, one in flashes if of == kind])
        yield onsets.row(condition.upper(), [one for _, _, one in flashes])
    yield from (_cpu_line(one) for one in results.cpu)
    if results.memory:
        yield _memory_line(results.memory)


def _summary(name: str, heard: Heard) -> str:
    one = figures(heard.of(*PITCHED))
    mono = {register: figures(heard.of(SINGLE), REGISTERS[register]).delays for register in ("middle", "from C5")}
    middle = figures(heard.of(*PITCHED), REGISTERS["middle"]).delays
    cells = f"{name:13}{one.precision:6.3f}{one.recall:6.3f}{one.f1:6.3f}{one.octaves:6.3f}  "
    if name == OFFLINE:
        return f"{cells}{'offline':>17}{'':15}{one.delays.missed:8.0%}"
    singles = f"{_number(mono['middle'].median_ms)}/{_number(mono['from C5'].median_ms)}"
    return f"{cells}{singles:>17}{_number(middle.median_ms):>6}{_number(one.delays.p90_ms):>9}{one.delays.missed:8.0%}"


def _f1_table(heard: dict[str, Heard]) -> Iterator[str]:
    kinds = _kinds(heard.values())
    registers = [register for register in REGISTERS if register != "all"]
    yield f"{'F1':13}" + "".join(f"{title:>9}" for title in (*kinds, *registers))
    for name, one in heard.items():
        cells = [figures(one.of(kind)).f1 for kind in kinds]
        cells += [figures(one.of(*PITCHED), REGISTERS[register]).f1 for register in registers]
        yield f"{name:13}" + "".join(f"{cell:9.3f}" for cell in cells)


def _delay_table(heard: dict[str, Heard]) -> Iterator[str]:
    yield f"{'p50/p90/miss':13}" + "".join(f"{register:>14}" for register in REGISTERS)
    for name, one in heard.items():
        if name != OFFLINE:
            found = [figures(one.of(*PITCHED), register).delays for register in REGISTERS.values()]
            cells = [f"{_number(of.median_ms)}/{_number(of.p90_ms)}/{of.missed:.0%}" for of in found]
            yield f"{name:13}" + "".join(f"{cell:>14}" for cell in cells)


def _ghost_table(heard: dict[str, Heard]) -> Iterator[str]:
    quiet = [kind for kind in QUIET if any(one.of(kind) for one in heard.values())]
    yield f"{'ghosts a s':13}{'music':>9}" + "".join(f"{kind:>9}" for kind in quiet)
    for name, one in heard.items():
        cells = [figures(one.of(*PITCHED)).ghosts_per_s, *(figures(one.of(kind)).ghosts_per_s for kind in quiet)]
        yield f"{name:13}" + "".join(f"{cell:9.2f}" for cell in cells)


def _cpu_line(one: Cpu) -> str:
    return (
        f"CPU a frame, {one.streams} streams, {one.frames} frames: median {one.median_ms:.2f} ms, "
        f"p95 {one.p95_ms:.2f}, most {one.most_ms:.2f}, over 8 ms {one.over_8_ms}"
    )


def _memory_line(one: Memory) -> str:
    return (
        f"Memory of the light process: {one.imported_rss:.1f} MiB of imports (PSS {one.imported_pss:.1f}), "
        f"{one.rss:.1f} with four detectors at work (PSS {one.pss:.1f}); of the heavy libraries it has loaded "
        f"{', '.join(one.modules) or 'none'}"
    )


def _kinds(heard: Iterable[Heard]) -> list[str]:
    """Those with notes to find."""
    found = {kind for one in heard for kind in one.kinds()} - set(QUIET)
    return sorted(found, key=lambda kind: (PITCHED.index(kind) if kind in PITCHED else len(PITCHED), kind))


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.0f}"


def as_json(results: Results) -> dict[str, Any]:
    """Everything that the tables hold, and each piece."""
    return {
        "notes": {
            condition: {
                name: {
                    "pitched": {register: _figures(one.of(*PITCHED), span) for register, span in REGISTERS.items()},
                    "kinds": {
                        kind: {register: _figures(one.of(kind), span) for register, span in REGISTERS.items()}
                        for kind in one.kinds()
                    },
                    "pieces": {piece: _figures([of]) for piece, _, of in one.pieces},
                }
                for (of_condition, name), one in results.heard.items()
                if of_condition == condition
            }
            for condition in CONDITIONS
        },
        "flashes": {
            condition: {
                "all": _plain(onsets.figures([one for _, _, one in flashes])),
                "pieces": {piece: _plain(onsets.figures([one])) for piece, _, one in flashes},
            }
            for condition, flashes in results.flashes.items()
        },
        "cpu": [asdict(one) for one in results.cpu],
        "memory": asdict(results.memory) if results.memory else None,
        "not_installed": results.missing,
    }


def _figures(scores: Sequence[Score], register: range = REGISTERS["all"]) -> dict[str, Any]:
    return _plain(figures(scores, register))


def _plain(one: Figures | onsets.Figures) -> dict[str, Any]:
    """JSON knows no NaN."""
    plain = asdict(one)
    plain["delays"] = {key: None if math.isnan(value) else value for key, value in plain["delays"].items()}
    return plain


if __name__ == "__main__":
    main(sys.argv[1:])
