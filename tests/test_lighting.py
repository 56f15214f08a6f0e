import asyncio
import json
import logging
from contextlib import suppress

import pytest

from jambridge.config import Config
from jambridge.edges import Latest
from jambridge.errors import WireError
from jambridge.light.wled import Controller
from jambridge.light.zones import Zone
from jambridge.lighting import CHANGEABLE, PAUSED, Lighting
from jambridge.room.state import RoomState
from jambridge.sync.service import Sync
from jambridge.units import PeerId
from tests.fakes.waiting import until


def lighting(**light: object) -> Lighting:
    return Lighting(Config.model_validate({"light": light}))


def test_zones_and_the_effects_of_controllers_reach_the_light() -> None:
    one = lighting(
        effect="chord",
        attack=0.25,
        controllers=[
            {"name": "Stage", "effect": "vu"},
            {"mac": "aa:bb:cc:dd:ee:ff", "effect": "beat"},
            {"host": "here"},
        ],
        zones=[{"player": "Ada", "controller": "stage", "start": 3, "mirror": True}],
    )

    settings = one.settings.value
    assert settings.effect == "chord" and settings.style.attack_beats == 0.25
    assert settings.zones == (
        Zone("*", "aa:bb:cc:dd:ee:ff", effect="beat"),
        Zone("Ada", "stage", 3, mirror=True),
    )


def test_what_may_be_changed_is_changed_and_told() -> None:
    one = lighting()

    one.change({"effect": "roll", "brightness": 0.5, "zones": [{"player": "self", "controller": "Stage"}]})

    settings = one.settings.value
    assert (settings.effect, settings.brightness, settings.zones) == ("roll", 0.5, (Zone("self", "Stage"),))
    assert one.describe()["effect"] == "roll"
    assert set(one.describe()) == {PAUSED, *CHANGEABLE}


def test_another_mode_is_wanted_at_once_and_in_force_when_it_can_be() -> None:
    one = lighting(mode="local")

    one.change({"mode": "broadcast"})

    assert (one.wanted, one.describe()["mode"], one.section(())["wanted"]) == ("broadcast",) * 3
    assert one.settings.value.mode == "local"


def test_lights_that_the_configuration_has_off_stay_off() -> None:
    one = lighting(mode="off")

    with pytest.raises(WireError, match="paused can be changed here"):
        one.change({"mode": "auto"})
    one.change({"mode": "off", "effect": "roll"})

    assert (one.wanted, one.settings.value.mode, one.settings.value.effect) == ("off", "off", "roll")


def test_a_pause_outlasts_other_changes_and_ends_when_asked() -> None:
    one = lighting()

    one.change({"paused": True})
    one.change({"effect": "roll"})
    assert one.settings.value.paused and one.describe()["paused"] and one.section(())["paused"]

    one.change({"paused": False})
    assert not one.settings.value.paused and one.settings.value.effect == "roll"


@pytest.mark.parametrize(
    "wanted",
    [
        {"effect": "strobe"},
        {"mode": "off"},
        {"mode": False},
        {"mode": "loud"},
        {"brightness": 1.1},
        {"brightness": 0.5, "effect": 3},
        {"brightness": 0.5, "paused": 1},
        {"brightness": True},
        {"attack": True},
        {"zones": [{"controller": "Stage", "start": 5, "stop": 5}]},
        {"zones": [{"player": "Ada"}]},
        {"zones": "all"},
        {"flashes_per_s": 9},
        {"x" * 500: 1},
    ],
)
def test_what_cannot_be_is_refused_whole(wanted: dict[str, object]) -> None:
    one = lighting()
    before = one.settings.value

    with pytest.raises(WireError) as refused:
        one.change(wanted)

    assert len(str(refused.value)) < 250
    assert one.settings.value == before


def test_a_zone_that_cannot_be_shown_says_why() -> None:
    one = lighting(effect="vu", zones=[{"controller": "Stage", "stop": 20}, {"controller": "Hall"}])

    section = one.section([Controller("aabbccddeeff", "Stage", "10.0.0.7", 10)])

    assert (section["effect"], section["brightness"]) == ("vu", 1.0)
    assert [zone["problem"] for zone in section["zones"]] == [
        "ends at 20, cut at the 10 pixels of 'Stage'",
        "no controller 'Hall' is driven",
    ]
    assert json.loads(json.dumps(section)) == section


def test_a_zone_that_is_not_shown_is_told_once_and_so_is_its_return(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        one, driven = lighting(zones=[{"player": "Ada", "controller": "Stage"}]), Latest[tuple[Controller, ...]](())
        telling = asyncio.create_task(one.tell_problems(driven, settled_s=0))
        try:
            await until(lambda: len(caplog.messages) == 1)
            driven.set((Controller("aabbccddeeff", "Stage", "10.0.0.7", 10),))
            await until(lambda: len(caplog.messages) == 2)
        finally:
            telling.cancel()
            with suppress(asyncio.CancelledError):
                await telling

    with caplog.at_level(logging.INFO, "jambridge.lighting"):
        asyncio.run(scenario())
    assert caplog.messages == [
        "a zone is not shown whole player='Ada' problem=no controller 'Stage' is driven",
        "a zone is shown player='Ada' controller='Stage'",
    ]


def test_colour_mode_key_scale_and_beat_are_the_rooms() -> None:
    async def scenario() -> None:
        one, state = lighting(color_mode="harmonic"), Latest(RoomState())
        sync = Sync(PeerId("me"), lambda: PeerId("me"), lambda _to, _text: False)
        following = asyncio.create_task(one.follow(state, sync))
        try:
            state.set(state.value.changed("key", "D", "ada").changed("scale", "dorian", "ada"))
            await until(lambda: (one.music.value.key, one.music.value.scale) == ("D", "dorian"))
            said = one.settings.value.color_mode
            assert said == "harmonic", "nobody has said another"
            assert one.music.value.beat_at is None
            state.set(state.value.changed("isPlaying", True, "ada").changed("tempo", 90, "ada"))
            sync.keep_beat(90, is_playing=True)
            await until(lambda: one.music.value.beat_at is not None and one.music.value.tempo == 90)
            state.set(state.value.changed("colorMode", "chromatic", "ada"))
            await until(lambda: one.settings.value.color_mode == "chromatic")
            one.change({"effect": "beat"})
            assert one.settings.value.color_mode == "chromatic"
        finally:
            following.cancel()
            with suppress(asyncio.CancelledError):
                await following

    asyncio.run(scenario())
