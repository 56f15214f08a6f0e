import pytest
from hypothesis import given
from hypothesis import strategies as st

from jambridge.sync.offset import Exchange, RemoteSeconds
from jambridge.units import LocalSeconds


def test_the_offset_of_an_exchange() -> None:
    exchange = Exchange(LocalSeconds(10.0), RemoteSeconds(110.003), RemoteSeconds(110.004), LocalSeconds(10.007))

    assert exchange.offset_s == pytest.approx(100.0)
    assert exchange.delay_s == pytest.approx(0.006)


@given(there=st.floats(0, 1), back=st.floats(0, 1), took=st.floats(0, 1), offset=st.floats(-1e6, 1e6))
def test_the_offset_is_wrong_by_half_of_the_delay_at_most(
    there: float, back: float, took: float, offset: float
) -> None:
    t2 = RemoteSeconds(there + offset)
    t3 = RemoteSeconds(there + took + offset)
    exchange = Exchange(LocalSeconds(0), t2, t3, LocalSeconds(there + took + back))

    assert abs(exchange.offset_s - offset) <= exchange.delay_s / 2 + 1e-6
