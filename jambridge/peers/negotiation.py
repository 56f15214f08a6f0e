"""One peer's negotiation: which connection is tried, kept and given up. Pure: events in, actions out.

At most two connections exist. `live` is the one in use, `rising` the one being tried; when the new one carries sound
(or merely connects, if no sound is expected or there was none before) it becomes the live one and the old one is
closed: make before break. aiortc can neither restart ICE nor roll an offer back, so every attempt is a connection of
its own, named by a `connectionId`.

The lower peer id offers. Either end offers when the live connection falls silent, or a partner does not offer for a
while. When offers cross, the lower id's stands; an offer without a connectionId, from an app that does not know this
rule, is always answered.
"""

from collections import deque
from collections.abc import Callable, Iterator

from jambridge.peers import signals
from jambridge.peers.attempt import Attempt, Phase
from jambridge.peers.candidates import MAX_CANDIDATES, Candidate
from jambridge.peers.sdp import Description
from jambridge.peers.signals import RemoteBye, RemoteCandidates, RemoteDescription
from jambridge.peers.steps import (
    Action,
    Answer,
    Apply,
    Broken,
    Close,
    Connected,
    Described,
    Dial,
    Event,
    Heard,
    Offer,
    Send,
)
from jambridge.room.messages import SignalType
from jambridge.units import LocalSeconds, PeerId

RESEND_AFTER_S = (2.0, 4.0, 8.0)
UNANSWERED_S = 12.0
CHECKING_S = 15.0
PATIENCE_S = 3.0  # the higher id's, before it offers on its own
RETRY_S = (0.0, 1.0, 2.0, 4.0)  # after so many failures in a row
RENEGOTIATION_S = 1.0  # at least, between two offers that are answered and between two of ours
SILENCE_S = 5.0  # before a second connection is tried, doubling while none brings sound
LONGEST_SILENCE_S = 60.0
SETTLING_S = 5.0  # a new connection without sound, beside an old one
FRESH_S = 2.0  # sound is arriving, if it arrived this recently
_REMEMBERED = 16  # names of attempts that are over


class Negotiation:
    """The state of all attempts to connect with one peer."""

    def __init__(
        self, self_id: PeerId, peer_id: PeerId, *, expects_sound: bool, new_id: Callable[[], str], now: LocalSeconds
    ) -> None:
        self.live: Attempt | None = None
        self.rising: Attempt | None = None
        self.refused = 0
        """Offers that came sooner than one a second."""
        self._self_id = self_id
        self._peer_id = peer_id
        self._leads = self_id < peer_id
        self._expects_sound = expects_sound
        self._new_id = new_id
        self._numbers = 0
        self._failures = 0
        self._silences = 0
        self._answered_at = _later(now, -RENEGOTIATION_S)
        self._started_at = _later(now, -RENEGOTIATION_S)
        self._retry_at: LocalSeconds | None = _later(now, 0 if self._leads else PATIENCE_S)
        self._over: deque[str] = deque(maxlen=_REMEMBERED)
        self._early = RemoteCandidates(None, ())  # of an attempt whose offer has not come yet

    def receive(self, event: Event, now: LocalSeconds) -> list[Action]:
        match event:
            case RemoteDescription(description=Description(type="offer")):
                return self._offered(event, now)
            case RemoteDescription():
                return self._answered(event, now)
            case RemoteCandidates():
                return self._candidates(event)
            case RemoteBye():
                attempt = self._named(event.connection) if event.connection else None
                return self._end(attempt, now, say_bye=False) if attempt else []
            case Described(number, text):
                return self._described(number, text, now)
            case Connected(number):
                return self._connected(number, now)
            case Heard(number):
                return self._heard(number, now)
            case Broken(number):
                attempt = self._numbered(number)
                return self._end(attempt, now, say_bye=True) if attempt else []

    def tick(self, now: LocalSeconds) -> list[Action]:
        """Do what is due at `now`; to be called when `deadline` has come."""
        if self._retry_at is not None and now >= self._retry_at:
            return self._offer(now)
        if self.rising is not None:
            return self._tick_rising(self.rising, now)
        if self._silence_ends is not None and now >= self._silence_ends:
            self._silences += 1
            return self._offer(now)
        return []

    @property
    def failures(self) -> int:
        """Attempts in a row that came to nothing."""
        return self._failures

    @property
    def deadline(self) -> LocalSeconds | None:
        """When `tick` has something to do, if nothing else happens before."""
        return min(self._deadlines(), default=None)

    def renew(self, now: LocalSeconds) -> list[Action]:
        """Offer anew instead of the offer that waits for an answer, for that does not hold any more."""
        if self.rising is None or self.rising.phase is not Phase.OFFERED:
            return []
        return self._bye(self.rising) + self._forget(self.rising) + self._offer(now)

    def leave(self) -> list[Action]:
        """Say bye; the connections are the caller's to close."""
        attempts = (self.live, self.rising)
        return [action for attempt in attempts if attempt is not None for action in self._bye(attempt)]

    # Offers and answers

    def _offer(self, now: LocalSeconds) -> list[Action]:
        self._retry_at = None
        self._started_at = now
        self.rising = self._attempt(self._new_id(), ours=True, now=now)
        return [Offer(self.rising.number)]

    def _offered(self, step: RemoteDescription, now: LocalSeconds) -> list[Action]:
        known = self._known(step)
        if known is not None:  # sent again: our answer was lost
            return [Send(known.local)] if known.local is not None and not known.ours else []
        if step.connection in self._over:
            return []
        if step.connection is not None and self._leads and self.rising is not None and self.rising.ours:
            return []  # offers crossed, and ours stands
        if now - self._answered_at < RENEGOTIATION_S:
            self.refused += 1
            return []
        dropped = self._forget(self.rising)
        self._retry_at = None
        self._answered_at = now
        self.rising = attempt = self._attempt(step.connection, ours=False, now=now)
        attempt.remote = step.description
        early = self._early.candidates if self._early.connection == step.connection else ()
        self._early = RemoteCandidates(None, ())
        found = (*step.description.candidates, *early)
        return [*dropped, Answer(attempt.number, step.description), *self._dial(attempt, found)]

    def _answered(self, step: RemoteDescription, now: LocalSeconds) -> list[Action]:
        attempt = self.rising
        if attempt is None or attempt.phase is not Phase.OFFERED or step.connection not in (None, attempt.connection):
            return []
        attempt.phase = Phase.CHECKING
        attempt.deadline = _later(now, CHECKING_S)
        attempt.resends.clear()
        attempt.remote = step.description
        found = (*step.description.candidates, *attempt.waiting)
        return [Apply(attempt.number, step.description), *self._dial(attempt, found)]

    def _candidates(self, step: RemoteCandidates) -> list[Action]:
        attempt = self._named(step.connection) if step.connection else self.rising or self.live
        if attempt is None:
            self._keep_early(step)
            return []
        if attempt.remote is None:
            attempt.waiting += step.candidates[: MAX_CANDIDATES - len(attempt.waiting)]
            return []
        return self._dial(attempt, step.candidates)

    def _keep_early(self, step: RemoteCandidates) -> None:
        if step.connection in self._over:
            return
        before = self._early.candidates if self._early.connection == step.connection else ()
        self._early = RemoteCandidates(step.connection, (*before, *step.candidates)[:MAX_CANDIDATES])

    def _dial(self, attempt: Attempt, found: tuple[Candidate, ...]) -> list[Action]:
        allowed = found[: MAX_CANDIDATES - attempt.dialled]
        attempt.dialled += len(allowed)
        return [Dial(attempt.number, allowed)] if allowed else []

    # What becomes of an attempt

    def _described(self, number: int, text: str, now: LocalSeconds) -> list[Action]:
        attempt = self.rising
        if attempt is None or attempt.number != number:
            return []
        kind = SignalType.OFFER if attempt.ours else SignalType.ANSWER
        attempt.local = signals.description(self._self_id, self._peer_id, attempt.connection, kind, text)
        if attempt.ours:
            attempt.phase = Phase.OFFERED
            attempt.resends.extend(_later(now, after) for after in RESEND_AFTER_S)
            attempt.deadline = _later(now, UNANSWERED_S)
        elif attempt.phase is Phase.DESCRIBING:
            attempt.phase = Phase.CHECKING
        return [Send(attempt.local)]

    def _connected(self, number: int, now: LocalSeconds) -> list[Action]:
        attempt = self.rising
        if attempt is None or attempt.number != number:
            return []
        attempt.phase = Phase.CONNECTED
        attempt.connected_at = now
        attempt.deadline = _later(now, SETTLING_S)
        return self._promote() if self.live is None or not self._expects_sound else []

    def _heard(self, number: int, now: LocalSeconds) -> list[Action]:
        attempt = self._numbered(number)
        if attempt is None:
            return []
        attempt.heard_at = now
        self._silences = 0
        return self._promote() if attempt is self.rising else []

    def _promote(self) -> list[Action]:
        old = self.live
        self.live, self.rising = self.rising, None
        self._failures = 0
        return self._bye(old) + self._forget(old) if old is not None else []

    def _end(self, attempt: Attempt, now: LocalSeconds, *, say_bye: bool) -> list[Action]:
        """An attempt failed or was closed by the peer; what is left takes over, or another is scheduled."""
        actions = (self._bye(attempt) if say_bye else []) + self._forget(attempt)
        if attempt is self.rising:
            self.rising = None
            self._failures += 1
        else:
            self.live = None
            if self.rising is not None and self.rising.phase is Phase.CONNECTED:
                actions += self._promote()
        if self.live is None and self.rising is None:
            patience_s = 0.0 if self._leads else PATIENCE_S
            after_s = patience_s + RETRY_S[min(self._failures, len(RETRY_S) - 1)]
            self._retry_at = max(_later(now, after_s), _later(self._started_at, RENEGOTIATION_S))
        return actions

    def _tick_rising(self, rising: Attempt, now: LocalSeconds) -> list[Action]:
        if rising.resends and now >= rising.resends[0] and rising.local is not None:
            rising.resends.popleft()
            return [Send(rising.local)]
        if now < rising.deadline:
            return []
        if rising.phase is Phase.CONNECTED and (self.live is None or now - self.live.silent_since >= FRESH_S):
            return self._promote()  # neither carries sound: the newer one was seen to work more recently
        return self._end(rising, now, say_bye=True)

    # Bookkeeping

    def _attempt(self, connection: str | None, *, ours: bool, now: LocalSeconds) -> Attempt:
        self._numbers += 1
        return Attempt(self._numbers, connection, ours, now, _later(now, CHECKING_S))

    def _bye(self, attempt: Attempt) -> list[Action]:
        """A bye names its connection; an older app's has no name, and none is understood there."""
        if attempt.connection is None or attempt.local is None:
            return []
        return [Send(signals.bye(self._self_id, self._peer_id, attempt.connection))]

    def _forget(self, attempt: Attempt | None) -> list[Action]:
        if attempt is None:
            return []
        if attempt.connection is not None:
            self._over.append(attempt.connection)
        return [Close(attempt.number)]

    def _known(self, step: RemoteDescription) -> Attempt | None:
        if step.connection is not None:
            return self._named(step.connection)
        return next((known for known in self._attempts() if known.remote == step.description), None)

    def _named(self, connection: str) -> Attempt | None:
        return next((attempt for attempt in self._attempts() if attempt.connection == connection), None)

    def _numbered(self, number: int) -> Attempt | None:
        return next((attempt for attempt in self._attempts() if attempt.number == number), None)

    def _attempts(self) -> Iterator[Attempt]:
        yield from (attempt for attempt in (self.rising, self.live) if attempt is not None)

    @property
    def _silence_ends(self) -> LocalSeconds | None:
        """When a live connection has been silent for too long."""
        if self.live is None or not self._expects_sound:
            return None
        patience_s = min(SILENCE_S * 2**self._silences, LONGEST_SILENCE_S)
        return _later(self.live.silent_since, patience_s)

    def _deadlines(self) -> Iterator[LocalSeconds]:
        if self._retry_at is not None:
            yield self._retry_at
        if self.rising is not None:
            yield self.rising.deadline
            yield from list(self.rising.resends)[:1]
        elif self._silence_ends is not None:
            yield self._silence_ends


def _later(moment: LocalSeconds, seconds: float) -> LocalSeconds:
    return LocalSeconds(moment + seconds)
