import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from jambridge.audio.opus import FRAME_FRAMES, LOOKAHEAD_FRAMES, SHORT_FRAMES, Decoder, Encoder, packet_frames
from jambridge.errors import WireError
from jambridge.units import SAMPLE_RATE_HZ
from tests.audio.fidelity import fitted


def tone(frequency_hz: float, seconds: float, level: float = 0.5) -> NDArray[np.float32]:
    time_s = np.arange(int(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    mono = level * np.sin(2 * np.pi * frequency_hz * time_s)
    return np.stack([mono, mono / 2], axis=1).astype(np.float32)


@pytest.mark.parametrize("frames", [120, SHORT_FRAMES, FRAME_FRAMES, 960])
def test_sound_comes_back_after_the_look_ahead_on_its_own_channel(frames: int) -> None:
    sound, encoder, decoder = tone(440, 0.5), Encoder(), Decoder()

    packets = [encoder.encode(frame) for frame in np.split(sound, len(sound) // frames)]
    heard = np.concatenate([decoder.decode(packet) for packet in packets])

    assert {packet_frames(packet) for packet in packets} == {frames}
    assert heard.dtype == np.float32
    assert heard.shape == sound.shape
    delayed = heard[4800 + LOOKAHEAD_FRAMES : 19200]
    np.testing.assert_allclose(delayed, sound[4800 : 19200 - LOOKAHEAD_FRAMES], atol=0.05)


@pytest.mark.parametrize("frames", [SHORT_FRAMES, FRAME_FRAMES])
def test_a_tone_has_forty_decibels_of_signal_to_noise(frames: int) -> None:
    time_s = np.arange(2 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    sound = np.repeat(0.5 * np.sin(2 * np.pi * 997 * time_s)[:, None], 2, axis=1).astype(np.float32)
    encoder, decoder = Encoder(), Decoder()

    heard = np.concatenate([decoder.decode(encoder.encode(frame)) for frame in np.split(sound, len(sound) // frames)])

    level_db, to_noise_db = fitted(heard[SAMPLE_RATE_HZ:, 0], 997)
    assert level_db == pytest.approx(-6, abs=0.1)
    assert to_noise_db > 40


@pytest.mark.parametrize("bit_rate", [128_000, 256_000])
def test_the_bit_rate_is_kept(bit_rate: int) -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, (SAMPLE_RATE_HZ, 2)).astype(np.float32)
    encoder = Encoder(bit_rate)

    packets = [encoder.encode(frame) for frame in np.split(noise, 100)]

    assert sum(map(len, packets)) * 8 == pytest.approx(bit_rate, rel=0.1)


def test_a_frame_of_another_shape_is_refused() -> None:
    for shape in [(100, 2), (480, 1), (480,), (0, 2)]:
        with pytest.raises(ValueError, match="frame"):
            Encoder().encode(np.zeros(shape, np.float32))


def test_a_lost_packet_is_concealed_with_sound_that_goes_on_and_then_fades() -> None:
    encoder, decoder = Encoder(), Decoder()
    packets = [encoder.encode(frame) for frame in np.split(tone(440, 0.5), 50)]
    for packet in packets[:30]:
        decoder.decode(packet)

    filled = decoder.conceal(480)
    for _ in range(20):
        faded = decoder.conceal(480)

    assert 0.2 < np.abs(filled).max() < 0.7
    assert np.abs(faded).max() < 0.05


def test_what_follows_a_lost_packet_may_recover_it() -> None:
    encoder, decoder = Encoder(), Decoder()
    packets = [encoder.encode(frame) for frame in np.split(tone(440, 0.5), 50)]
    for packet in packets[:30]:
        decoder.decode(packet)

    assert decoder.recover(packets[31], 480).shape == (480, 2)
    assert decoder.decode(packets[31]).shape == (480, 2)


def test_nothing_else_can_be_concealed() -> None:
    for frames in [0, 100, 5880, -120]:
        with pytest.raises(ValueError, match="concealed"):
            Decoder().conceal(frames)


@given(payloads=st.lists(st.binary(max_size=200), max_size=8))
def test_any_bytes_are_sound_or_a_wire_error_and_the_next_packet_decodes(payloads: list[bytes]) -> None:
    decoder = Decoder()
    for payload in payloads:
        with contextlib.suppress(WireError):
            assert packet_frames(payload) <= 5760
        with contextlib.suppress(WireError):
            assert decoder.decode(payload).shape[1] == 2
        with contextlib.suppress(WireError):
            assert decoder.recover(payload, 480).shape == (480, 2)

    packet = Encoder().encode(np.zeros((FRAME_FRAMES, 2), np.float32))

    assert decoder.decode(packet).shape == (FRAME_FRAMES, 2)
