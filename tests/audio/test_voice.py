from fractions import Fraction

import av
import numpy as np
import pytest

from jambridge.audio.opus import Decoder
from jambridge.audio.playout.voice import FADE_FRAMES, Voice, carries_fec, crossfaded
from tests.audio.simulated import Hum, Stereo, encoded, music


def spoken(frame_ms: int, *, channels: int = 1, fec: bool = True) -> list[bytes]:
    """As browsers send speech: SILK or hybrid, at 8 kHz where it is mono."""
    codec = av.CodecContext.create("libopus", "w")
    codec.bit_rate, codec.format, codec.layout = 24_000, "s16", "mono" if channels == 1 else "stereo"
    codec.sample_rate = 8000 if channels == 1 else 48_000
    codec.time_base = Fraction(1, codec.sample_rate)
    options = {"application": "voip", "frame_duration": str(frame_ms), "fec": str(int(fec)), "packet_loss": "20"}
    codec.options = options
    sound = (music("mono_violin", 4.0)[:: 48_000 // codec.sample_rate, :channels] * 20_000).astype(np.int16)
    frames = frame_ms * codec.sample_rate // 1000
    payloads: list[bytes] = []
    for index in range(len(sound) // frames):
        block = np.ascontiguousarray(sound[index * frames : (index + 1) * frames]).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(block, format="s16", layout=codec.layout.name)
        frame.sample_rate, frame.pts = codec.sample_rate, index * frames
        payloads += [bytes(packet) for packet in codec.encode(frame)]
    return payloads


@pytest.mark.parametrize(("frame_ms", "channels"), [(10, 1), (20, 1), (40, 1), (60, 1), (10, 2), (20, 2)])
def test_packets_that_repeat_the_one_before_are_known(frame_ms: int, channels: int) -> None:
    share = np.mean([carries_fec(payload) for payload in spoken(frame_ms, channels=channels)])

    assert share > 0.3
    assert not any(carries_fec(payload) for payload in spoken(frame_ms, channels=channels, fec=False))
    assert not any(carries_fec(payload) for payload in encoded(music("mono_violin", 1.0)))
    assert not carries_fec(b"")


def test_what_is_missing_fades_away_within_a_tenth_of_a_second_and_comes_back_within_five_milliseconds() -> None:
    voice = Voice(Hum())
    voice.play(bytes(10))
    voice.play(bytes(10))

    missing = np.concatenate([voice.conceal(480) for _ in range(12)])
    back = voice.play(bytes(10))

    assert missing[:1920].min() == 0.5
    assert missing[4800:].max() == 0
    assert np.abs(np.diff(missing[:, 0])).max() < 0.001
    assert back[0].max() < 0.01 and back[FADE_FRAMES - 1 :].min() == 0.5


def test_a_stream_ends_and_begins_without_a_click() -> None:
    voice = Voice(Hum())
    sound = [voice.play(bytes(10)), voice.end(), voice.end(), voice.play(bytes(20))]

    heard = np.concatenate([np.zeros((1, 2), np.float32), *sound])

    assert heard.shape == (1 + 480 + 240 + 960, 2)
    assert np.abs(np.diff(heard[:, 0])).max() < 0.01


def test_what_is_no_number_is_silence() -> None:
    class Broken(Hum):
        def decode(self, payload: bytes) -> Stereo:
            return np.full((480, 2), np.nan, np.float32)

    assert not Voice(Broken()).play(b"x").any()


def test_any_length_can_be_concealed() -> None:
    voice = Voice(Decoder())
    voice.play(encoded(music("bach_guitar", 0.1))[5])

    assert [len(voice.conceal(frames)) for frames in (1, 119, 120, 121, 2880)] == [1, 119, 120, 121, 2880]


def test_a_crossfade_goes_from_one_to_the_other() -> None:
    faded = crossfaded(np.ones((240, 2), np.float32), np.zeros((240, 2), np.float32))

    assert faded[0, 0] == 1 and faded[-1, 0] == 0
