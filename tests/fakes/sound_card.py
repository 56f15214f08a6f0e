"""A sound card that can be unplugged, frozen, played into and listened to: a PulseAudio server, seen by ALSA.

The server is the card, its two null sinks are the sockets: what is played into `in` is what its input hears, what its
output plays comes out of `out`. ALSA offers 32 channels and every rate of it; `tests.fakes.jack` is the card that
refuses.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

PATIENCE_S = 20.0
RATE_HZ = 48_000


class Recording:
    """What comes out of a socket or out of JACK, shape (frames, channels), growing while it lasts."""

    def __init__(self, file: Path, channels: int) -> None:
        self._file = file
        self._channels = channels

    @property
    def samples(self) -> NDArray[np.float32]:
        recorded = np.fromfile(self._file, "<f4")
        whole = len(recorded) // self._channels * self._channels
        return recorded[:whole].reshape(-1, self._channels)

    def newest(self, seconds: float) -> NDArray[np.float32]:
        """The last `seconds`, once there are as many."""
        frames = int(seconds * RATE_HZ)
        until(lambda: len(self.samples) >= frames, "nothing is recorded")
        return self.samples[-frames:]


class SoundCard:
    """A card named `name` with `channels` each way, plugged in by `plug`."""

    def __init__(self, directory: Path, name: str, channels: int = 2) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.name = name
        self.channels = channels
        self._directory = directory
        self._socket = directory / "socket"
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """For the process that shall see this card alone."""
        return environment(self._directory, self)

    @property
    def definition(self) -> str:
        """In ALSA's configuration."""
        pulse = f'type pulse server "unix:{self._socket}" device'
        return (
            f"pcm.{self.name} {{ type asym\n"
            f'  playback.pcm {{ {pulse} "out" }}\n'
            f'  capture.pcm {{ {pulse} "in.monitor" }}\n'
            f'  hint {{ show on description "{self.name}" }} }}\n'
        )

    @property
    def address(self) -> str:
        """For PulseAudio's own tools."""
        return f"unix:{self._socket}"

    def plug(self) -> None:
        sinks = [
            f"module-null-sink sink_name={name} rate={RATE_HZ} channels={self.channels} format=float32le norewinds=1"
            for name in ("in", "out")
        ]
        self._server = subprocess.Popen(
            ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--realtime=no",
             "--high-priority=no", "-L", f"module-native-protocol-unix auth-anonymous=1 socket={self._socket}",
             "-L", sinks[0], "-L", sinks[1]],
            env=os.environ | {"HOME": str(self._directory), "XDG_RUNTIME_DIR": str(self._directory)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        until(self._answers, "PulseAudio does not start")

    def unplug(self) -> None:
        if self._server is not None:
            self._server.kill()
            self._server.wait()
            self._server = None
            self._socket.unlink(missing_ok=True)

    def freeze(self) -> None:
        """It stays there, and nothing moves any more."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    @contextmanager
    def hearing(self, samples: NDArray[np.float32]) -> Iterator[None]:
        """Play `samples` (frames,) or (frames, channels) at 48 kHz into the card."""
        sound = self._directory / "sound.raw"
        sound.write_bytes(samples.astype("<f4").tobytes())
        channels = 1 if samples.ndim == 1 else samples.shape[1]
        with self._running("pacat", "in", channels, sound):
            yield

    @contextmanager
    def recording(self, socket: str = "out") -> Iterator[Recording]:
        """Record what the card plays, or what it hears: `in`. Nothing is missed once this is entered."""
        file = self._directory / f"{socket}.raw"
        file.unlink(missing_ok=True)
        with self._running("parec", f"{socket}.monitor", self.channels, file):
            until(lambda: file.exists() and file.stat().st_size > 0, "it does not record")
            yield Recording(file, self.channels)

    @contextmanager
    def _running(self, tool: str, device: str, channels: int, file: Path) -> Iterator[None]:
        program = subprocess.Popen(
            [tool, "--server", self.address, "--device", device, "--raw", "--format=float32le", f"--rate={RATE_HZ}",
             f"--channels={channels}", *(["--latency-msec=10"] if tool == "parec" else []), str(file)],
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            yield
        finally:
            program.kill()
            program.wait()

    def _answers(self) -> bool:
        asked = subprocess.run(
            ["pactl", "--server", self.address, "info"], capture_output=True, check=False, timeout=PATIENCE_S
        )
        return asked.returncode == 0

    def _signal(self, number: signal.Signals) -> None:
        assert self._server is not None
        self._server.send_signal(number)


@contextmanager
def sound_card(directory: Path, name: str, channels: int = 2) -> Iterator[SoundCard]:
    card = SoundCard(directory, name, channels)
    card.plug()
    try:
        yield card
    finally:
        card.unplug()


def environment(directory: Path, *cards: SoundCard) -> dict[str, str]:
    """For a process that shall see all of `cards`, in this order, plugged in or not."""
    config = directory / "asound.conf"
    config.write_text("</usr/share/alsa/alsa.conf>\n" + "".join(card.definition for card in cards))
    return {"ALSA_CONFIG_PATH": str(config)}


def until(fact: Callable[[], bool], failure: str) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not fact():
        assert time.monotonic() < deadline_s, failure
        time.sleep(0.01)
