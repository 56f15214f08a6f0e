"""WLEDs that are there, gone, or somebody else's; virtual ones over real sockets."""

import asyncio
import json
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jambridge.config import LightConfig
from jambridge.doctor.finding import Finding, Verdict
from jambridge.doctor.judge.lights import lights
from jambridge.light import ddp
from jambridge.light.discovery import Found
from jambridge.sim.wled import SimulatedWled, open_sim
from tests.doctor.look import look
from tests.fakes.ports import free_port

ELSEWHERE = "127.0.0.2"


def seen(config: Path, **entry: Any) -> dict[str, Finding]:
    section = {"discover": "off", "controllers": [{"host": "127.0.0.1", **entry}]}
    config.write_text(json.dumps({"http": {"port": 9}, "light": section}))
    return look(config, "WLED")


def test_a_wled_that_is_well(tmp_path: Path) -> None:
    async def scenario() -> dict[str, Finding]:
        async with open_sim(300, "Stage", mac="0200000000aa") as sim:
            return await asyncio.to_thread(seen, tmp_path / "config.yaml", http_port=sim.http_port)

    found = asyncio.run(scenario())

    assert found["WLED Stage"].verdict is Verdict.GOOD
    assert found["WLED Stage Wi-Fi"].reason == "-52 dBm"


def test_a_wled_that_cannot_be_reached(tmp_path: Path) -> None:
    (found,) = seen(tmp_path / "config.yaml", http_port=free_port()).values()

    assert found.verdict is Verdict.FAILURE
    assert found.reason.startswith("unreachable: ")
    assert "switched on and in this network" in found.remedy


def test_a_wled_that_another_streams_to(tmp_path: Path) -> None:
    async def stream(sim: SimulatedWled) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind((ELSEWHERE, 0))
            for number in range(100_000):
                for packet in ddp.encode(np.full((30, 3), number % 250, np.uint8), number):
                    other.sendto(packet, ("127.0.0.1", sim.ddp_port))
                await asyncio.sleep(0.1)

    async def scenario() -> dict[str, Finding]:
        async with open_sim(30, "Stage") as sim:
            streaming = asyncio.create_task(stream(sim))
            await sim.until(lambda shown: shown.live)
            found = await asyncio.to_thread(seen, tmp_path / "config.yaml", http_port=sim.http_port)
            streaming.cancel()
            return found

    found = asyncio.run(scenario())

    assert found["WLED Stage"].verdict is Verdict.WARNING
    assert f"live from {ELSEWHERE}: left alone" in found["WLED Stage"].reason
    assert "end that stream" in found["WLED Stage"].remedy


def unit(**changes: Any) -> Found:
    known = {
        "name": "Stage",
        "mac": "0200000000aa",
        "host": "10.0.0.7",
        "pixels": 300,
        "protocol": "ddp",
        "state": "driven",
        "reason": "the only one found",
        "fps_shown": 0,
        "max_fps": 60.0,
        "rssi_dbm": None,
    }
    return Found(**{**known, **changes})


def judged(*found: Found, **section: Any) -> list[Finding]:
    return lights(LightConfig(**section), found)


def test_a_driven_one_tells_its_rate() -> None:
    (quiet,) = judged(unit())
    (lit,) = judged(unit(fps_shown=58))

    assert quiet.reason == "10.0.0.7, 300 pixels over ddp, up to 60 frames a second; the only one found"
    assert "58 shown now" in lit.reason


@pytest.mark.parametrize(("dbm", "verdict"), [(-58, Verdict.GOOD), (-81, Verdict.WARNING)])
def test_its_wifi_is_judged(dbm: int, verdict: Verdict) -> None:
    assert judged(unit(rssi_dbm=dbm))[1].verdict is verdict


@pytest.mark.parametrize(
    ("state", "verdict", "remedy"),
    [
        ("foreign", Verdict.WARNING, "end that stream"),
        ("listed", Verdict.WARNING, "jambridge leds adopt 0200000000aa"),
        ("absent", Verdict.FAILURE, "is it switched on"),
        ("faulty", Verdict.FAILURE, "is it a WLED"),
    ],
)
def test_one_that_is_not_driven_says_what_to_do(state: str, verdict: Verdict, remedy: str) -> None:
    (found,) = judged(unit(state=state))

    assert found.verdict is verdict
    assert found.remedy.startswith(remedy)


def test_a_setting_that_spoils_the_picture_has_its_remedy() -> None:
    _, setting = judged(unit(warnings=("its DMX mode 1 shows no picture: choose Multi RGB in WLED's sync settings",)))

    assert setting.reason == "its DMX mode 1 shows no picture"
    assert setting.remedy == "choose Multi RGB in WLED's sync settings"


def test_those_that_are_named_and_not_found() -> None:
    by_name, by_mac = judged(controllers=[{"name": "Stage"}, {"mac": "02:00:00:00:00:AB"}])
    there = judged(unit(), controllers=[{"name": "stage"}, {"mac": "02:00:00:00:00:AA"}])

    assert (by_name.check, by_name.verdict) == ("WLED Stage", Verdict.FAILURE)
    assert by_mac.check == "WLED 02:00:00:00:00:AB"
    assert [one.verdict for one in there] == [Verdict.GOOD]


def test_none_found_none_looked_for_and_none_wanted() -> None:
    assert [one.verdict for one in judged()] == [Verdict.WARNING]
    assert [one.verdict for one in judged(discover="off")] == [Verdict.NOTE]
    assert [one.verdict for one in judged(mode="off")] == [Verdict.NOTE]
