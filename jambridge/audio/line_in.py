"""The line-in, for the light: what a sound card hears, written to one feed.

PortAudio lists the cards once, when it starts. It is started anew before each opening, which would end every other
stream of this process: there is none.
"""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jambridge.audio.source import AudioSink
from jambridge.errors import DeviceError
from jambridge.units import SAMPLE_RATE_HZ

log = logging.getLogger(__name__)

NO_DEVICE = "none"
SILENT_S = 2.0  # without a callback: a frozen or vanished card says nothing else
_CLOSE_S = 1.0
_LOOK_S = 10.0
_MOST_CHANNELS = 2


@dataclass(frozen=True, slots=True)
class _Card:
    """An input as PortAudio numbers it now."""

    number: int
    name: str
    channels: int


class LineIn:
    """An open input. `name` is the card's."""

    def __init__(self, name: str, sink: AudioSink) -> None:
        self.name = name
        self.blocks = 0
        self._sink = sink

    def hear(self, block: NDArray[np.float32], _frames: int, _time: object, _flags: object) -> None:
        """PortAudio's callback."""
        self.blocks += 1
        self._sink.write(block)

    async def run(self) -> None:
        """Watch that sound keeps coming; whether it is silence is not looked at."""
        seen = -1
        while self.blocks != seen:
            seen = self.blocks
            await asyncio.sleep(SILENT_S)
        raise DeviceError(f"the sound card {self.name} has stopped")


@asynccontextmanager
async def open_line_in(
    wanted: str | None, block_frames: int, open_sink: Callable[[], AudioSink | None]
) -> AsyncIterator[LineIn]:
    """Hear the card whose name contains `wanted`, or the system's default one.

    A box without any card, where none is asked for by name, waits for one without a word.

    Raises:
        DeviceError: there is no such card, it is in use, or the light has no room for one more source.
    """
    while (card := await asyncio.to_thread(_find, wanted)) is None:  # noqa: ASYNC110  nothing tells of a new card
        await asyncio.sleep(_LOOK_S)
    sink = open_sink()
    if sink is None:
        raise DeviceError("every place of a source is taken")
    try:
        line = LineIn(card.name, sink)
        stream = await asyncio.to_thread(_open, card, block_frames, line)
        log.info("line-in open card=%s", card.name)
        try:
            yield line
        finally:
            await _closed(stream)
    finally:
        sink.close()


def _find(wanted: str | None) -> _Card | None:
    """None where there is no card, and none in particular is wanted."""
    with _portaudio() as sounddevice:
        sounddevice._terminate()  # noqa: SLF001  the only way to see a card that came later
        sounddevice._initialize()  # noqa: SLF001
        cards = [
            _Card(number, str(one["name"]), min(_MOST_CHANNELS, int(one["max_input_channels"])))
            for number, one in enumerate(sounddevice.query_devices())
            if one["max_input_channels"] > 0
        ]
        default = sounddevice.default.device[0]
    if wanted is None:
        return min(cards, key=lambda card: card.number != default, default=None)
    named = [card for card in cards if wanted.lower() in card.name.lower()]
    if not named:
        raise DeviceError(f"no sound card with an input is called {wanted!r} (audio.input)")
    return named[0]


def _open(card: _Card, block_frames: int, line: LineIn) -> Any:
    with _portaudio() as sounddevice:
        stream = sounddevice.InputStream(
            samplerate=SAMPLE_RATE_HZ,
            blocksize=block_frames,
            device=card.number,
            channels=card.channels,
            dtype="float32",
            latency="low",
            callback=line.hear,
        )
        stream.start()
    return stream


@contextmanager
def _portaudio() -> Iterator[ModuleType]:
    """The library, with its errors as ours."""
    try:
        import sounddevice
    except OSError as exc:
        raise DeviceError("PortAudio is missing: sudo apt install libportaudio2") from exc
    try:
        yield sounddevice
    except (sounddevice.PortAudioError, ValueError) as exc:
        raise DeviceError(f"the line-in cannot be opened: {exc}") from exc


async def _closed(stream: Any) -> None:
    """A dead sound server can hang this for minutes: then its thread is left behind."""
    done = asyncio.Event()
    loop = asyncio.get_running_loop()

    def close() -> None:
        with _portaudio():
            stream.abort(ignore_errors=True)
            stream.close(ignore_errors=True)
        loop.call_soon_threadsafe(done.set)

    threading.Thread(target=close, name="line-in closes", daemon=True).start()
    try:
        async with asyncio.timeout(_CLOSE_S):
            await done.wait()
    except TimeoutError:
        log.warning("the sound card does not let go")
