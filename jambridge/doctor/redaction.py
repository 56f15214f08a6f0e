"""What must not leave the box is taken out of a text: secrets that are known, and whatever looks like one. Pure."""

import base64
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote

MASK = "[removed]"
_FEWEST = 4  # a shorter one would take out half of the words
_KEYS = "anon_?key|api_?key|credential|secret|password|passwd|token|authorization|cookie|login"
_SECRET_KEY = re.compile(rf".*(?:{_KEYS})s?", re.IGNORECASE)
_WRITTEN = re.compile(rf"(?im)[\w-]*(?:{_KEYS})[\"']?\s*[:=]\s*[\"']?([^\s\"',}}\]]+)")
_CODE = r"(?:[A-Z0-9]{6}|[A-Z]{2,8}-[0-9]{1,2})\b"
"""Of a room: in a journal there are those of earlier ones, too."""
_LOOKS_SECRET = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", MASK),
        (r"eyJ[\w-]{5,}\.[\w-]+\.[\w-]*", MASK),
        (r"\bsb_(?:secret|publishable)_[\w-]+", MASK),
        (r"\bsbp_\w+", MASK),
        (r"(\b[A-Za-z][A-Za-z0-9+.-]*:(?://)?)[^\s/@\"'<>]+@(?=[\w\[])", rf"\1{MASK}@"),
        (r"(?i)\b(Bearer|Basic)\s+[\w.~+/=-]+", rf"\1 {MASK}"),
        (r"(?i)(login#)[^\s\"']+", rf"\1{MASK}"),
        (rf"(?i)\b([\w-]*(?:{_KEYS})=)[^\s&\"']+", rf"\1{MASK}"),
        (r"(/jam/)[\w-]+", rf"\1{MASK}"),
        (rf"\b([Rr]oom[ :=]|Session |Resumed from |code=|id=){_CODE}", rf"\1{MASK}"),
    )
)


class Redaction:
    """`secrets` are taken out wherever they stand, also as they are written in URLs, in JSON and in base64."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets if len(secret) >= _FEWEST for form in _forms(secret)}
        longest_first = sorted(forms, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def text(self, text: str) -> str:
        if self._known is not None:
            text = self._known.sub(MASK, text)
        for pattern, replacement in _LOOKS_SECRET:
            text = pattern.sub(replacement, text)
        return text

    def value(self, value: Any) -> Any:
        """The same of JSON; what stands under the name of a secret goes whatever it is."""
        match value:
            case dict():
                return {
                    self.text(key): MASK if _SECRET_KEY.fullmatch(key) and inner is not None else self.value(inner)
                    for key, inner in value.items()
                }
            case list():
                return [self.value(one) for one in value]
            case str():
                return self.text(value)
        return value


def written_in(configuration: str) -> frozenset[str]:
    """What stands behind the name of a secret in a file, be it valid or not; names of files are none."""
    return frozenset(found for found in _WRITTEN.findall(configuration) if found not in ("null", "~"))


def _forms(secret: str) -> Iterator[str]:
    yield secret
    yield quote(secret, safe="")
    yield json.dumps(secret)[1:-1]
    yield base64.b64encode(secret.encode()).decode().rstrip("=")
