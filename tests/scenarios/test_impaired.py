"""The bad cable is as bad as it says, and no worse."""

import socket
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from tests.fakes.impaired import Impairment, Wire
from tests.scenarios.impaired import Cable, impaired
from tests.scenarios.namespaces import Host, network
from tests.scenarios.probe import probe

pytestmark = pytest.mark.scenario

INTERVAL_S = 0.0025
COUNT = 1000
Behind = tuple[Host, Host, Cable]


@pytest.fixture(scope="module")
def behind() -> Iterator[Behind]:
    """A host behind the cable, one that is not, and the cable."""
    with network(2) as (one, other), impaired(one) as cable:
        yield one, other, cable


def fates(impairment: Impairment, frames: int, seed: int = 7) -> list[float | None]:
    wire = Wire(seed)
    wire.impairment = impairment
    return [wire.due_s(number * INTERVAL_S) for number in range(frames)]


@pytest.mark.parametrize(("loss", "burst", "in_a_row"), [(0.05, 0, 1.05), (0.2, 4, 4), (0.5, 10, 10)])
def test_as_many_are_lost_as_was_asked_for_and_as_many_in_a_row(loss: float, burst: float, in_a_row: float) -> None:
    lost = np.array([due is None for due in fates(Impairment(loss=loss, burst=burst), 100_000)])

    assert lost.mean() == pytest.approx(loss, rel=0.05)
    assert lost.sum() / (lost[1:] & ~lost[:-1]).sum() == pytest.approx(in_a_row, rel=0.05)


def test_the_same_seed_loses_the_same_frames() -> None:
    bad = Impairment(loss=0.2, burst=4, delay_ms=30, jitter_ms=20)

    assert fates(bad, 500) == fates(bad, 500) != fates(bad, 500, seed=8)


def test_an_idle_relay_costs_little(behind: Behind) -> None:
    one, other, cable = behind
    cable.change(Impairment(), Impairment())

    for arrivals in (probe(one, other, COUNT, INTERVAL_S), probe(other, one, COUNT, INTERVAL_S)):
        assert arrivals.loss == 0
        assert np.median(arrivals.delays_ms) < 0.5
        assert arrivals.overtaken == 0


def test_delays_are_spread_as_was_asked_for_one_way_alone(behind: Behind) -> None:
    one, other, cable = behind
    cable.change(Impairment(delay_ms=30, jitter_ms=20), Impairment())

    up, down = probe(one, other, COUNT, INTERVAL_S), probe(other, one, COUNT, INTERVAL_S)

    assert np.percentile(up.delays_ms, [5, 50, 95]) == pytest.approx([12, 30, 48], abs=3)
    assert up.overtaken > 0.5
    assert np.median(down.delays_ms) < 0.5


def test_a_cable_in_order_lets_nothing_overtake(behind: Behind) -> None:
    one, other, cable = behind
    cable.change(Impairment(delay_ms=30, jitter_ms=20, in_order=True), Impairment())

    assert probe(one, other, COUNT, INTERVAL_S).overtaken == 0


def test_losses_come_in_bursts_and_are_counted(behind: Behind) -> None:
    one, other, cable = behind
    before = cable.change(Impairment(), Impairment(loss=0.2, burst=5))

    arrivals = probe(other, one, COUNT, INTERVAL_S)

    after = cable.counters()
    assert 0.1 < arrivals.loss < 0.3
    assert arrivals.mean_burst > 2.5
    lost = after["down"]["lost"] - before["down"]["lost"]
    assert lost == pytest.approx(arrivals.loss * COUNT, abs=5)  # a frame or two are the kernel's own


def test_streams_pass_whole_and_it_survives_a_pulled_plug(behind: Behind) -> None:
    one, other, cable = behind
    cable.change(Impairment(), Impairment())
    one.unplug()
    one.plug_in()
    payload = bytes(range(256)) * 4000
    with other.here(lambda: socket.create_server(("", 0))) as server:
        address = (other.address, server.getsockname()[1])
        with one.here(lambda: socket.create_connection(address, 10)) as sender, server.accept()[0] as receiver:
            sending = threading.Thread(target=sender.sendall, args=(payload,))
            sending.start()
            got = b""
            while len(got) < len(payload):
                got += receiver.recv(1 << 16)
            sending.join()

    assert got == payload
