"""Bringing a stored session back, step by step in the documents' order. Pure."""

from typing import Any, Literal, NamedTuple

from jambridge.store.merging import without_addresses
from jambridge.store.session import SessionState

StepName = Literal[
    "tempo",
    "key",
    "scale",
    "colorMode",
    "masterVolume",
    "module",
    "activeModule",
    "midiInput",
    "midiOutput",
    "wledDevices",
    "activeWled",
    "isPlaying",
]
STATE_STEPS = ("tempo", "key", "scale", "colorMode", "isPlaying")
"""Those that are the room's state. Of the others a box takes its volume; what lights and instruments it has it finds by
itself, as its configuration says, so that their names here are for whoever reads them."""


class Step(NamedTuple):
    name: StepName
    value: Any


def restore(state: SessionState, *, play: bool = False, device_ips: bool = True) -> tuple[Step, ...]:
    """The steps; the transport is last, and only where `play` asks for it: nothing starts by surprise."""
    music, studio, hardware = state.music, state.studio, state.hardware
    devices = list(hardware.wled.devices) if device_ips else without_addresses(hardware.wled.devices)
    steps = [
        Step("tempo", music.tempo),
        Step("key", music.key),
        Step("scale", music.scale),
        Step("colorMode", music.color_mode),
        Step("masterVolume", music.master_volume),
        *(Step("module", module.to_json()) for module in studio.loaded_modules),
        Step("activeModule", studio.active_module_id),
        Step("midiInput", hardware.midi.input_device),
        Step("midiOutput", hardware.midi.output_device),
        Step("wledDevices", devices),
        Step("activeWled", hardware.wled.active_device_id),
    ]
    return (*steps, Step("isPlaying", music.is_playing)) if play else tuple(steps)
