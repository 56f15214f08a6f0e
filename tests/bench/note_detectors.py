"""Our detector and those it is measured beside, each as a function from a sound to the notes shown in each frame."""

import ctypes
import json
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import soundfile
from numpy.typing import NDArray

from jambridge.listen import listen
from jambridge.notes.frame import FRAME_RATE_HZ, HOP_FRAMES
from jambridge.notes.tracker import Threshold
from jambridge.units import SAMPLE_RATE_HZ, midi
from tests.bench.note_scores import NOTES, Roll

Hops = NDArray[np.float32]
"""A sound of one channel at 48 kHz, shape (hops, HOP_FRAMES)."""
Ear = Callable[[Hops], Roll]

OURS = "jambridge"
PEERS_PYTHON = Path(__file__).parents[2] / ".venv-peers" / "bin" / "python"


class NotInstalledError(Exception):
    """The words say what to do."""


class Streaming(Protocol):
    def notes(self, hop: NDArray[np.float32]) -> list[int]:
        """The MIDI notes that sound at the end of `hop`, shape (HOP_FRAMES,)."""


def ours(hops: Hops, threshold: Threshold = "normal") -> Roll:
    """Heard as by `jambridge listen`."""
    roll = np.zeros((len(hops), NOTES), bool)
    for frame in listen([hops.reshape(-1, 1)], threshold):
        roll[frame.index, [note.midi for note in frame.notes]] = True
    return roll


class Spectrum:
    """What the documents describe: 2048 points, Blackman, smoothed over time, each of the six highest peaks a note.

    Interpolated, it is what one would write next: no smoothing, peaks between bins, at most 20 dB below the highest.
    """

    _SIZE = 2048
    _LOWEST_HZ, _HIGHEST_HZ = 40.0, 4200.0
    _PEAKS = 6
    _FAINTEST = 1e-12

    def __init__(self, *, interpolated: bool) -> None:
        self._interpolated = interpolated
        self._smoothing = 0.0 if interpolated else 0.8
        self._least_db, self._range_db = (-55.0, 20.0) if interpolated else (-60.0, np.inf)
        self._heard = np.zeros(self._SIZE)
        self._window = np.blackman(self._SIZE + 1)[:-1] / self._SIZE
        self._magnitudes = np.zeros(self._SIZE // 2 + 1)

    def notes(self, hop: NDArray[np.float32]) -> list[int]:
        self._heard = np.concatenate([self._heard[HOP_FRAMES:], hop])
        fresh = np.abs(np.fft.rfft(self._heard * self._window))
        self._magnitudes = self._smoothing * self._magnitudes + (1 - self._smoothing) * fresh
        levels_db = 20 * np.log10(self._magnitudes + self._FAINTEST)
        highest = sorted(self._peaks(levels_db), key=lambda peak: -levels_db[peak])[: self._PEAKS]
        return [round(midi(self._hz(levels_db, peak))) for peak in highest]

    def _peaks(self, levels_db: NDArray[np.float64]) -> list[int]:
        inner = levels_db[1:-1]
        high = inner > max(self._least_db, levels_db.max() - self._range_db)
        peaks = 1 + np.flatnonzero((inner > levels_db[:-2]) & (inner >= levels_db[2:]) & high)
        return [peak for peak in peaks.tolist() if self._LOWEST_HZ <= self._hz(levels_db, peak) <= self._HIGHEST_HZ]

    def _hz(self, levels_db: NDArray[np.float64], peak: int) -> float:
        place = float(peak)
        if self._interpolated:
            left, top, right = levels_db[peak - 1 : peak + 2].tolist()
            place += (left - right) / (2 * (left - 2 * top + right))
        return place * SAMPLE_RATE_HZ / self._SIZE


class Aubio:
    """The pitch of one voice by yinfft over 4096 samples, by libaubio itself."""

    _SIZE = 4096
    _LEAST_DBFS = -55.0
    _LOWEST = 20

    def __init__(self) -> None:
        try:
            self._library = ctypes.CDLL("libaubio.so.5")
        except OSError:
            raise NotInstalledError("apt install libaubio5") from None
        self._library.new_aubio_pitch.restype = ctypes.c_void_p
        self._library.new_fvec.restype = ctypes.POINTER(_Vector)
        self._hop, self._found = self._library.new_fvec(HOP_FRAMES), self._library.new_fvec(1)
        self._pitch = ctypes.c_void_p(self._library.new_aubio_pitch(b"yinfft", self._SIZE, HOP_FRAMES, SAMPLE_RATE_HZ))
        self._library.aubio_pitch_set_unit(self._pitch, b"midi")
        self._library.aubio_pitch_set_silence(self._pitch, ctypes.c_float(self._LEAST_DBFS))

    def notes(self, hop: NDArray[np.float32]) -> list[int]:
        ctypes.memmove(self._hop.contents.samples, np.ascontiguousarray(hop).ctypes.data, hop.nbytes)
        self._library.aubio_pitch_do(self._pitch, self._hop, self._found)
        note = round(self._found.contents.samples[0])
        return [note] if self._LOWEST < note < NOTES else []


class _Vector(ctypes.Structure):
    """fvec_t of aubio's fvec.h."""

    _fields_ = (("length", ctypes.c_uint), ("samples", ctypes.POINTER(ctypes.c_float)))


def streamed(opened: Callable[[], Streaming], hops: Hops) -> Roll:
    detector, roll = opened(), np.zeros((len(hops), NOTES), bool)
    for frame, hop in zip(roll, hops, strict=True):
        frame[detector.notes(hop)] = True
    return roll


@contextmanager
def basic_pitch() -> Iterator[Ear]:
    """Of the whole sound at once: it sees the future. Its ONNX model runs in an environment of its own."""
    if not PEERS_PYTHON.exists():
        raise NotInstalledError(
            f"python3 -m venv {PEERS_PYTHON.parents[1].name}; in it: pip install onnxruntime librosa mir_eval "
            "pretty_midi resampy scipy 'setuptools<81' and pip install --no-deps basic-pitch"
        )
    process = subprocess.Popen(
        [PEERS_PYTHON, Path(__file__).with_name("basic_pitch_ear.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process, tempfile.TemporaryDirectory() as folder:
        assert process.stdin and process.stdout
        if process.stdout.readline() != "ready\n":
            raise NotInstalledError(f"basic-pitch does not start: try {PEERS_PYTHON} -m pip check")
        yield partial(_transcribed, process, Path(folder) / "sound.wav")
        process.stdin.close()


def _transcribed(process: "subprocess.Popen[str]", path: Path, hops: Hops) -> Roll:
    assert process.stdin and process.stdout
    soundfile.write(path, hops.ravel(), SAMPLE_RATE_HZ, subtype="FLOAT")
    process.stdin.write(f"{path}\n")
    process.stdin.flush()
    roll = np.zeros((len(hops), NOTES), bool)
    ends_s = (np.arange(len(hops)) + 1) / FRAME_RATE_HZ
    for begins_s, over_s, note in json.loads(process.stdout.readline()):
        roll[(ends_s >= begins_s) & (ends_s < over_s), note] = True
    return roll


def opened(name: str, stack: ExitStack, threshold: Threshold) -> Ear:
    """One of DETECTORS.

    Raises:
        NotInstalledError: it is not there.
    """
    if name == OURS:
        return partial(ours, threshold=threshold)
    if name == "basic-pitch":
        return stack.enter_context(basic_pitch())
    detector = _STREAMING[name]
    detector()
    return partial(streamed, detector)


_STREAMING: dict[str, Callable[[], Any]] = {
    "naive": partial(Spectrum, interpolated=False),
    "interpolated": partial(Spectrum, interpolated=True),
    "aubio": Aubio,
}
DETECTORS = (OURS, *_STREAMING, "basic-pitch")
