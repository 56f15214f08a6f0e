"""The order of restoring, and what is left out."""

from jambridge.store import restoring, session
from jambridge.store.restoring import Step
from tests.store.golden import GOLDEN, GUITAR, MUSIC, PIANO, STRIP

PLAYING = session.parse({**GOLDEN, "music": {**MUSIC, "isPlaying": True}})


def test_everything_comes_back_in_the_documents_order_and_the_transport_last() -> None:
    assert restoring.restore(PLAYING, play=True) == (
        Step("tempo", 140),
        Step("key", "D"),
        Step("scale", "minor"),
        Step("colorMode", "harmonic"),
        Step("masterVolume", 0.8),
        Step("module", PIANO),
        Step("module", GUITAR),
        Step("activeModule", "guitar-1"),
        Step("midiInput", "MIDI Keyboard"),
        Step("midiOutput", None),
        Step("wledDevices", [STRIP]),
        Step("activeWled", "a4cf12ffee01"),
        Step("isPlaying", True),
    )


def test_nothing_starts_playing_unless_that_is_asked() -> None:
    assert "isPlaying" not in [step.name for step in restoring.restore(PLAYING)]


def test_addresses_of_devices_may_be_left_out() -> None:
    steps = dict(restoring.restore(PLAYING, device_ips=False))

    assert steps["wledDevices"] == [{"id": "a4cf12ffee01", "name": "Studio Lights"}]
