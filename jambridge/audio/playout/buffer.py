"""One remote musician's sound: packets as they come in, blocks as the card asks for them out. Pure.

A packet is decoded by the callback that first needs a sample of it. What is not there by then is concealed, and dropped
if it comes later. How much later than it was sent sound plays (see `depth`) adapts: it grows at once, by sound made up
in between, and shrinks by playing a little faster; only a gross excess is skipped. The same pace follows the sender's
clock. All of it belongs to the thread of the output's callback.
"""

import math

import numpy as np

from jambridge.audio.opus import FRAME_FRAMES, MOST_FRAMES, SHORTEST_FRAMES
from jambridge.audio.opus import Decoder as OpusDecoder
from jambridge.audio.playout.arrivals import Arrivals, Fate, Packet, Waiting
from jambridge.audio.playout.callbacks import Callbacks
from jambridge.audio.playout.depth import Safety
from jambridge.audio.playout.drift import Follower, Resampler
from jambridge.audio.playout.fifo import Fifo
from jambridge.audio.playout.tally import Report, Tally
from jambridge.audio.playout.timing import DEFICIT_S, EXCESS_S, Timing
from jambridge.audio.playout.voice import FADE_FRAMES, Decoder, Stereo, Voice, carries_fec, crossfaded
from jambridge.errors import WireError
from jambridge.units import SAMPLE_RATE_HZ, LocalSeconds

ENDED_S = 2.0
"""A stream of which nothing came for so long begins anew with what comes next."""
_PRIMED = 3  # packets decoded unheard before a splice: a decoder needs some to find its state again


class Playout:
    """One remote stream. `put` what came, then `pull` what the card wants."""

    def __init__(self, safety: Safety = Safety.NORMAL, decoder: Decoder | None = None) -> None:
        self._voice = Voice(decoder or OpusDecoder())
        self._arrivals = Arrivals()
        self._follower = Follower()
        self._card = Callbacks()
        self._timing = Timing(safety, self._follower, self._card)
        self._resampler = Resampler()
        self._ready = Fifo()
        self._tally = Tally()
        self._stream: int | None = None
        self._packet_frames = FRAME_FRAMES
        self._waiting = 0  # frames that are to be made up before anything else plays
        self._dry_since: LocalSeconds | None = None

    def put(self, packet: Packet) -> None:
        """Take a packet, whatever it is. What arrived before a `pull` must be put before it."""
        if packet.stream != self._stream:
            self.restart()
            self._stream = packet.stream
        fate, waiting = self._arrivals.put(packet)
        if fate is Fate.LATE:
            self._tally.was_late()
            if self._timing.came_late(waiting, self._packet_frames):
                self._grow()
            if self._timing.is_stale:
                self._resume(packet)
        elif fate is Fate.STRANGE:
            if self._arrivals.begins_anew(packet):
                self._resume(packet)
            else:
                self._tally.malformed += 1

    def pull(self, frames: int, now: LocalSeconds) -> Stereo:
        """The next `frames`, shape (frames, 2); silence where there is nothing. The caller's own."""
        self._timing.moved(self._card.call(frames, now))
        while self._ready.frames < frames:
            self._produce(now, frames)
        return self._ready.take(frames)

    def restart(self) -> None:
        """Another sender's stream comes from now on: let this one die away, in 5 ms, and forget its clock."""
        self._follower = Follower()
        self._stop()

    def report(self) -> Report:
        tally, arrivals, timing = self._tally, self._arrivals, self._timing
        return Report(
            depth_ms=1000 * timing.waited_s,
            target_ms=1000 * (timing.waited_s - timing.excess_s),
            jitter_ms=1000 * timing.jitter_s,
            underruns=tally.underruns,
            late=arrivals.late,
            lost=arrivals.lost,
            recovered=tally.recovered,
            malformed=tally.malformed,
            concealed=tally.concealed,
            concealed_ms=tally.concealed_ms,
            splices=tally.splices,
            inserted=tally.inserted,
            rate_ppm=1e6 * (self._follower.pace - 1),
        )

    def _produce(self, now: LocalSeconds, wanted: int) -> None:
        """The next stretch of sound, of whatever length."""
        first, position = self._arrivals.first, self._arrivals.position
        if position is None:
            self._await(now, wanted)
        elif self._waiting:
            self._hold_back()
        elif first is None:
            self._run_dry(now)
        elif first.timestamp > position:
            self._fill(first, first.timestamp - position)
        elif first.timestamp < position:  # overlaps the one before it: no encoder does that
            self._arrivals.pop()
            self._tally.malformed += 1
        else:
            self._play(now)

    def _await(self, now: LocalSeconds, wanted: int) -> None:
        """Begin once the first packet has waited; those that a stall of the network has left behind are passed over."""
        silence = wanted - self._ready.frames
        if self._arrivals.first is not None:
            soonest_s = min(one.arrived_at - one.timestamp / SAMPLE_RATE_HZ for one in self._arrivals)
            due = self._timing.due(soonest_s, now) + self._ready.frames
            self._arrivals.drop_before(due)
            early = math.ceil(self._arrivals.first.timestamp - due)
            if early <= 0:
                self._arrivals.begin()
                return
            silence = min(silence, early)
        self._ready.put(np.zeros((silence, 2), np.float32))

    def _play(self, now: LocalSeconds) -> None:
        packet, missing = self._arrivals.pop()
        self._timing.plays(packet, now, self._ready.frames, self._packet_frames)
        self._dry_since = None
        if self._timing.excess_s > EXCESS_S and len(self._arrivals):
            self._skip(packet)
            return
        block = self._decoded(packet)
        self._tally.played(len(block), after_loss=missing > 0)
        self._arrivals.position = packet.timestamp + len(block)
        self._emit(block)

    def _run_dry(self, now: LocalSeconds) -> None:
        """There is nothing to play: make it up, for as long as the packet that is missing probably was."""
        self._dry_since = now if self._dry_since is None else self._dry_since
        if now - self._dry_since > ENDED_S:
            self._stop()
        else:
            self._conceal(self._packet_frames)

    def _fill(self, following: Waiting, gap: int) -> None:
        """Something is missing before `following`: lost, if its number tells, else the sender has paused."""
        is_one = following.sequence - self._arrivals.next == 1 and gap <= self._packet_frames
        if is_one and gap % SHORTEST_FRAMES == 0 and carries_fec(following.payload):
            self._recover(following, gap)
        else:
            self._conceal(min(gap, self._packet_frames))

    def _recover(self, following: Waiting, frames: int) -> None:
        try:
            block = self._voice.recover(following.payload, frames)
        except WireError:
            self._conceal(frames)
            return
        self._tally.recovered += 1
        self._replace(block)

    def _conceal(self, frames: int) -> None:
        self._tally.made_up(frames)
        self._replace(self._voice.conceal(frames))

    def _replace(self, block: Stereo) -> None:
        """`block` is heard in the place of what was missed."""
        self._arrivals.position = (self._arrivals.position or 0) + len(block)
        self._emit(block)

    def _grow(self) -> None:
        """Have the next packet in time that comes as late as the last."""
        if self._timing.excess_s < -DEFICIT_S:
            steps = math.ceil(-self._timing.excess_s * SAMPLE_RATE_HZ / SHORTEST_FRAMES)
            self._waiting = min(steps * SHORTEST_FRAMES, MOST_FRAMES)

    def _hold_back(self) -> None:
        """Play later from now on."""
        frames, self._waiting = self._waiting, 0
        self._tally.waited(frames)
        self._timing.moved(frames)
        self._emit(self._voice.conceal(frames))

    def _skip(self, packet: Waiting) -> None:
        """From the sound of `packet` over to what should be heard by now, in one crossfade."""
        until = packet.timestamp + self._timing.excess_s * SAMPLE_RATE_HZ
        ending, passed = self._decoded(packet), [packet]
        while self._arrivals.first is not None and self._arrivals.first.timestamp <= until:
            passed.append(self._arrivals.pop()[0])
        beginning = [ending, *(self._decoded(one) for one in passed[1:][-_PRIMED:])][-1]
        frames = min(FADE_FRAMES, len(ending), len(beginning))
        self._tally.splices += 1
        self._tally.played(frames, after_loss=False)
        self._arrivals.position = passed[-1].timestamp + len(beginning)
        self._timing.moved(frames - (self._arrivals.position - packet.timestamp))
        self._emit(crossfaded(ending[:frames], beginning[-frames:]))

    def _decoded(self, packet: Waiting) -> Stereo:
        try:
            block = self._voice.play(packet.payload)
        except WireError:
            self._tally.unreadable(self._packet_frames)
            return self._voice.conceal(self._packet_frames)
        self._packet_frames = len(block)
        return block

    def _emit(self, block: Stereo) -> None:
        self._ready.put(self._resampler.resample(block, self._follower.pace))

    def _resume(self, packet: Packet) -> None:
        """The same sender, elsewhere in its stream."""
        self._stop()
        self._arrivals.put(packet)

    def _stop(self) -> None:
        self._emit(self._voice.end())
        self._arrivals.clear()
        self._timing = self._timing.next(self._follower)
        self._waiting = 0
        self._dry_since = None
