import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile

from jambridge.audio.file import open_sound
from jambridge.errors import UnavailableError
from tests.notes.signals import Sound, tone

SUBTYPES = {"WAV": "PCM_16", "FLAC": "PCM_24", "OGG": "VORBIS", "MP3": "MPEG_LAYER_III"}


def resampled(rate_hz: int, channels: int) -> Sound:
    """Half a second of A4 at another rate, the same in each channel."""
    times_s = np.arange(rate_hz // 2) / rate_hz
    return np.tile((0.3 * np.sin(2 * np.pi * 440 * times_s)).astype(np.float32)[:, np.newaxis], channels)


def peak_hz(sound: Sound) -> float:
    return float(np.fft.rfftfreq(len(sound), 1 / 48_000)[np.abs(np.fft.rfft(sound)).argmax()])


@pytest.mark.parametrize("kind", SUBTYPES)
@pytest.mark.parametrize(("rate_hz", "channels"), [(8_000, 1), (44_100, 2), (48_000, 2)])
def test_every_kind_comes_at_48_khz_with_its_channels(tmp_path: Path, kind: str, rate_hz: int, channels: int) -> None:
    path = tmp_path / "sound"
    soundfile.write(path, resampled(rate_hz, channels), rate_hz, format=kind, subtype=SUBTYPES[kind])

    sound = np.concatenate(list(open_sound(path)))

    assert sound.dtype == np.float32
    assert sound.shape[1] == channels
    assert len(sound) == pytest.approx(24_000, abs=1_500)  # a lossy codec pads
    assert peak_hz(sound[:, -1]) == pytest.approx(440, abs=3)
    assert np.abs(sound[4_000:20_000]).max() == pytest.approx(0.3, abs=0.02)


def test_opus_comes_too(tmp_path: Path) -> None:
    path = tmp_path / "sound.opus"
    soundfile.write(path, resampled(48_000, 1), 48_000, format="OGG", subtype="OPUS")

    assert peak_hz(np.concatenate(list(open_sound(path)))[:, 0]) == pytest.approx(440, abs=3)


def test_48_khz_comes_unchanged(tmp_path: Path) -> None:
    path, sound = tmp_path / "sound.wav", tone(57)[:, np.newaxis]
    soundfile.write(path, sound, 48_000, subtype="FLOAT")

    np.testing.assert_array_equal(np.concatenate(list(open_sound(path))), sound)


@pytest.mark.parametrize("kind", ["WAV", "OGG"])
@pytest.mark.parametrize("channels", [8, 16])
def test_many_channels_come(tmp_path: Path, kind: str, channels: int) -> None:
    path = tmp_path / "sound"
    soundfile.write(path, resampled(44_100, channels), 44_100, format=kind)

    assert all(block.shape[1] == channels for block in open_sound(path))


def test_a_sound_without_length_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    soundfile.write(path, np.zeros((0, 1)), 48_000)

    assert sum(len(block) for block in open_sound(path)) == 0


def test_a_long_sound_takes_no_more_memory_than_a_short_one(tmp_path: Path) -> None:
    path = tmp_path / "sound.flac"
    soundfile.write(path, np.zeros((60 * 48_000, 2), np.int16), 48_000)

    tracemalloc.start()
    try:
        frames = sum(len(block) for block in open_sound(path))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert frames == 60 * 48_000
    assert most < 2_000_000  # the whole would be 23 MB


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match=r"Cannot open .*nowhere.wav: No such file"):
        open_sound(tmp_path / "nowhere.wav")


def test_a_directory_is_said(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="Is a directory"):
        open_sound(tmp_path)


@pytest.mark.parametrize(
    "content", [b"", b"not a sound at all\n" * 100, bytes(range(256)) * 64, b"RIFF\x00\x00\x00\x00WAVE"]
)
def test_what_is_no_sound_is_said(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "sound.wav"
    path.write_bytes(content)

    with pytest.raises(UnavailableError, match=r"sound\.wav"):
        list(open_sound(path))


def test_a_truncated_file_gives_what_there_is_and_then_says_so(tmp_path: Path) -> None:
    path = tmp_path / "sound.flac"
    soundfile.write(path, np.random.default_rng(1).normal(0, 0.1, (48_000, 1)), 48_000)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    heard: list[Sound] = []
    with pytest.raises(UnavailableError, match=r"damaged after 0\.\d s"):
        heard.extend(open_sound(path))

    assert 20_000 < sum(len(block) for block in heard) < 28_000


def test_a_name_is_a_name_and_not_an_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(UnavailableError, match="No such file"):
        open_sound(Path("http:/localhost/sound.wav"))
