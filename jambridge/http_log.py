"""What is no HTTP is counted; aiohttp would log each with its traceback and 8 KiB of it."""

import logging

from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web import RequestPayloadError


class HttpLog(logging.Logger):
    """A logger for one of aiohttp's servers, of its own, below the logger `name`."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name}.http")
        self.parent = logging.getLogger(name)
        self.bad_requests = 0

    def filter(self, record: logging.LogRecord) -> bool:
        if not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError | RequestPayloadError)):
            return bool(super().filter(record))
        self.bad_requests += 1
        return False
