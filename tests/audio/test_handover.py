"""A place at the loudspeaker that another peer has at once."""

import socket
import time
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from jambridge.audio.card.cards import Card
from jambridge.audio.card.control import Channel, PlaybackSettings
from jambridge.audio.card.playback import Playback
from jambridge.audio.card.wire import HeardPacket
from jambridge.audio.packetizer import Packetizer
from jambridge.units import SAMPLE_RATE_HZ, LocalSeconds

FRAMES = 128
CALLBACKS = 150


def played(playback: Playback, callbacks: int, near: socket.socket, generation: int) -> NDArray[np.float32]:
    """What comes out meanwhile, on the left, at a card's pace, while a tone comes in at a network's."""
    arriving, sent, blocks = packets(generation), 0, []
    start = time.monotonic()
    for number in range(callbacks):
        while sent * 480 <= number * FRAMES + 1920:
            near.send(next(arriving).encode())
            sent += 1
        time.sleep(max(start + number * FRAMES / SAMPLE_RATE_HZ - time.monotonic(), 0))
        block = np.zeros((FRAMES, 2), np.float32)
        playback.callback(block.data.cast("B"))
        blocks.append(block[:, 0])
    return np.concatenate(blocks)


def packets(generation: int) -> Iterator[HeardPacket]:
    time_s = np.arange(2 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    tone = np.repeat(0.3 * np.sin(2 * np.pi * 440 * time_s)[:, None], 2, axis=1).astype(np.float32)
    for number, packet in enumerate(Packetizer().packets(tone)):
        now = LocalSeconds(time.monotonic())
        yield HeardPacket(0, generation, generation, number, packet.pts, now, packet.payload)


def sharpest_bend(sound: NDArray[np.float32]) -> float:
    """The largest second difference: 0.001 for this tone."""
    return float(np.abs(np.diff(sound, 2)).max())


def test_a_place_that_changes_hands_between_two_callbacks_does_not_click() -> None:
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with near, far:
        playback = Playback(far)
        playback.begin(Card(0, "card", 0, 2), SAMPLE_RATE_HZ)
        playback.follow(PlaybackSettings(1.0, channels=(Channel(0, 1),)))
        before = played(playback, CALLBACKS, near, 1)
        playback.follow(PlaybackSettings(1.0, channels=(Channel(0, 2),)))
        after = played(playback, CALLBACKS, near, 2)

    assert np.abs(before[-4800:]).max() > 0.25
    assert np.abs(after[-4800:]).max() > 0.25
    assert sharpest_bend(np.concatenate([before[-960:], after])) < 0.02
