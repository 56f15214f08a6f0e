"""How long sound takes from a browser to the box's line-out, and from its line-in to the browser.

A real Chromium with the jam page, and a daemon on JACK's dummy card. `python -m tests.bench.browser_sound [seconds]`
prints tables. What the figures contain:

- WebAudio → line-out: from the moment that the page's graph rendered the click into the track that is sent (the browser
  asks for 10 ms at once, which it then sends in 10 ms) until JACK's period with it begins.
- microphone → line-out: from when the click was at the browser's microphone, whose sound it takes 10 ms at a time: as
  if a sound card had filled each chunk in real time, and handed it in when full.
- on the wire: of that, until the datagram with the click was seen.
- line-in → ear: from JACK's period with the click until the page's graph has it; what the browser's own loudspeaker
  adds is not in it.
"""

import base64
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile
from playwright.sync_api import BrowserType, Page, expect, sync_playwright

from tests.bench.bridges import Box, open_boxes
from tests.bench.jack_rig import APART_S, LONGEST_S, Samples, click, find
from tests.bench.jack_times import Recording, recording
from tests.bench.loopback import Times, Wire
from tests.bench.stage import table
from tests.fakes.browsers import CHROMIUM, CONNECTED
from tests.fakes.jack import Jack, jack
from tests.scenarios.browser import ARGUMENTS, OTHERS, PATIENCE_MS

SECONDS = 60.0
SETTLE_S = 40.0  # what joining costs makes the playout buffer deep, and it gives back half a millisecond a second
PERIOD_FRAMES = 128
RATE_HZ = 48_000
PLAYING = ("depth_ms", "target_ms", "jitter_ms", "underruns", "late", "concealed", "splices")
BAR_MS = (30.0, 45.0)
CLOCK_LOOKS = 300
QUIET_S = 0.1  # between clicks, at least
_MICROPHONE = Path(__file__).parents[1] / "scenarios" / "microphone.js"
_CLICKS = Path(__file__).with_name("clicks.js")
_THRESHOLD = 0.01  # as in microphone.js
_QUANTUM = 128


@contextmanager
def open_page(chromium: BrowserType, box: Box, microphone: Path, act: str) -> Iterator[Page]:
    """A musician in the box's room."""
    link = box.until(lambda status: status["room"]["link"], "the hub is there")["room"]["link"]
    browser = chromium.launch(
        executable_path=CHROMIUM, args=[*ARGUMENTS, f"--use-file-for-fake-audio-capture={microphone}"]
    )
    try:
        page = browser.new_context(ignore_https_errors=True, bypass_csp=True).new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.add_init_script(path=_CLICKS)
        if act == "microphone":
            page.add_init_script(f"window.quietS = {QUIET_S}")
            page.add_init_script(path=_MICROPHONE)
        else:
            page.add_init_script("window.useClicks()")
        page.goto(link)
        page.get_by_label("Your name").fill("Ann")
        page.get_by_role("button", name="Join", exact=True).click()
        expect(page.locator(f"{OTHERS} .light{CONNECTED}")).to_have_count(1, timeout=PATIENCE_MS)
        yield page
    finally:
        browser.close()


def clock_ahead_s(page: Page) -> tuple[float, float]:
    """How far the page's wall time is ahead of time.monotonic(), and how far that may be wrong."""
    least, most = -np.inf, np.inf
    for _ in range(CLOCK_LOOKS):
        before = time.monotonic()
        there = page.evaluate("(performance.timeOrigin + performance.now()) / 1000")
        after = time.monotonic()
        least, most = max(least, there - after), min(most, there - before)
    return (least + most) / 2, (most - least) / 2


def rendered_s(page: Page) -> Times:
    """When WebAudio rendered each click; Date.now() is cut to a millisecond."""
    ahead_s, _ = clock_ahead_s(page)
    return np.array([(now + 0.5) / 1000 - ahead_s for now, _ in page.evaluate("window.clicks")])


def attacked_s(page: Page) -> Times:
    """When each click was at the microphone."""
    ahead_s, _ = clock_ahead_s(page)
    audible = int(np.argmax(np.abs(click(RATE_HZ)) >= _THRESHOLD)) / RATE_HZ
    return np.array([at - ahead_s - audible for at in page.evaluate("window.attacks")])


def microphone_file(path: Path, seconds: float) -> Path:
    """Clicks at odd moments."""
    sound, at = np.zeros(round(seconds * RATE_HZ), np.float32), RATE_HZ
    rng, template = np.random.default_rng(1), click(RATE_HZ)
    while at + RATE_HZ < len(sound):
        sound[at : at + len(template)] = template
        at += int(rng.uniform(*APART_S) * RATE_HZ)
    soundfile.write(path, np.stack([sound, sound], axis=1), RATE_HZ, subtype="PCM_16")
    return path


def to_line_out(server: Jack, page: Page, box: Box, act: str, seconds: float) -> list[tuple[str, ...]]:
    """Rows of the way out, and of its beginning."""
    page.wait_for_timeout(1000 * SETTLE_S)
    wire = Wire()
    try:
        with recording(server, "^jambridge-out:", seconds) as recorded:
            page.wait_for_timeout(1000 * seconds)
            status = box.status()
            sent = rendered_s(page) if act == "WebAudio" else attacked_s(page)
    finally:
        wire.close()
    delays = _delays(recorded, sent)
    counted = np.array([one is not None for one in delays], np.bool_)
    on_wire = wire.sent_s(sent[counted]) - sent[counted]
    playing = status["audio"]["peers"][0]["playout"]
    print(f"{act}:", ", ".join(f"{key} {playing[key]}" for key in PLAYING))
    return [
        _row(f"{act} → on the wire", on_wire),
        _row(f"{act} → line-out", np.array([one for one in delays if one is not None])),
    ]


def to_ear(server: Jack, page: Page, seconds: float) -> list[tuple[str, ...]]:
    """A row of the way back."""
    audio = page.locator(f"{OTHERS} audio")
    with recording(server, "^jambridge-out:", seconds, "^jambridge-in:") as recorded:
        heard = audio.evaluate("(audio, seconds) => window.listen(audio, seconds)", seconds + 1)
        ahead_s, _ = clock_ahead_s(page)
    nows = np.frombuffer(base64.b64decode(heard["nows"]), np.float64) / 1000 - ahead_s + 0.0005
    samples = np.frombuffer(base64.b64decode(heard["samples"]), np.float32)
    print(f"of it in the browser's jitter buffer {heard['bufferedMs']:.0f} ms, it says;", end=" ")
    print(f"its loudspeaker would add {1000 * sum(heard['latency']):.0f} ms")
    delays = [_ear_delay_s(nows, samples, at) for at in recorded.time_of(recorded.played)]
    return [_row("line-in → ear", np.array([one for one in delays if one is not None]))]


def _ear_delay_s(nows: Times, samples: Samples, sent_s: float) -> float | None:
    first = int(np.searchsorted(nows, sent_s)) * _QUANTUM
    last = first + round(LONGEST_S * RATE_HZ)
    if last > len(samples):
        return None
    found = find(click(RATE_HZ), samples[first:last])
    return float(nows[(first + found[0]) // _QUANTUM]) - sent_s if found else float("nan")


def _delays(recorded: Recording, sent: Sequence[float] | Times) -> list[float | None]:
    return [recorded.delay_s(at, click(RATE_HZ)) for at in sent]


def _row(name: str, delays_s: Times) -> tuple[str, ...]:
    """NaN: missed."""
    there = 1000 * delays_s[~np.isnan(delays_s)]
    shares = [f"{np.percentile(there, share):.1f}" if len(there) else "-" for share in (0, 50, 99, 100)]
    return (name, *shares, f"{len(delays_s) - len(there)} of {len(delays_s)}")


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    rows: list[tuple[str, ...]] = []
    load = os.getloadavg()
    with (
        tempfile.TemporaryDirectory(prefix="jambridge-bench-") as directory,
        jack(period_frames=PERIOD_FRAMES) as server,
        open_boxes(server, 1) as (box,),
        sync_playwright() as playwright,
    ):
        microphone = microphone_file(Path(directory) / "clicks.wav", seconds + SETTLE_S + 10)
        for act in ("WebAudio", "microphone"):
            with open_page(playwright.chromium, box, microphone, act) as page:
                print(f"{act}: the clocks are compared to ±{1000 * clock_ahead_s(page)[1]:.2f} ms")
                rows += to_line_out(server, page, box, act, seconds)
                if act == "WebAudio":
                    rows += to_ear(server, page, seconds / 2)
    rows.append(("bar", "", *(f"{one:.0f}" for one in BAR_MS), "", ""))
    loads = f"load {load[0]:.1f} before, {os.getloadavg()[0]:.1f} after"
    table(
        f"A browser and a box, JACK at {PERIOD_FRAMES} frames; {loads}",
        ("ms, one way", "least", "p50", "p99", "most", "missed"),
        rows,
    )


if __name__ == "__main__":
    main()
