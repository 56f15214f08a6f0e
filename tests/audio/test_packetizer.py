import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from jambridge.audio.opus import Decoder, packet_frames
from jambridge.audio.packetizer import OpusPacket, Packetizer


def written(packetizer: Packetizer, frames: int) -> list[OpusPacket]:
    return list(packetizer.packets(np.zeros((frames, 2), np.float32)))


@given(blocks=st.lists(st.integers(0, 2000), max_size=10), frame=st.sampled_from([120, 240, 480]))
def test_blocks_of_any_length_become_packets_that_follow_each_other(blocks: list[int], frame: int) -> None:
    packetizer = Packetizer(frame_frames=frame)

    packets = [packet for block in blocks for packet in written(packetizer, block)]

    assert [packet.pts for packet in packets] == [frame * index for index in range(sum(blocks) // frame)]
    assert all(packet_frames(packet.payload) == frame for packet in packets)


def test_the_length_of_packets_changes_without_a_gap_and_without_a_click() -> None:
    packetizer, decoder = Packetizer(), Decoder()
    time_s = np.arange(48_000) / 48_000
    tone = np.repeat(0.5 * np.sin(2 * np.pi * 440 * time_s)[:, None], 2, axis=1).astype(np.float32)

    heard, ends = [], 0
    for index, block in enumerate(np.split(tone, 375)):
        packetizer.frame_frames = (480, 240)[index // 25 % 2]
        for packet in packetizer.packets(block):
            assert packet.pts == ends
            ends += packet_frames(packet.payload)
            heard.append(decoder.decode(packet.payload))

    sound = np.concatenate(heard)
    error = sound[4800:] - tone[4680 : 4680 + len(sound) - 4800]
    assert len(sound) > 47_500
    assert np.abs(error).max() < 0.05
