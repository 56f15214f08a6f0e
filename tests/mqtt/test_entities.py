import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jambridge.errors import WireError
from jambridge.mqtt import entities
from jambridge.mqtt.entities import Box

BOX = Box("00c0ffee00c0ffee", "The box", "1.0.0")
VALUES = {"paused": False, "playing": True, "effect": "roll", "brightness": 0.55, "tempo": 96, "peers": 2}


def test_every_entity_reads_a_value_of_the_state_and_has_an_id_of_its_own() -> None:
    told = json.loads(entities.describe(BOX))
    state = json.loads(entities.state(VALUES))

    assert told["components"].keys() == state.keys()
    assert len({entity["unique_id"] for entity in told["components"].values()}) == len(state)
    assert state == {"paused": "OFF", "playing": "ON", "effect": "roll", "brightness": 55, "tempo": 96, "peers": 2}
    assert state["effect"] in told["components"]["effect"]["options"]
    assert (told["state_topic"], told["availability_topic"]) == (BOX.state, BOX.availability)


def test_whatever_can_be_asked_has_a_topic_that_is_understood() -> None:
    told = json.loads(entities.describe(BOX))["components"]
    topics = {name: entity.get("command_topic") for name, entity in told.items()}
    wished = {"paused": b"ON", "playing": b"OFF", "effect": b"vu", "brightness": b"40", "tempo": b"101.5"}

    assert topics.pop("peers") is None
    asked = dict(entities.command(BOX, topics[name], payload) for name, payload in wished.items())

    assert asked == {"paused": True, "playing": False, "effect": "vu", "brightness": 0.4, "tempo": 101.5}
    assert topics.keys() == asked.keys()


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("paused", b"on"),
        ("tempo", b"fast"),
        ("tempo", b"true"),
        ("tempo", b"NaN"),
        ("effect", b"x" * 65),
        ("peers", b"3"),
    ],
)
def test_what_is_no_command_is_refused(name: str, payload: bytes) -> None:
    with pytest.raises(WireError):
        entities.command(BOX, f"{BOX.topic}/set/{name}", payload)


@given(topic=st.sampled_from(["paused", "effect", "brightness", "tempo"]) | st.text(), payload=st.binary(max_size=80))
def test_any_bytes_are_a_command_or_refused(topic: str, payload: bytes) -> None:
    try:
        name, _ = entities.command(BOX, f"{BOX.topic}/set/{topic}", payload)
    except WireError:
        return
    assert name == topic
