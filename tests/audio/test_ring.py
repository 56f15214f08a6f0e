"""Rings in shared memory, written here and read in another process."""

import os
import subprocess
import sys

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from jambridge.audio.feed import Feeds
from jambridge.audio.ring import Rings, Wake, WakePipe, read_wakes
from jambridge.units import Frames, LocalSeconds, PeerId


@given(st.lists(st.integers(0, 16), max_size=20))
def test_the_newest_frames_come_back_in_order(block_sizes: list[int]) -> None:
    rings = Rings.create(slots=2, capacity=16)
    stream = np.arange(1, sum(block_sizes) + 1, dtype=np.float32)
    at = 0
    for block in np.split(stream, np.cumsum(block_sizes)[:-1]) if block_sizes else []:
        rings.write(1, Frames(at), block)
        at += len(block)

    newest = min(at, 16)

    np.testing.assert_array_equal(rings.read(1, Frames(at - newest), newest), stream[at - newest :])
    assert not rings.read(0, Frames(0), 16).any()
    os.close(rings.fd)


def test_another_process_reads_what_was_written() -> None:
    rings = Rings.create(slots=1, capacity=1000)
    rings.write(0, Frames(900), np.arange(200, dtype=np.float32))
    script = (
        "import sys; from jambridge.audio.ring import Rings; "
        "print(*Rings(int(sys.argv[1]), 1, 1000).read(0, 1090, 10).astype(int))"
    )

    said = subprocess.run(
        [sys.executable, "-c", script, str(rings.fd)], pass_fds=[rings.fd], capture_output=True, text=True, check=True
    )

    assert said.stdout.split() == [str(value) for value in range(190, 200)]
    os.close(rings.fd)


def test_a_full_pipe_drops_news_and_never_blocks() -> None:
    pipe = WakePipe()
    for written in range(10_000):
        pipe.send(Wake(0, 1, Frames(written), LocalSeconds(0.5)))

    first = next(read_wakes(pipe.read_fd))

    assert pipe.dropped > 0
    assert first == Wake(0, 1, Frames(0), LocalSeconds(0.5))
    pipe.close()


def test_a_source_gets_a_slot_and_a_new_generation_each_time() -> None:
    feeds = Feeds(slots=2)
    ada, bob = feeds.open(PeerId("a"), "Ada"), feeds.open(PeerId("b"), "Bob")
    assert ada is not None
    assert bob is not None
    assert feeds.open(PeerId("c"), "Cy") is None

    ada.close()
    again = feeds.open(PeerId("a"), "Ada")

    assert again is not None
    assert (again.source.slot, again.source.generation) == (ada.source.slot, 2)
    assert {source.name for source in feeds.sources.value} == {"Ada", "Bob"}


def test_stereo_is_averaged_and_announced_with_its_position() -> None:
    feeds = Feeds(slots=1)
    feed = feeds.open(PeerId("a"), "Ada")
    assert feed is not None
    feed.write(np.tile(np.array([[1.0, 0.0]], np.float32), (480, 1)))
    feed.write(np.zeros((480, 2), np.float32))

    wakes = list(read_wakes(feeds.wakes.read_fd))

    assert [wake.written for wake in wakes] == [480, 960]
    np.testing.assert_array_equal(feeds.rings.read(0, Frames(0), 480), np.full(480, 0.5, np.float32))
