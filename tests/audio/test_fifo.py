import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from jambridge.audio.playout.fifo import Fifo


@given(st.lists(st.integers(0, 12), max_size=12), st.lists(st.integers(0, 12), max_size=12))
def test_frames_come_out_in_order_whatever_the_blocks(lengths: list[int], wanted: list[int]) -> None:
    fifo, stream = Fifo(), np.arange(2 * sum(lengths), dtype=np.float32).reshape(-1, 2)
    for block in np.split(stream, np.cumsum(lengths)[:-1]) if lengths else []:
        fifo.put(block)

    taken = [fifo.take(min(frames, fifo.frames)) for frames in wanted]

    heard = np.concatenate([*taken, fifo.take(fifo.frames)])
    np.testing.assert_array_equal(heard, stream)
    assert fifo.frames == 0
