"""All that somebody who is to help must see, in one file without secrets: `jambridge doctor --bundle FILE`."""

import json
import os
import platform
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from io import BytesIO
from pathlib import Path

from jambridge import __version__, config_sources, identity, sections, whole_file
from jambridge.config import IceServerConfig
from jambridge.doctor import finding
from jambridge.doctor.everything import Patient
from jambridge.doctor.finding import Finding
from jambridge.doctor.probe import aside, libraries
from jambridge.doctor.redaction import Redaction, written_in
from jambridge.errors import DeviceError
from jambridge.strict_json import JsonObject

_JOURNAL = ("journalctl", "--unit=jambridge", "--lines=2000", "--no-pager", "--output=short-iso")
_MOST_CONFIG_BYTES = 256 * 1024
_SYSTEM = ("/etc/os-release", "/proc/cpuinfo", "/proc/meminfo", "/proc/loadavg", "/proc/asound/cards")
_MOST_BYTES = 64 * 1024
_DESCRIPTOR = "JAMBRIDGE_BUNDLE_FD"
"""Of a file that root has opened for us where we may not: see scripts/deb/command."""


async def write(file: Path, patient: Patient, found: Sequence[Finding], config_file: Path | None) -> None:
    """A zip that only this user may read.

    Raises:
        DeviceError: it cannot be written.
    """
    redaction = Redaction(secrets(patient, config_file))
    journal = await aside.program(_JOURNAL)
    parts = {
        "findings.txt": redaction.text(finding.as_text(found)),
        "findings.json": _json(redaction.value(finding.as_json(found))),
        "config.yaml": redaction.text(config_sources.dump(patient.config)),
        "status.json": _json(redaction.value(patient.status)),
        "journal.txt": redaction.text(journal[1]) if journal else "there is no journal here\n",
        "system.txt": redaction.text("\n".join(_system())),
        "versions.json": _json(_versions()),
    }
    _save(file, parts)


def secrets(patient: Patient, config_file: Path | None) -> frozenset[str]:
    """Every secret that this box knows of; with the codes of its rooms, which are the keys to them."""
    config = patient.config
    found = set(written_in(_text(config_file))) if config_file else set()
    if config.supabase.anon_key is not None:
        found.add(config.supabase.anon_key.get_secret_value())
    files = [config.supabase.anon_key_file, config.mqtt.password_file]
    for server in config.webrtc.ice_servers:
        found |= _of(server)
        files += [server.credential_file, server.secret_file]
    places = [sections.place(file) for file in files if file]
    if config.http.token_file:
        places.append(Path(config.http.token_file))
    found |= {_text(place).strip() for place in places}
    found |= {str(config.room.code or ""), str((patient.status or {}).get("room", {}).get("code") or "")}
    with suppress(DeviceError):
        found.add(identity.own_room(identity.state_directory()) or "")
    return frozenset(found - {""})


def _of(server: IceServerConfig) -> set[str]:
    return {server.credential.get_secret_value()} if server.credential else set()


def _versions() -> JsonObject:
    return {
        "jambridge": __version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "kernel": platform.release(),
        "libraries": libraries.installed(),
    }


def _system() -> Iterator[str]:
    for name in _SYSTEM:
        yield f"== {name}"
        yield _text(Path(name), _MOST_BYTES)


def _save(file: Path, parts: dict[str, str]) -> None:
    content = BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    try:
        if given := os.environ.get(_DESCRIPTOR):
            with os.fdopen(int(given), "wb") as written:
                written.write(content.getbuffer())
        else:
            whole_file.write(file, content.getvalue(), 0o600)
    except OSError as exc:
        raise DeviceError(f"cannot write {file}: {exc.strerror}") from exc


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _text(file: Path, most_bytes: int = _MOST_CONFIG_BYTES) -> str:
    """Empty where it cannot be read."""
    try:
        with file.open("rb") as opened:
            return opened.read(most_bytes).decode(errors="replace")
    except OSError:
        return ""
