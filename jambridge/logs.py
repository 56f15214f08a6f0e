"""Log lines: plain text on a terminal, journald's priority prefixes under systemd, or JSON."""

import json
import logging
import os
import sys
from typing import Literal

_PRIORITY = {"DEBUG": 7, "INFO": 6, "WARNING": 4, "ERROR": 3, "CRITICAL": 2}  # sd-daemon(3)
_TALKATIVE = ("aiohttp.access", "aioice", "aiortc", "httpx", "realtime", "supabase", "websockets", "zeroconf", "hpack")


class _Journald(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        prefix = f"<{_PRIORITY.get(record.levelname, 6)}>"
        return "\n".join(prefix + line for line in super().format(record).splitlines())


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {"time": self.formatTime(record), "level": record.levelname.lower(), "name": record.name}
        line["message"] = record.getMessage()
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def configure(level: str, style: Literal["auto", "text", "json"]) -> None:
    """Log to standard error; libraries speak up only from warnings on."""
    if style == "json":
        formatter: logging.Formatter = _Json()
    elif style == "auto" and os.environ.get("JOURNAL_STREAM"):
        formatter = _Journald("%(name)s: %(message)s")
    else:
        formatter = logging.Formatter("%(asctime)s %(levelname).1s %(name)s: %(message)s", "%H:%M:%S")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.CRITICAL)  # their errors reach us as exceptions and states
