"""Log lines: plain text on a terminal, entries with fields in systemd's journal, or JSON."""

import json
import logging
import os
import re
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Literal

_PRIORITY = {"DEBUG": 7, "INFO": 6, "WARNING": 4, "ERROR": 3, "CRITICAL": 2}  # sd-daemon(3)
_TALKATIVE = (
    *("aiohttp.access", "aioice", "aiortc", "hpack", "httpx", "mqtt"),
    *("realtime", "supabase", "websockets", "zeroconf"),
)
_PLAIN = "%(name)s: %(message)s"
_JOURNAL = "/run/systemd/journal/socket"
_CONVERSION = re.compile(r"(?:\b([a-z][a-z_0-9]*)=)?%[-+ #0-9.]*[a-z]")
_OURS = ("message", "priority", "logger", "event", "exception", "syslog_identifier")


def fields(record: logging.LogRecord) -> dict[str, str]:
    """What the line says as `key=value`, and under `event` the phrase before these."""
    template = str(record.msg)
    values = list(map(str, record.args)) if isinstance(record.args, tuple) else []
    told = list(zip(_CONVERSION.finditer(template), values, strict=False))
    event, end = "", 0
    for conversion, value in told:
        event += template[end : conversion.start()]
        end = conversion.end()
        if conversion[1]:
            break
        event += value
    else:
        event += template[end:]
    named = {conversion[1]: value for conversion, value in told if conversion[1] and conversion[1] not in _OURS}
    return {"event": event.rstrip(" :,"), **named}


class _Lines(logging.Formatter):
    """With sd-daemon(3)'s prefixes."""

    def format(self, record: logging.LogRecord) -> str:
        prefix = f"<{_PRIORITY.get(record.levelname, 6)}>"
        return "\n".join(prefix + line for line in super().format(record).splitlines())


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {"time": self.formatTime(record), "level": record.levelname.lower(), "name": record.name}
        line["message"] = record.getMessage()
        line |= {name: value for name, value in fields(record).items() if name not in line}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


class Journal(logging.Handler):
    """Entries by systemd's "Native Journal Protocol"; lines where the journal does not take one."""

    def __init__(self, address: str = _JOURNAL) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter(_PLAIN))
        self._address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)
        self._lines = _handler(_Lines(_PLAIN))

    def emit(self, record: logging.LogRecord) -> None:
        try:
            entry = {
                "message": self.format(record),
                "priority": str(_PRIORITY.get(record.levelname, 6)),
                "logger": record.name,
                "syslog_identifier": "jambridge",
                **fields(record),
            }
            self._socket.sendto(_entry(entry), self._address)
        except (TypeError, ValueError):  # a library's line whose values do not fit its phrase
            self.handleError(record)
        except OSError:
            self._lines.emit(record)

    def close(self) -> None:
        with suppress(OSError):
            self._socket.close()
        super().close()


def configure(level: str, style: Literal["auto", "text", "json"]) -> None:
    """Log to standard error, or to the journal if that reads it; libraries speak up only from warnings on."""
    if style == "json":
        handler = _handler(_Json())
    elif style == "auto" and _is_read_by_journal():
        handler = Journal()
    else:
        handler = _handler(logging.Formatter("%(asctime)s %(levelname).1s %(name)s: %(message)s", "%H:%M:%S"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.CRITICAL)  # their errors reach us as exceptions and states


def _handler(formatter: logging.Formatter) -> logging.Handler:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    return handler


def _is_read_by_journal() -> bool:
    """systemd.exec(5): JOURNAL_STREAM names the device and inode of what it connected to our output."""
    with suppress(OSError):
        error = os.fstat(2)
        return os.environ.get("JOURNAL_STREAM") == f"{error.st_dev}:{error.st_ino}"
    return False


def _entry(values: Mapping[str, str]) -> bytes:
    """Each value with its length before it: it may have any bytes in it."""
    written = bytearray()
    for name, value in values.items():
        text = value.encode("utf-8", "replace")
        written += name.upper().encode() + b"\n" + len(text).to_bytes(8, "little") + text + b"\n"
    return bytes(written)
