import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from jambridge.light import layout


def test_three_colours_share_ten_pixels_in_order() -> None:
    colours = np.eye(3, dtype=np.float32)

    painted = layout.paint(colours, 10)

    assert painted.argmax(axis=1).tolist() == [0, 0, 0, 0, 1, 1, 1, 2, 2, 2]


@given(pixels=st.integers(1, 3000), data=st.data())
def test_stretches_are_contiguous_and_equal_but_for_a_pixel(pixels: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(1, layout.room(pixels)))
    colours = np.arange(count, dtype=np.float32)[:, np.newaxis].repeat(3, axis=1)

    painted = layout.paint(colours, pixels)[:, 0]

    assert painted.shape == (pixels,)
    assert (np.diff(painted) >= 0).all()
    sizes = np.bincount(painted.astype(int), minlength=count)
    assert sizes.max() - sizes.min() <= 1
    assert sizes.min() >= min(pixels, layout.FEWEST_PIXELS)


def test_nothing_is_black() -> None:
    assert not layout.paint(np.empty((0, 3), np.float32), 5).any()


def test_even_three_pixels_show_one_note() -> None:
    assert [layout.room(pixels) for pixels in (1, 3, 4, 7, 8, 300)] == [1, 1, 1, 1, 2, 75]
