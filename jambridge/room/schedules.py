"""When a member of a room says something about its state: now, later, again, or not at all. Pure."""

from collections.abc import Iterable

from jambridge.units import LocalSeconds, PeerId

CHANGE_EVERY_S = 0.1
UNCONFIRMED_AFTER_S = (0.75, 2.0, 5.0)
REPAIR_EVERY_S = 1.0
ANSWER_EVERY_S = 0.4  # to the same member
MOST_ANSWERS = 16
DIGEST_EVERY_S = 10.0
DIGESTS_AFTER_S = (0.5, 1.5, 4.5)  # after a change
OBJECT_EVERY_S = 1.0

NEVER = LocalSeconds(float("inf"))
LONG_AGO = LocalSeconds(float("-inf"))


def _after(now: LocalSeconds, delays_s: Iterable[float]) -> list[LocalSeconds]:
    return [LocalSeconds(now + delay_s) for delay_s in delays_s]


class Saying:
    """Which fields are due to be said."""

    def __init__(self) -> None:
        self._due: dict[str, LocalSeconds] = {}
        self._again: dict[str, list[LocalSeconds]] = {}
        self._said_at: dict[str, LocalSeconds] = {}

    @property
    def deadline(self) -> LocalSeconds:
        return min((*self._due.values(), *(times[0] for times in self._again.values())), default=NEVER)

    def change(self, name: str, now: LocalSeconds, *, confirm: bool) -> None:
        """At once, then at most every 100 ms; again until the host has confirmed it, if somebody must."""
        self._due[name] = max(now, LocalSeconds(self._said_at.get(name, LONG_AGO) + CHANGE_EVERY_S))
        if confirm:
            self._again[name] = _after(now, UNCONFIRMED_AFTER_S)

    def repair(self, name: str, due: LocalSeconds) -> None:
        """Somebody lacks our value; at most once a second, since anybody can say so."""
        due = max(due, LocalSeconds(self._said_at.get(name, LONG_AGO) + REPAIR_EVERY_S))
        self._due[name] = min(due, self._due.get(name, NEVER))

    def said_by_another(self, name: str) -> None:
        """Ours, or better than ours."""
        self._due.pop(name, None)

    def confirmed(self, name: str) -> None:
        self._again.pop(name, None)

    def take(self, now: LocalSeconds) -> list[str]:
        names = [name for name in {**self._due, **self._again} if self._is_due(name, now)]
        for name in names:
            self._said_at[name] = now
            self._due.pop(name, None)
            later = [time for time in self._again.pop(name, []) if time > now]
            if later:
                self._again[name] = later
        return names

    def _is_due(self, name: str, now: LocalSeconds) -> bool:
        return min(self._due.get(name, NEVER), *self._again.get(name, [NEVER]), NEVER) <= now


class Answering:
    """Who is due an answer to its state-request."""

    def __init__(self) -> None:
        self._due: dict[PeerId, LocalSeconds] = {}
        self._answered_at: dict[PeerId, LocalSeconds] = {}

    @property
    def deadline(self) -> LocalSeconds:
        return min(self._due.values(), default=NEVER)

    def add(self, target: PeerId, due: LocalSeconds) -> bool:
        """False if too many ask, or this one asks too often."""
        if len(self._due) >= MOST_ANSWERS or due < self._answered_at.get(target, LONG_AGO) + ANSWER_EVERY_S:
            return False
        self._due[target] = min(due, self._due.get(target, NEVER))
        return True

    def answered_by_another(self, target: PeerId) -> None:
        self._due.pop(target, None)

    def take(self, now: LocalSeconds) -> list[PeerId]:
        targets = [target for target, due in self._due.items() if due <= now]
        for target in targets:
            del self._due[target]
            self._answered_at[target] = now
        while len(self._answered_at) > MOST_ANSWERS:
            del self._answered_at[min(self._answered_at, key=lambda target: self._answered_at[target])]
        return targets


class Digests:
    """When the host says its digest: soon after a change, and at least every ten seconds."""

    def __init__(self) -> None:
        self._extra: list[LocalSeconds] = []
        self._said_at = LONG_AGO

    @property
    def deadline(self) -> LocalSeconds:
        return min((LocalSeconds(self._said_at + DIGEST_EVERY_S), *self._extra[:1]))

    def changed(self, now: LocalSeconds) -> None:
        self._extra = _after(now, (*DIGESTS_AFTER_S, DIGEST_EVERY_S))
        if self._said_at == LONG_AGO:
            self._said_at = now

    def object(self, now: LocalSeconds) -> None:
        """Somebody names another host: at once, but not for every such lie."""
        self._extra.insert(0, max(now, LocalSeconds(self._said_at + OBJECT_EVERY_S)))
        del self._extra[len(DIGESTS_AFTER_S) + 1 :]
        self._extra.sort()

    def take(self, now: LocalSeconds) -> bool:
        if self.deadline > now:
            return False
        self._said_at = now
        self._extra = [time for time in self._extra if time > now]
        return True


class Asking:
    """When a question is due, and again."""

    def __init__(self) -> None:
        self._times: list[LocalSeconds] = []
        self._asked_at = LONG_AGO

    @property
    def deadline(self) -> LocalSeconds:
        return min(self._times, default=NEVER)

    @property
    def waiting(self) -> bool:
        return bool(self._times)

    def at(self, now: LocalSeconds, delays_s: Iterable[float], *, pause_s: float = 0.0) -> None:
        """Instead of what was due. With a pause only if nothing is, and that long after the last time."""
        if not pause_s:
            self._times = _after(now, delays_s)
        elif not self._times:
            self._times = _after(max(now, LocalSeconds(self._asked_at + pause_s)), delays_s)

    def answered(self) -> None:
        self._times.clear()

    def take(self, now: LocalSeconds) -> bool:
        if self.deadline > now:
            return False
        self._asked_at = now
        self._times = [time for time in self._times if time > now]
        return True
