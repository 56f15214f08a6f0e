"""What of this box is stored, and what of it is brought back."""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from jambridge import sound, strict_json, whole_file
from jambridge.config import StoreConfig
from jambridge.edges import Latest
from jambridge.errors import DeviceError, LinkError, Text, UnavailableError, WireError
from jambridge.light import stored
from jambridge.light.control import LightSettings
from jambridge.light.discovery import Discovery
from jambridge.midi.control import PortsReport
from jambridge.room import code as room_code
from jambridge.room.edges import RoomEdges
from jambridge.services import Running
from jambridge.sound import Sound
from jambridge.store import record, resuming
from jambridge.store.merging import Setup
from jambridge.store.resuming import Resume
from jambridge.store.schema import database_path
from jambridge.store.service import Inputs, Rules, Saver, open_store
from jambridge.strict_json import JsonObject
from jambridge.units import RoomCode

log = logging.getLogger(__name__)

DESCRIBE_S = 5.0
LOOK_S = 0.2
_GAINS = "gains.json"
_MAX_BYTES = 64 * 1024


def saver(
    section: StoreConfig, state: Path, code: RoomCode, inputs: Inputs, resume: Resume | None
) -> Callable[[], AbstractAsyncContextManager[Saver]]:
    rules = Rules(section.save_every_s, section.retention_h, section.device_ips)
    return partial(
        open_store,
        database_path(section.path, state),
        code,
        inputs,
        rules,
        resumed=resume.stored if resume else None,
    )


async def sessions(store: Running[Saver], limit: int) -> list[JsonObject]:
    if store.present is None:
        raise LinkError("sessions are not stored at the moment")
    try:
        return [record.to_json(one) for one in await store.present.recent(limit)]
    except DeviceError as exc:
        raise LinkError(str(exc)) from exc


async def resumable(store: Running[Saver], wanted: str) -> RoomCode:
    """The code of a session stored here.

    Raises:
        UsageError: that is no code.
        UnavailableError: there is no such session.
        LinkError: it cannot be looked for.
    """
    found = room_code.parse(wanted)
    if store.present is None:
        raise LinkError("sessions are not stored at the moment")
    try:
        if not await resuming.is_stored(store.present, found):
            raise UnavailableError(Text.NOT_FOUND)
    except DeviceError as exc:
        raise LinkError(str(exc)) from exc
    return found


async def go_on(
    room: RoomEdges,
    store: Running[Saver],
    code: RoomCode,
    resume: Resume | None,
    take_volume: Callable[[float | None], None],
    *,
    alone: bool,
) -> None:
    """Put the resumed session's state in force, or what was so before an absence; `take_volume` gets its volume.

    A room in which somebody plays keeps its own state; `alone`: there will be no room.
    """
    if resume is None:
        while store.present is None:  # noqa: ASYNC110  it opens within moments, or says in the status why not
            await asyncio.sleep(LOOK_S)
        found = await resuming.remembered(store.present, code, datetime.now(UTC))
    else:
        found = resume
    take_volume(found.master_volume)
    view = room.view.value
    while view.host is None and not alone:
        view = await room.view.changed(view)
    is_ours = resume is not None or room.hosting.value
    if is_ours and found.state_values and not room.state.value.revision:
        room.restore(found.state_values)


def set_volume(own: Sound, setup: Latest[Setup], volume: float | None = None) -> None:
    """Of the line-out, here and in what is stored; None: what it is now."""
    own.desk.set_master(volume)
    setup.set(replace(setup.value, master_volume=own.desk.settings.value.master_volume))


def take_volume(own: Sound, setup: Latest[Setup], stored: float | None, *, is_configured: bool) -> None:
    """As loud as before an absence, unless somebody has turned it meanwhile, or the configuration says how loud."""
    if setup.value.master_volume is not None:
        return
    set_volume(own, setup, None if is_configured else stored)


async def describe(
    setup: Latest[Setup],
    settings: Latest[LightSettings],
    discovery: Running[Discovery],
    ports: Callable[[], PortsReport | None],
) -> None:
    """Keep what is stored of this box's own: its instruments, its lights, and how they show the notes.

    `ports` gives None where there are to be none: then nothing is said of them.
    """
    while True:
        devices = stored.devices(discovery.present.found.value if discovery.present else ())
        midi = ports()
        setup.set(
            replace(
                setup.value,
                midi_input=next(iter(midi.inputs), None) if midi else None,
                midi_output=next(iter(midi.outputs), None) if midi else None,
                midi_connected=bool(midi.inputs or midi.outputs) if midi else None,
                wled_devices=devices,
                active_wled=devices[0]["id"] if devices else None,
                modules=(stored.module(settings.value),),
            )
        )
        await asyncio.sleep(DESCRIBE_S)


def restore_gains(state: Path, own: Sound) -> None:
    """Each player is as loud here as it was when we ended, by name; a damaged file is passed over."""
    with suppress(OSError, WireError):
        kept = strict_json.loads_object((state / _GAINS).read_bytes(), _MAX_BYTES)
        sound.change(own, {"players": {name: {"gain": gain} for name, gain in kept.items()}})


async def keep_gains(state: Path, own: Sound) -> None:
    """Write what `restore_gains` reads, when it has changed and when this is cancelled.

    Mutes are of the moment: nobody looks for one that is a week old.
    """
    kept = _gains(own)
    try:
        while True:
            await asyncio.sleep(DESCRIBE_S)
            if (now := _gains(own)) != kept:
                kept = now
                await asyncio.to_thread(_write_gains, state, now)
    finally:
        if (now := _gains(own)) != kept:
            _write_gains(state, now)


def _gains(own: Sound) -> dict[str, float]:
    return {name: fader.gain for name, fader in own.desk.faders.items() if fader.gain != 1.0}


def _write_gains(state: Path, gains: Mapping[str, float]) -> None:
    try:
        whole_file.write(state / _GAINS, json.dumps(gains).encode())
    except OSError as exc:
        log.warning("the volumes of players are not kept over restarts error=%s", exc)
