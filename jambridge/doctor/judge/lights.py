"""Every WLED that was found, or should have been. Pure."""

from collections.abc import Sequence

from jambridge.config import ControllerConfig, LightConfig
from jambridge.doctor.finding import Finding, failure, good, note, quoted, warning
from jambridge.light.discovery import Found

WLED = "WLED"
WEAK_DBM = -72
_REACH = "is it switched on and in this network? Its address in a browser shows its page; give it a fixed one"
_FIND = (
    "is it switched on and in this network? See mDNS; else name its host under light.controllers, or light.mode: off"
)
_NEARER = "move it closer to the access point, or use a WLED with Ethernet"


def lights(section: LightConfig, found: Sequence[Found]) -> list[Finding]:
    if section.mode == "off":
        return [note(WLED, "lights are off (light.mode)")]
    named = [one for one in section.controllers if not one.host]  # one with a host is among those found, absent or not
    missing = [one for one in named if not any(_is_of(one, unit) for unit in found)]
    findings = [
        *(finding for unit in found for finding in _light(unit)),
        *(
            failure(f"{WLED} {quoted(_label(one))}", "named in the configuration, and not found", _FIND)
            for one in missing
        ),
    ]
    if findings:
        return findings
    if section.discover == "off":
        return [note(WLED, "none is named, and none is looked for (light.discover)")]
    return [warning(WLED, "none was found", _FIND)]


def _light(unit: Found) -> list[Finding]:
    name = f"{WLED} {quoted(unit.name or unit.host)[:40]}"
    return [_state(name, unit), *_settings(name, unit), *_signal(name, unit)]


def _state(name: str, unit: Found) -> Finding:
    where = f"{unit.host}, {unit.pixels} pixels over {unit.protocol}"
    match unit.state:
        case "driven":
            shown = f", {unit.fps_shown} shown now" if unit.fps_shown else ""
            return good(name, f"{where}, up to {unit.max_fps:.0f} frames a second{shown}; {unit.reason}")
        case "foreign":
            remedy = "end that stream, or wait until it ends: it is then taken over by itself"
            return warning(name, f"{where}: {unit.reason}", remedy)
        case "listed":
            remedy = f"jambridge leds adopt {unit.mac}" if unit.mac else "light.discover: auto"
            return warning(name, f"{where}: answers, and is not driven: {unit.reason}", remedy)
        case "faulty":
            return failure(name, f"{unit.host}: {quoted(unit.reason)}", "is it a WLED, of version 0.14 or newer?")
    return failure(name, f"unreachable: {quoted(unit.reason) or 'does not answer'}", _REACH)


def _settings(name: str, unit: Found) -> list[Finding]:
    """Settings of its own that spoil the picture, each with what to do behind a colon."""
    parts = [text.partition(": ") for text in unit.warnings]
    return [warning(f"{name} settings", reason, remedy) for reason, _, remedy in parts]


def _signal(name: str, unit: Found) -> list[Finding]:
    if unit.rssi_dbm is None:
        return []
    if unit.rssi_dbm < WEAK_DBM:
        return [warning(f"{name} Wi-Fi", f"weak, {unit.rssi_dbm} dBm: frames are lost", _NEARER)]
    return [good(f"{name} Wi-Fi", f"{unit.rssi_dbm} dBm")]


def _is_of(entry: ControllerConfig, unit: Found) -> bool:
    """Whether `unit` may be what `entry` means."""
    mac = (entry.mac or "").lower().replace(":", "").replace("-", "")
    if mac and unit.mac:
        return mac == unit.mac
    return bool(entry.name) and str(entry.name).casefold() == unit.name.casefold()


def _label(entry: ControllerConfig) -> str:
    return entry.name or entry.mac or ""
