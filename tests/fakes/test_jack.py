"""The JACK server is a card that can be wired, pulled out and put back, and that refuses what it is not."""

import os
import subprocess
import sys

import pytest

from tests.fakes.jack import Jack, jack

OPEN = """
import sys, sounddevice
channels, rate_hz = map(int, sys.argv[1:])
try:
    sounddevice.InputStream(device="system", channels=channels, samplerate=rate_hz).close()
except sounddevice.PortAudioError as exc:
    print(exc.args[-1])
"""


def refusal(server: Jack, channels: int, rate_hz: int) -> int | None:
    """PortAudio's number for why it does not open such a stream."""
    asked = subprocess.run(
        [sys.executable, "-c", OPEN, str(channels), str(rate_hz)],
        env=os.environ | server.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return int(asked.stdout) if asked.stdout else None


@pytest.mark.parametrize(
    ("card", "asked", "error"),
    [
        ((2, 48_000), (2, 48_000), None),
        ((2, 44_100), (2, 48_000), -9997),  # paInvalidSampleRate
        ((1, 48_000), (2, 48_000), -9998),  # paInvalidChannelCount
        ((1, 48_000), (1, 48_000), None),
    ],
)
def test_a_card_refuses_other_rates_and_more_channels(
    card: tuple[int, int], asked: tuple[int, int], error: int | None
) -> None:
    channels, rate_hz = card
    with jack(rate_hz, channels=channels) as server:
        assert refusal(server, *asked) == error


def test_ports_are_connected_and_isolated() -> None:
    with jack() as server:
        server.connect("system:capture_1", "system:playback_1")
        server.connect("system:capture_1", "system:playback_2")
        assert server.connections("system:capture_1") == ["system:playback_1", "system:playback_2"]

        server.isolate(server.ports("playback_1$"))

        assert server.connections("system:capture_1") == ["system:playback_2"]


def test_a_card_that_was_pulled_out_comes_back_under_its_name() -> None:
    with jack() as server:
        name = server.name
        server.unplug()
        assert server.ports() == []

        server.start()

        assert (server.name, len(server.ports("^system:"))) == (name, 4)
