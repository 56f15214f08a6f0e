"""What is no HTTP is counted; aiohttp would log each with its traceback and 8 KiB of it."""

import logging

from aiohttp.http_exceptions import HttpProcessingError


class BadRequests(logging.Filter):
    """A filter for aiohttp's server logger."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def filter(self, record: logging.LogRecord) -> bool:
        if not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError)):
            return True
        self.count += 1
        return False
