"""One WebRTC connection with a peer: sound and data channels both ways, over aiortc.

The only module that knows aiortc's connections. Its errors become `LinkError` here. ICE consent is left at aioice's own
30 s: silence is noticed after two seconds from the sound itself, and a cut of ten seconds heals on the same connection.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any, Final

import numpy as np
from aioice.ice import get_host_addresses
from aiortc import (
    InvalidAccessError,
    InvalidStateError,
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCIceCandidate,
    RTCIceServer,
    RTCIceTransportPolicy,
    RTCPeerConnection,
    RTCRtpCodecCapability,
    RTCRtpReceiver,
    RTCSessionDescription,
)
from aiortc.exceptions import InternalError, OperationError
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame

from jambridge.audio.opus import BIT_RATE, CHANNELS
from jambridge.errors import LinkError
from jambridge.peers import sdp, tap
from jambridge.peers.arrival import Arrival
from jambridge.peers.candidates import Candidate
from jambridge.peers.channels import Channels, OnText
from jambridge.peers.ice_servers import IceServers, Server
from jambridge.peers.round_trip import RoundTrip
from jambridge.peers.sdp import Description, Media
from jambridge.peers.tap import Forward, Tap, Write

log = logging.getLogger(__name__)

CLOSE_S = 2.0
GATHERING_S = 2.0  # aioice waits five seconds for servers; a retransmission and the round trips of TLS fit in two

_closing: Final[set[asyncio.Task[None]]] = set()
"""Of connections that nobody waits for any longer: the loop alone would not keep them."""

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
    `forward` its packets, and `on_text` what comes over data channels; none may raise. `bit_rate` is what we ask for.

    Raises:
        LinkError: an ICE server's URL makes no sense.
    """

    def __init__(
        self,
        servers: IceServers,
        track: MediaStreamTrack | None,
        write: Write | None,
        on_state: Callable[[str], None],
        on_text: OnText,
        *,
        receives: bool,
        forward: Forward | None = None,
        bit_rate: int = BIT_RATE,
    ) -> None:
        self.tap = Tap(write, forward=forward)
        self.round_trip = RoundTrip()
        self.servers = servers.choose()
        """Those that this connection was made with."""
        self.answered: Collection[Server] | None = None
        """Which of them were of use; None before they were asked."""
        self._shared = servers
        self._addresses: Sequence[str] = ()
        self._relays: set[tuple[str, int]] = set()
        self._is_offered_direct = False
        self._track = track
        self._bit_rate = bit_rate
        self._on_state = on_state
        self._described = asyncio.Event()  # the peer's description is in place
        self._stock: asyncio.Task[None] | None = None
        self._asking: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._mid = ""
        direction = "recvonly" if track is None else "sendrecv" if receives else "sendonly"
        try:
            self._pc = RTCPeerConnection(_configuration(self.servers, relay_only=servers.relay_only))
            self._pc.addTransceiver(track or "audio", direction).setCodecPreferences(_opus())
        except _ERRORS as exc:
            raise LinkError(f"no connection can be made with these ICE servers: {exc!r}") from exc
        self._arrival = Arrival(self._pc.getTransceivers()[0].receiver.transport.transport)
        self.channels = Channels(self._pc, on_text, lambda: self._arrival.at)
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

    def announce(self, candidates: Sequence[Candidate]) -> None:
        """The peer has these addresses: what comes from its relay is known to, though that was not dialled yet."""
        self._relays |= {(candidate.host, candidate.port) for candidate in candidates if candidate.type == "relay"}
        self._is_offered_direct |= any(candidate.type != "relay" for candidate in candidates)

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
        """Give everything back; not waited for longer than two seconds."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close())
            _closing.add(self._closing)
            self._closing.add_done_callback(_closing.discard)
        # Never cancelled: aiortc closes by itself as well when the peer says goodbye, and both ends wait on one future.
        if not (await asyncio.wait((self._closing,), timeout=CLOSE_S))[0]:
            log.warning("a connection takes long to close")

    async def _close(self) -> None:
        self._pc.remove_all_listeners()
        if self._track is not None:
            self._track.stop()
        for task in (self._stock, self._asking):
            if task is not None:
                task.cancel()
        try:
            await self.channels.close()
            await self._pc.close()
        except _ERRORS as exc:
            log.warning("a connection did not close cleanly error=%r", exc)

    @property
    def dropped(self) -> int:
        """Datagrams, and messages and chunks of data channels, that were not taken."""
        return self._arrival.dropped + self.channels.dropped

    @property
    def is_stale(self) -> bool:
        """This machine has other addresses than when it described itself: a cable was pulled or plugged in."""
        return self.answered is not None and _addresses() != self._addresses

    @property
    def ice_state(self) -> str:
        state: str = self._pc.iceConnectionState
        return state

    @property
    def path(self) -> str | None:
        """How packets travel: host, srflx (through a NAT) or relay; None until connected."""
        pair = getattr(self._ice, "_nominated", {}).get(1)  # aiortc does not say which
        if pair is None:
            return None
        kinds = {pair.local_candidate.type, pair.remote_candidate.type}
        if pair.remote_addr in self._relays:
            return "relay"
        return next((kind for kind in ("relay", "srflx") if kind in kinds), "host")

    @property
    def wants_relay(self) -> bool:
        """The peer has announced no address but a relay's: it wants no other way, and none has failed."""
        return bool(self._relays) and not self._is_offered_direct

    @property
    def _ice(self) -> Any:
        """The aioice.Connection below."""
        return self._pc.getTransceivers()[0].receiver.transport.transport._connection  # noqa: SLF001

    async def _describe(self, offered: Sequence[Media] = ()) -> str:
        try:
            ice = self._ice
            ice.get_component_candidates = partial(ice.get_component_candidates, timeout=GATHERING_S)
            self._addresses = _addresses()
            await self._pc.setLocalDescription()
            self._arrival.guard()
            self._note_answers({candidate.type for candidate in ice.local_candidates})
            return sdp.outgoing(self._pc.localDescription.sdp, offered, self._bit_rate)
        except _ERRORS as exc:
            raise LinkError(f"no description can be made: {exc!r}") from exc

    def _note_answers(self, kinds: Collection[str]) -> None:
        self.answered = [server for server in self.servers if ("relay" if server.url.is_turn else "srflx") in kinds]
        for server in self.servers:
            if server not in self.answered:
                self._shared.was_silent(server)

    def _receive(self, track: MediaStreamTrack) -> None:
        """A receiver is about to be started: listen to it before its jitter buffer does."""
        receiver = next(entry.receiver for entry in self._pc.getTransceivers() if entry.receiver.track is track)
        if not tap.install(receiver, self.tap):
            log.warning("aiortc has changed inside: receiving with its own delay of about 80 ms")
            self._stock = asyncio.create_task(_copy(track, self.tap))

    def _state_changed(self) -> None:
        match self._pc.connectionState:
            case "connected":
                self._asking = asyncio.create_task(self.round_trip.follow(self._ice))
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


def _configuration(servers: Collection[Server], *, relay_only: bool) -> RTCConfiguration:
    now = time.time()
    return RTCConfiguration(
        [RTCIceServer(server.url.text, *server.login(now)) for server in servers],
        iceTransportPolicy=RTCIceTransportPolicy.RELAY if relay_only else RTCIceTransportPolicy.ALL,
        bundlePolicy=RTCBundlePolicy.MAX_BUNDLE,
    )


def _addresses() -> Sequence[str]:
    return get_host_addresses(use_ipv4=True, use_ipv6=True)


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
