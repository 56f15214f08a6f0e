"""One WebRTC connection with a peer: sound and data channels both ways, over aiortc.

The only module that knows aiortc's connections. Its errors become `LinkError` here. ICE consent is left at aioice's own
30 s: silence is noticed after two seconds from the sound itself, and a cut of ten seconds heals on the same connection.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from aiortc import (
    InvalidAccessError,
    InvalidStateError,
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCIceCandidate,
    RTCIceServer,
    RTCPeerConnection,
    RTCRtpCodecCapability,
    RTCRtpReceiver,
    RTCSessionDescription,
)
from aiortc.exceptions import InternalError, OperationError
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame

from jambridge.audio.opus import CHANNELS
from jambridge.errors import LinkError
from jambridge.peers import sdp, tap
from jambridge.peers.candidates import Candidate
from jambridge.peers.channels import Channels, OnText
from jambridge.peers.sdp import Description, Media
from jambridge.peers.tap import Forward, Tap, Write

log = logging.getLogger(__name__)

CLOSE_S = 2.0

# What aiortc and aioice were seen to raise over a description or candidate (80,000 mutated ones).
_ERRORS: Final = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    InternalError,
    InvalidAccessError,
    InvalidStateError,
    LookupError,
    OSError,
    OperationError,
    RuntimeError,
    TypeError,
    ValueError,
)


class Connection:
    """Opened by `offer` or `answer`, used once, closed by `close`.

    `on_state` is told "connected" once and "broken" once or twice, at most, `write` gets the sound if it is wanted,
    `forward` its packets, and `on_text` what comes over data channels; none may raise.

    Raises:
        LinkError: an ICE server's URL makes no sense.
    """

    def __init__(
        self,
        ice_servers: Sequence[str],
        track: MediaStreamTrack | None,
        write: Write | None,
        on_state: Callable[[str], None],
        on_text: OnText,
        *,
        receives: bool,
        forward: Forward | None = None,
    ) -> None:
        self.tap = Tap(write, forward=forward)
        self._track = track
        self._on_state = on_state
        self._described = asyncio.Event()  # the peer's description is in place
        self._stock: asyncio.Task[None] | None = None
        self._mid = ""
        direction = "recvonly" if track is None else "sendrecv" if receives else "sendonly"
        try:
            servers = [RTCIceServer(url) for url in ice_servers]
            self._pc = RTCPeerConnection(RTCConfiguration(servers, bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
            self._pc.addTransceiver(track or "audio", direction).setCodecPreferences(_opus())
        except _ERRORS as exc:
            raise LinkError(f"no connection can be made with these ICE servers: {exc!r}") from exc
        self.channels = Channels(self._pc, on_text)
        self._pc.add_listener("track", self._receive)
        self._pc.add_listener("connectionstatechange", self._state_changed)

    async def offer(self) -> str:
        """Our offer with every candidate in it; takes as long as gathering does.

        Raises:
            LinkError: no offer can be made.
        """
        self.channels.offer()
        return await self._describe()

    async def answer(self, offer: Description) -> str:
        """Our answer to a peer's offer.

        Raises:
            LinkError: aiortc cannot use this offer.
        """
        await self.apply(offer)
        return await self._describe(offer.media)

    async def apply(self, description: Description) -> None:
        """Take the peer's description.

        Raises:
            LinkError: aiortc cannot use it.
        """
        try:
            await self._pc.setRemoteDescription(RTCSessionDescription(description.text, description.type))
        except _ERRORS as exc:
            raise LinkError(f"a description cannot be used: {exc!r}") from exc
        if description.data is None:
            self.channels.reject()
        self.channels.bound()
        self._mid = description.sound.mid
        self._described.set()

    async def dial(self, candidates: Sequence[Candidate]) -> None:
        """Try these addresses as well.

        Raises:
            LinkError: aioice cannot use one of them.
        """
        await self._described.wait()
        try:
            for candidate in candidates:
                await self._pc.addIceCandidate(_rtc_candidate(candidate, self._mid))
        except _ERRORS as exc:
            raise LinkError(f"a candidate cannot be used: {exc!r}") from exc

    async def close(self) -> None:
        """Give everything back, within two seconds."""
        self._pc.remove_all_listeners()
        if self._track is not None:
            self._track.stop()
        if self._stock is not None:
            self._stock.cancel()
        try:
            async with asyncio.timeout(CLOSE_S):
                await self.channels.close()
                await self._pc.close()
        except (TimeoutError, *_ERRORS) as exc:
            log.warning("a connection did not close cleanly error=%r", exc)

    @property
    def ice_state(self) -> str:
        state: str = self._pc.iceConnectionState
        return state

    @property
    def path(self) -> str | None:
        """How packets travel: host, srflx (through a NAT) or relay; None until connected."""
        transport = self._pc.getTransceivers()[0].receiver.transport.transport
        pair = getattr(transport._connection, "_nominated", {}).get(1)  # noqa: SLF001  aiortc does not say which
        if pair is None:
            return None
        kinds = {pair.local_candidate.type, pair.remote_candidate.type}
        return next((kind for kind in ("relay", "srflx") if kind in kinds), "host")

    async def _describe(self, offered: Sequence[Media] = ()) -> str:
        try:
            await self._pc.setLocalDescription()
            return sdp.outgoing(self._pc.localDescription.sdp, offered)
        except _ERRORS as exc:
            raise LinkError(f"no description can be made: {exc!r}") from exc

    def _receive(self, track: MediaStreamTrack) -> None:
        """A receiver is about to be started: listen to it before its jitter buffer does."""
        receiver = next(entry.receiver for entry in self._pc.getTransceivers() if entry.receiver.track is track)
        if not tap.install(receiver, self.tap):
            log.warning("aiortc has changed inside: receiving with its own delay of about 80 ms")
            self._stock = asyncio.create_task(_copy(track, self.tap))

    def _state_changed(self) -> None:
        match self._pc.connectionState:
            case "connected":
                self._on_state("connected")
            case "failed" | "closed":
                self._on_state("broken")


async def _copy(track: MediaStreamTrack, sound: Tap) -> None:
    """The ordinary path: decoded frames as aiortc hands them out."""
    while True:
        try:
            frame = await track.recv()
        except MediaStreamError:
            return
        if isinstance(frame, AudioFrame):
            samples = frame.to_ndarray().reshape(-1, CHANNELS)  # aiortc decodes Opus to packed 16-bit stereo
            sound.play(np.multiply(samples, 1 / 32768, dtype=np.float32))


def _opus() -> list[RTCRtpCodecCapability]:
    capabilities = RTCRtpReceiver.getCapabilities("audio")
    return [codec for codec in capabilities.codecs if codec.mimeType == "audio/opus"] if capabilities else []


def _rtc_candidate(candidate: Candidate, mid: str) -> RTCIceCandidate:
    return RTCIceCandidate(
        component=1,
        foundation=candidate.foundation,
        ip=candidate.host,
        port=candidate.port,
        priority=candidate.priority,
        protocol="udp",
        type=candidate.type,
        sdpMid=mid,
    )
