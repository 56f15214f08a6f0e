"""A sound card that can be plugged in, unplugged and played into: a PulseAudio server with null sinks, seen by ALSA.

The server is the card: what is played into `in` is what its input hears.
"""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

PATIENCE_S = 20.0


class SoundCard:
    """A card named `name`, plugged in by `plug`."""

    def __init__(self, directory: Path, name: str) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.name = name
        self._directory = directory
        self._socket = directory / "socket"
        self._server: subprocess.Popen[bytes] | None = None
        self._config = directory / "asound.conf"
        self._config.write_text(
            "</usr/share/alsa/alsa.conf>\n"
            f'pcm.{name} {{ type pulse server "unix:{self._socket}" device "in.monitor"\n'
            f'  hint {{ show on description "{name}" }} }}\n'
        )

    @property
    def environment(self) -> dict[str, str]:
        """For the process that shall see the card."""
        return {"ALSA_CONFIG_PATH": str(self._config)}

    def plug(self) -> None:
        null_sink = "module-null-sink sink_name=in rate=48000 channels=2 format=float32le norewinds=1"
        self._server = subprocess.Popen(
            ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--realtime=no",
             "--high-priority=no", "-L", f"module-native-protocol-unix auth-anonymous=1 socket={self._socket}",
             "-L", null_sink],
            env=os.environ | {"HOME": str(self._directory), "XDG_RUNTIME_DIR": str(self._directory)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        began_s = time.monotonic()
        while not self._answers():
            assert time.monotonic() - began_s < PATIENCE_S, "PulseAudio does not start"

    def unplug(self) -> None:
        if self._server is not None:
            self._server.kill()
            self._server.wait()
            self._server = None
            self._socket.unlink(missing_ok=True)

    @contextmanager
    def hearing(self, samples: NDArray[np.float32]) -> Iterator[None]:
        """Play `samples` (frames,) at 48 kHz into the card."""
        sound = self._directory / "sound.raw"
        sound.write_bytes(samples.astype("<f4").tobytes())
        player = subprocess.Popen(
            ["pacat", "--server", f"unix:{self._socket}", "--device", "in", "--raw", "--format=float32le",
             "--rate=48000", "--channels=1", str(sound)],
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            yield
        finally:
            player.kill()
            player.wait()

    def _answers(self) -> bool:
        asked = subprocess.run(
            ["pactl", "--server", f"unix:{self._socket}", "info"], capture_output=True, check=False, timeout=PATIENCE_S
        )
        return asked.returncode == 0


@contextmanager
def sound_card(directory: Path, name: str) -> Iterator[SoundCard]:
    card = SoundCard(directory, name)
    card.plug()
    try:
        yield card
    finally:
        card.unplug()
