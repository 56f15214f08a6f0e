"""A real Chromium offers as the jam page does, data channel and all."""

import asyncio

import numpy as np
from numpy.typing import NDArray
from playwright.async_api import async_playwright

from jambridge.peers import sdp
from jambridge.peers.connection import Connection
from tests.fakes.browsers import CHROMIUM
from tests.fakes.switch import until

OFFER = """async () => {
  const context = new AudioContext();
  const tone = new OscillatorNode(context, { frequency: 440 });
  const out = context.createMediaStreamDestination();
  tone.connect(out);
  tone.start();
  window.link = new RTCPeerConnection();
  window.link.addTrack(out.stream.getAudioTracks()[0], out.stream);
  window.channel = window.link.createDataChannel("sync", { ordered: false, maxRetransmits: 0 });
  await window.link.setLocalDescription();
  while (window.link.iceGatheringState !== "complete") await new Promise((resolve) => setTimeout(resolve, 20));
  return window.link.localDescription.sdp;
}"""
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required"]


def test_chromium_takes_the_rejected_data_channel_and_its_sound_flows() -> None:
    blocks: list[NDArray[np.float32]] = []

    async def scenario() -> None:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            page = await browser.new_page()
            offer = sdp.parse("offer", await page.evaluate(OFFER))
            ours = Connection((), None, blocks.append, lambda _: None, receives=True)
            answer = await ours.answer(offer)
            await page.evaluate("sdp => window.link.setRemoteDescription({ type: 'answer', sdp })", answer)
            await until(lambda: sum(map(len, blocks)) > 48_000)
            assert max(float(np.abs(block).max()) for block in blocks) > 0.5
            assert ours._pc.sctp is None
            assert await page.evaluate("window.channel.readyState") != "open"
            assert await page.evaluate("window.link.connectionState") == "connected"
            await ours.close()
            await browser.close()

    asyncio.run(scenario())
