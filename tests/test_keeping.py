"""What of this box outlives a restart, beside its sessions."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from jambridge import keeping, sound
from jambridge.audio.card.desk import MOST_FADERS, Fader
from jambridge.config import AudioConfig, LightConfig
from jambridge.edges import Latest
from jambridge.light.control import LightSettings
from jambridge.light.discovery import open_discovery
from jambridge.midi.control import PortsReport
from jambridge.services import Running
from jambridge.sound import Sound
from jambridge.store.merging import Setup


@contextmanager
def started(state: Path) -> Iterator[Sound]:
    """The sound of a box, as a restart finds it."""
    edges = sound.edges(AudioConfig(), 0.8, is_musician=True)
    try:
        keeping.restore_gains(state, edges)
        yield edges
    finally:
        edges.close()


def run_briefly(state: Path, edges: Sound, wanted: dict[str, object]) -> None:
    """Keep what is wanted while we run, and end."""

    async def scenario() -> None:
        keeper = asyncio.create_task(keeping.keep_gains(state, edges))
        await asyncio.sleep(0)
        sound.change(edges, wanted)
        keeper.cancel()
        await asyncio.wait([keeper])

    asyncio.run(scenario())


def test_a_player_is_as_loud_after_a_restart_and_not_muted(tmp_path: Path) -> None:
    with started(tmp_path) as before:
        run_briefly(tmp_path, before, {"players": {"Ann": {"gain": 0.5, "muted": True}, "Bob": {"muted": True}}})

    with started(tmp_path) as after:
        assert after.desk.faders == {"Ann": Fader(0.5)}


def test_a_volume_that_is_as_it_came_again_is_forgotten(tmp_path: Path) -> None:
    with started(tmp_path) as before:
        run_briefly(tmp_path, before, {"players": {"Ann": {"gain": 0.5}}})
    with started(tmp_path) as between:
        run_briefly(tmp_path, between, {"players": {"Ann": {"gain": 1.0}}})

    with started(tmp_path) as after:
        assert after.desk.faders == {}


def test_of_many_players_the_last_are_kept(tmp_path: Path) -> None:
    with started(tmp_path) as before:
        names = ["\N{GRINNING FACE}" * 60 + str(number) for number in range(MOST_FADERS + 10)]
        run_briefly(tmp_path, before, {"players": {name: {"gain": 1.5} for name in names}})

    with started(tmp_path) as after:
        assert list(after.desk.faders) == names[-MOST_FADERS:]


@pytest.mark.parametrize(
    "damaged", ["", "[]", '{"Ann": 3}', '{"Ann": "loud"}', '{"Ann": NaN}', json.dumps({"a" * 70: 1}), "x" * 70_000]
)
def test_a_damaged_file_changes_nothing(tmp_path: Path, damaged: str) -> None:
    (tmp_path / "gains.json").write_text(damaged)

    with started(tmp_path) as edges:
        assert edges.desk.faders == {}


def test_a_directory_that_cannot_be_written_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with started(tmp_path) as edges:
        run_briefly(tmp_path / "gone", edges, {"players": {"Ann": {"gain": 0.5}}})

    assert [line.split(" error=")[0] for line in caplog.messages] == [
        "the volumes of players are not kept over restarts"
    ]


@pytest.mark.parametrize(
    ("ports", "stored"),
    [
        (PortsReport(("Keys", "Organ"), ("Synth",)), ("Keys", "Synth", True)),
        (PortsReport(outputs=("Synth",)), (None, "Synth", True)),
        (PortsReport(problem="no MIDI"), (None, None, False)),
        (None, (None, None, None)),
    ],
)
def test_the_first_instruments_are_stored_and_nothing_is_said_where_there_are_to_be_none(
    ports: PortsReport | None, stored: tuple[str | None, str | None, bool | None]
) -> None:
    async def scenario() -> Setup:
        setup = Latest(Setup())
        discovery = Running("discovery", partial(open_discovery, LightConfig(), frozenset, Latest(())))
        describing = asyncio.create_task(keeping.describe(setup, Latest(LightSettings()), discovery, lambda: ports))
        described = await setup.changed(Setup())
        describing.cancel()
        return described

    described = asyncio.run(scenario())

    assert (described.midi_input, described.midi_output, described.midi_connected) == stored
