import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from jambridge.audio.opus import FRAME_FRAMES, LOOKAHEAD_FRAMES, OpusDecoder, OpusEncoder
from jambridge.errors import WireError
from jambridge.units import SAMPLE_RATE_HZ


def tone(frequency_hz: float, seconds: float, level: float = 0.5) -> NDArray[np.float32]:
    time_s = np.arange(int(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    mono = level * np.sin(2 * np.pi * frequency_hz * time_s)
    return np.stack([mono, mono / 2], axis=1).astype(np.float32)


def test_sound_comes_back_after_the_look_ahead_on_its_own_channel() -> None:
    sound, encoder, decoder = tone(440, 0.5), OpusEncoder(), OpusDecoder()

    packets = [encoder.encode(frame) for frame in np.split(sound, len(sound) // FRAME_FRAMES)]
    heard = np.concatenate([decoder.decode(packet.payload) for packet in packets])

    assert [packet.pts for packet in packets[:3]] == [0, 480, 960]
    assert heard.dtype == np.float32
    assert heard.shape == sound.shape
    delayed = heard[4800 + LOOKAHEAD_FRAMES : 19200]
    np.testing.assert_allclose(delayed, sound[4800 : 19200 - LOOKAHEAD_FRAMES], atol=0.02)


def test_a_frame_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="a frame is"):
        OpusEncoder().encode(np.zeros((960, 2), np.float32))


@given(payloads=st.lists(st.binary(max_size=200), max_size=8))
def test_any_bytes_are_sound_or_a_wire_error_and_the_next_packet_decodes(payloads: list[bytes]) -> None:
    decoder = OpusDecoder()
    for payload in payloads:
        with contextlib.suppress(WireError):
            assert decoder.decode(payload).shape[1] == 2

    packet = OpusEncoder().encode(np.zeros((FRAME_FRAMES, 2), np.float32))

    assert decoder.decode(packet.payload).shape == (FRAME_FRAMES, 2)
