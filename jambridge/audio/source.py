"""Who is heard in which ring. Pure: the light process needs this much of the main one, and no more."""

from dataclasses import dataclass

from jambridge.units import PeerId


@dataclass(frozen=True, slots=True)
class Source:
    """Who plays in which slot; a slot used again has the next generation."""

    slot: int
    generation: int
    id: PeerId
    name: str
