"""What the kernel says of its sound cards: PortAudio does not even list a card that it cannot open."""

import os
from collections.abc import Iterator
from pathlib import Path

NODES = Path("/dev/snd")
PROC = Path("/proc/asound")


def fingerprint(proc: Path = PROC) -> str:
    """Another one whenever a card was plugged in or out."""
    return _text(proc / "cards")


def not_permitted(nodes: Path = NODES) -> str | None:
    """Why this user may not use any of the sound cards; None where there is none, or it may."""
    devices = list(nodes.glob("pcm*")) if nodes.is_dir() else []
    if not devices or any(os.access(node, os.R_OK | os.W_OK) for node in devices):
        return None
    return "no permission for the sound cards: sudo usermod -aG audio $USER, then log in again"


def in_use(wanted: str, *, is_input: bool, proc: Path = PROC) -> str | None:
    """The program that holds a device of that direction; None if nobody does, or there is none.

    `wanted` is part of the name as PortAudio has it. A device of several substreams is in use once all are.
    """
    for name, device in _devices(proc, "c" if is_input else "p"):
        if wanted.lower() in name.lower():
            owners = [_owner(status) for status in sorted(device.glob("sub*/status"))]
            if owners and all(owners):
                return owners[0]
    return None


def _devices(proc: Path, letter: str) -> Iterator[tuple[str, Path]]:
    """Names as PortAudio makes them, `HDA Intel PCH: ALC269VC Analog (hw:0,0)`, and where the kernel keeps the rest."""
    cards = dict(_cards(proc))
    for line in _text(proc / "pcm").splitlines():
        numbers, *texts = line.split(":")
        card, _, device = numbers.partition("-")
        if card.isdigit() and device.isdigit() and texts:
            place = f"{int(card)},{int(device)}"
            name = f"{cards.get(int(card), '')}: {texts[0].strip()} (hw:{place})"
            yield name, proc / f"card{int(card)}" / f"pcm{int(device)}{letter}"


def _cards(proc: Path) -> Iterator[tuple[int, str]]:
    """Of ` 0 [PCH            ]: HDA-Intel - HDA Intel PCH`, what comes last; the next line tells its address."""
    for line in fingerprint(proc).splitlines():
        number, _, rest = line.strip().partition(" ")
        if number.isdigit() and " - " in rest:
            yield int(number), rest.partition(" - ")[2]


def _owner(status: Path) -> str | None:
    """The program that has a substream open, as far as it can be told."""
    lines = dict(line.split(":", 1) for line in _text(status).splitlines() if ":" in line)
    pid = lines.get("owner_pid   ", lines.get("owner_pid", "")).strip()
    return (_text(Path("/proc") / pid / "comm").strip() or f"process {pid}") if pid.isdigit() else None


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""
