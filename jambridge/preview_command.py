"""`jambridge leds preview`: an effect drawn in the terminal, of a sound through the live detector."""

import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np

from jambridge import sections
from jambridge.audio.file import open_sound
from jambridge.config import Config
from jambridge.light import colour, drawing, scene, spectrum
from jambridge.light.colour import GAMMA
from jambridge.light.effects import EFFECTS, EffectName, Part
from jambridge.light.music import Music
from jambridge.light.safety import FlashLimiter, Frame
from jambridge.light.strokes import Strokes
from jambridge.listen import hops, listen
from jambridge.notes.frame import HOP_FRAMES
from jambridge.units import LocalSeconds, note_name

TEMPO = 90.0  # about that of the piece that comes with jambridge
_NEVER = LocalSeconds(-1e9)


@dataclass(frozen=True, slots=True)
class Preview:
    at_s: float
    frame: Frame
    """Linear light, shape (pixels, 3), as a strip would be sent it."""
    notes: tuple[str, ...]


def run(effect: EffectName, sound: Path | None, config: Config, pixels: int, seconds: float | None) -> None:
    """Draw it in the sound's own time, or to a file ten lines a second at once.

    Raises:
        UnavailableError: the file cannot be read.
    """
    is_terminal = sys.stdout.isatty()
    columns = min(shutil.get_terminal_size().columns - 2, pixels // 2 + pixels % 2)
    start = time.monotonic()
    with resources.as_file(resources.files("jambridge.demo") / "bach.opus") as bach:
        for index, shown in enumerate(preview(effect, sound or bach, config, pixels)):
            if seconds is not None and shown.at_s > seconds:
                break
            line = drawing.line(shown.frame.tobytes(), 3, columns, linear=True)
            if is_terminal:
                time.sleep(max(0.0, start + shown.at_s - time.monotonic()))
                sys.stdout.write(f"\r{line} {' '.join(shown.notes):<{20}.20}")
                sys.stdout.flush()
            elif index % 6 == 0:
                sys.stdout.write(f"{line} {shown.at_s:6.2f} s  {' '.join(shown.notes)}\n")
    if is_terminal:
        sys.stdout.write("\n")


def preview(effect: EffectName, sound: Path, config: Config, pixels: int) -> Iterator[Preview]:
    """Sixty frames a second of sound, each as a strip would show it with nothing else beside it."""
    settings = sections.light_settings(config)
    music = Music(settings.color_mode, tempo=TEMPO, beat_at=LocalSeconds(0.0))
    strokes, limiter, flashed_at = Strokes(), FlashLimiter(settings.flashes_per_s), _NEVER
    heard = np.zeros(spectrum.FRAMES, np.float32)
    for frame, hop in zip(listen(open_sound(sound), settings.threshold), hops(open_sound(sound)), strict=True):
        now = frame.captured_at
        heard = np.concatenate([heard[HOP_FRAMES:], hop])
        strokes.follow(frame.notes, now)
        flashed_at = now if frame.onset else flashed_at
        bands = spectrum.bands(heard) if effect == "spectrum" else None
        part = Part(strokes.played(), scene.flash(now - flashed_at), frame.level_dbfs, bands)
        picture = EFFECTS[effect]([part], now, music, settings.style, pixels) * settings.brightness
        safe = limiter.limit(colour.encode(picture, GAMMA), now)
        yield Preview(now, safe, tuple(note_name(note.midi) for note in frame.notes))
