"""Who waits, by address: each address has its turn, however many wait of another. Pure."""

from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Turns(Generic[T]):
    def __init__(self) -> None:
        self._waiting: dict[str, deque[T]] = {}  # the address whose turn it is comes first

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def put(self, address: str, one: T) -> None:
        self._waiting.setdefault(address, deque()).append(one)

    def take(self) -> T:
        """The one of its address that waits longest. There must be one."""
        address = next(iter(self._waiting))
        waiting = self._waiting.pop(address)
        one = waiting.popleft()
        if waiting:
            self._waiting[address] = waiting
        return one
