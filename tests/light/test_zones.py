from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jambridge.audio.source import Source
from jambridge.light import zones
from jambridge.light.colour import Colours
from jambridge.light.wled import Controller
from jambridge.light.zones import Zone
from jambridge.units import PeerId

STAGE = Controller("aabbccddeeff", "Stage", "10.0.0.7", 10)
ADA = Source(0, 1, PeerId("a"), "Ada", instrument="Guitar")
HERE = Source(1, 1, PeerId("b"), "Box", is_line_in=True, instrument="bass")


def counted(zone: Zone, pixels: int) -> Colours:
    """The zone's name's length, and which pixel of it."""
    return np.stack([np.arange(pixels) + 1.0, np.zeros(pixels), np.zeros(pixels)], axis=1).astype(np.float32)


def painted(*all_zones: Zone, pixels: int = 10) -> list[int]:
    return [round(value) for value in zones.paint(all_zones, pixels, counted)[:, 0].tolist()]


@pytest.mark.parametrize("name", ["Stage", "STAGE", "aabbccddeeff", "AA:bb:CC:dd:ee:ff", "10.0.0.7"])
def test_a_zone_names_its_controller_as_a_person_does(name: str) -> None:
    assert zones.on(STAGE, [Zone("*", name)]) == (Zone("*", name),)


def test_a_controller_without_zones_is_everybodys() -> None:
    (zone,) = zones.on(STAGE, [Zone("Ada", "other")])

    assert zone.shows(ADA) and zone.shows(HERE) and zone.span(10) == range(10)


@pytest.mark.parametrize(
    ("player", "ada", "here"),
    [("*", 1, 1), ("ada", 1, 0), ("guitar", 1, 0), ("self", 0, 1), ("Box", 0, 1), ("Bass", 0, 1), ("Bob", 0, 0)],
)
def test_a_player_is_a_name_an_instrument_oneself_or_all(player: str, ada: int, here: int) -> None:
    zone = Zone(player, "Stage")

    assert (zone.shows(ADA), zone.shows(HERE)) == (bool(ada), bool(here))


def test_spans_reversed_and_mirrored() -> None:
    assert painted(Zone("*", "Stage", 2, 5)) == [0, 0, 1, 2, 3, 0, 0, 0, 0, 0]
    assert painted(Zone("*", "Stage", 2, 5, reverse=True)) == [0, 0, 3, 2, 1, 0, 0, 0, 0, 0]
    assert painted(Zone("*", "Stage", mirror=True), pixels=6) == [3, 2, 1, 1, 2, 3]
    assert painted(Zone("*", "Stage", mirror=True), pixels=5) == [3, 2, 1, 2, 3]
    assert painted(Zone("*", "Stage", mirror=True, reverse=True), pixels=5) == [1, 2, 3, 2, 1]


def test_the_later_zone_is_above_the_earlier() -> None:
    assert painted(Zone("*", "Stage", 0, 6), Zone("Ada", "Stage", 4, 8)) == [1, 2, 3, 4, 1, 2, 3, 4, 0, 0]


@given(
    start=st.integers(0, 30),
    stop=st.none() | st.integers(0, 30),
    reverse=st.booleans(),
    mirror=st.booleans(),
    pixels=st.integers(1, 20),
)
def test_a_zone_beyond_the_strip_is_cut(start: int, stop: int | None, reverse: bool, mirror: bool, pixels: int) -> None:
    picture = zones.paint([Zone("*", "Stage", start, stop, reverse, mirror)], pixels, counted)

    lit = picture[:, 0] > 0
    assert lit.sum() == max(0, min(pixels, pixels if stop is None else stop) - start)


@pytest.mark.parametrize(
    ("zone", "says"),
    [
        (Zone("*", "Stage", 2, 10), None),
        (Zone("*", "Stage", 10), "begins at 10, beyond the 10 pixels of 'Stage'"),
        (Zone("*", "Stage", 5, 11), "ends at 11, cut at the 10 pixels of 'Stage'"),
        (Zone("*", "Stgae"), "no controller 'Stgae' is driven"),
    ],
)
def test_what_is_wrong_with_a_zone_is_said(zone: Zone, says: str | None) -> None:
    assert zones.problem(zone, [STAGE]) == says


def test_a_zone_on_a_strip_that_is_left_to_another_is_not_shown() -> None:
    assert zones.problem(Zone("*", "Stage"), [replace(STAGE, yielded=True)]) == "no controller 'Stage' is driven"
