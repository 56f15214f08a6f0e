"""A real Chromium offers as the jam page does, and answers as it does: sound, and the `sync` channel both ways."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
from numpy.typing import NDArray
from playwright.async_api import Page, async_playwright

from jambridge.peers import sdp
from jambridge.peers.connection import Connection
from jambridge.peers.ice_servers import IceServers
from tests.fakes.browsers import CHROMIUM
from tests.fakes.waiting import until

OFFER = """async () => {
  const context = new AudioContext();
  const tone = new OscillatorNode(context, { frequency: 440 });
  const out = context.createMediaStreamDestination();
  tone.connect(out);
  tone.start();
  window.link = new RTCPeerConnection();
  window.link.addTrack(out.stream.getAudioTracks()[0], out.stream);
  const channel = window.link.createDataChannel("sync", { ordered: false, maxRetransmits: 0 });
  channel.onmessage = ({ data }) => channel.send(`heard ${data}`);
  await window.link.setLocalDescription();
  while (window.link.iceGatheringState !== "complete") await new Promise((resolve) => setTimeout(resolve, 20));
  return window.link.localDescription.sdp;
}"""
OPTIONS = """() => Object.fromEntries(Object.values(window.channels).map(
  ({ label, ordered, maxRetransmits, negotiated }) => [label, [ordered, maxRetransmits, negotiated]]))"""
ANSWER = """async (sdp) => {
  window.link = new RTCPeerConnection();
  window.link.ondatachannel = ({ channel }) => {
    window.channels = { ...window.channels, [channel.label]: channel };
    channel.onmessage = ({ data }) => channel.send(`heard ${data}`);
  };
  await window.link.setRemoteDescription({ type: "offer", sdp });
  await window.link.setLocalDescription();
  while (window.link.iceGatheringState !== "complete") await new Promise((resolve) => setTimeout(resolve, 20));
  return window.link.localDescription.sdp;
}"""
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required"]


@asynccontextmanager
async def chromium() -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield await browser.new_page()
        await browser.close()


async def talks(ours: Connection, texts: list[str]) -> None:
    """Until a text of ours has come back; each may be lost."""

    def heard() -> bool:
        ours.channels.send("sync", "hello")
        return "heard hello" in texts

    await until(heard)


def test_chromium_offers_sound_and_a_channel_and_both_flow() -> None:
    blocks: list[NDArray[np.float32]] = []
    texts: list[str] = []

    async def scenario() -> None:
        async with chromium() as page:
            offer = sdp.parse("offer", await page.evaluate(OFFER))
            ours = Connection(
                IceServers(),
                None,
                blocks.append,
                lambda _: None,
                lambda *said: texts.append(said[1]),
                receives=True,
            )
            answer = await ours.answer(offer)
            await page.evaluate("sdp => window.link.setRemoteDescription({ type: 'answer', sdp })", answer)
            await until(lambda: sum(map(len, blocks)) > 48_000)
            assert max(float(np.abs(block).max()) for block in blocks) > 0.5
            await talks(ours, texts)
            await until(lambda: ours.round_trip.seconds is not None)
            assert await page.evaluate("window.link.connectionState") == "connected"
            await ours.close()

    asyncio.run(scenario())


def test_chromium_answers_our_offer_and_the_channel_is_as_the_contract_has_it() -> None:
    texts: list[str] = []

    async def scenario() -> None:
        async with chromium() as page:
            ours = Connection(
                IceServers(),
                None,
                lambda _: None,
                lambda _: None,
                lambda *said: texts.append(said[1]),
                receives=True,
            )
            answer = sdp.parse("answer", await page.evaluate(ANSWER, await ours.offer()))
            await ours.apply(answer)
            await ours.dial(answer.candidates)
            await talks(ours, texts)
            await until(lambda: ours.round_trip.seconds is not None)
            assert await page.evaluate(OPTIONS) == {
                "sync": [False, 0, False],
                "midi": [False, 0, False],
                "sysex": [True, None, False],
            }
            await ours.close()

    asyncio.run(scenario())
