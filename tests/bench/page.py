"""What it costs that somebody looks at the page, and how late a change is seen: scripts/bench page [seconds]"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

import psutil
from playwright.sync_api import Page, sync_playwright
from rich.console import Console
from rich.table import Table

from tests.fakes import browsers
from tests.fakes.box import Box, open_box
from tests.fakes.browsers import Musicians
from tests.fakes.pianist import playing

ROOM = "JAM-42"
CHANGES = 30
SEEN = """(tempo) => new Promise((seen) => {
  const look = () => (document.querySelector("#tempo").value === tempo ? seen(Date.now()) : setTimeout(look, 2));
  look();
})"""


def main(seconds: float) -> None:
    with (
        tempfile.TemporaryDirectory() as state,
        open_box(Path(state), ROOM) as box,
        playing(box.hub_port, ROOM, "Johann Sebastian"),
        sync_playwright() as playwright,
        browsers.chromium(playwright, browsers.write_wav(Path(state) / "tone.wav", browsers.tone())) as browser,
    ):
        box.until(lambda status: any(one["notes"] for one in status["notes"]["sources"]), "notes are heard")
        rows = [("nobody looks", *_cost(box, seconds))]
        visitors = Musicians(browser)
        page = visitors.open(f"{box.base}/")
        page.wait_for_selector(".strip")
        rows.append(("one looks", *_cost(box, seconds)))
        late_ms = [_late_ms(box, page, 60 + number) for number in range(CHANGES)]
        for _ in range(3):
            visitors.open(f"{box.base}/").wait_for_selector(".strip")
        rows.append(("four look", *_cost(box, seconds)))
        visitors.close()
    table = Table("", "Main process, core", "Light process, core", box=None)
    for name, main_core, light_core in rows:
        table.add_row(name, f"{main_core:.3f}", f"{light_core:.3f}")
    console = Console()
    console.print(table)
    p50, most = statistics.median(late_ms), max(late_ms)
    console.print(f"A change is seen after {p50:.0f} ms (p50), {most:.0f} (most of {CHANGES}).")


def _cost(box: Box, seconds: float) -> tuple[float, float]:
    """Cores that the daemon's main and light process take."""
    main_process = psutil.Process(box.process.pid)
    light = psutil.Process(box.status()["light"]["process"]["pid"])
    before, began = [_cpu_s(one) for one in (main_process, light)], time.monotonic()
    time.sleep(seconds)
    passed_s = time.monotonic() - began
    now = [_cpu_s(one) for one in (main_process, light)]
    return (now[0] - before[0]) / passed_s, (now[1] - before[1]) / passed_s


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _late_ms(box: Box, page: Page, tempo: int) -> float:
    page.evaluate(f"() => {{ window.seen = ({SEEN})('{tempo}'); }}")
    asked_ms = 1000 * time.time()
    box.ask("POST", "/api/state", {"tempo": tempo})
    return float(page.evaluate("window.seen")) - asked_ms


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 20.0)
