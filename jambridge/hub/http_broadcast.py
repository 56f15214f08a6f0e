"""Broadcasts over HTTP by clients that are not joined: many in one request, or one whose address says where to.

Source: supabase/realtime `broadcast_controller.ex`, `broadcast_single_controller.ex` and `fallback_controller.ex`. As
there, a topic is named without `realtime:`, and a room where nobody is takes everything. Who asks has no presence key:
a payload with `fromPeerId` is refused.
"""

import asyncio
import time
from dataclasses import dataclass

from aiohttp import web

from jambridge import strict_json
from jambridge.door.listener import peer_address
from jambridge.door.rates import Rates
from jambridge.errors import WireError
from jambridge.hub import body, phoenix
from jambridge.hub.body import BodyError
from jambridge.hub.limits import Limits
from jambridge.hub.relay import Relay
from jambridge.strict_json import JsonObject

PATH = "/realtime/v1/api/broadcast"
_MOST_MESSAGES = 100
_JSON, _BYTES = "application/json", "application/octet-stream"
_TOO_OFTEN = "You have exceeded your rate limit"


@dataclass(frozen=True, slots=True)
class Said:
    """One broadcast to a topic as on the wire."""

    topic: str
    event: str
    payload: JsonObject | bytes


class HttpBroadcast:
    """The two addresses."""

    def __init__(self, relay: Relay, limits: Limits) -> None:
        self._relay = relay
        self._rates = Rates(limits.message_rate, limits.message_burst)

    def routes(self) -> list[web.AbstractRouteDef]:
        return [web.post(PATH, self._many), web.post(f"{PATH}/{{topic}}/events/{{event}}", self._one)]

    async def _many(self, request: web.Request) -> web.StreamResponse:
        return await self._answered(request, (_JSON,))

    async def _one(self, request: web.Request) -> web.StreamResponse:
        return await self._answered(request, (_JSON, _BYTES))

    async def _answered(self, request: web.Request, kinds: tuple[str, ...]) -> web.StreamResponse:
        status, message = await self._take(request, kinds)
        if status == web.HTTPAccepted.status_code:
            return web.Response(status=status)
        self._relay.dropped[f"http-broadcast-{status}"] += 1
        return web.json_response({"message": message}, status=status, headers={"Cache-Control": "no-store"})

    async def _take(self, request: web.Request, kinds: tuple[str, ...]) -> tuple[int, str]:
        """Status and what is wrong. Headers are asked for, which no foreign page sends without permission."""
        if not request.headers.get("apikey") and not request.headers.get("Authorization"):
            return 401, "An apikey is missing; any will do."
        if request.content_type not in kinds:
            return 415, f"The content is to be {' or '.join(kinds)}"
        try:
            content = await body.read(request, phoenix.MAX_BYTES)
        except BodyError as exc:
            return exc.status, str(exc)
        try:
            messages = [_single(request, content)] if "event" in request.match_info else _batch(content)
        except WireError as exc:
            return 422, str(exc)
        if any(isinstance(said.payload, dict) and said.payload.get("fromPeerId") is not None for said in messages):
            return 403, "Only a member can speak as one: leave out fromPeerId"
        return (202, "") if await self._tell(messages, peer_address(request.transport)) else (429, _TOO_OFTEN)

    async def _tell(self, messages: list[Said], address: str) -> bool:
        """One a turn of the loop, so that receivers can keep up; False from where on it was too much."""
        for said in messages:
            if not self._rates.take(address, time.monotonic()):
                return False
            if not self._relay.inject(said.topic, said.event, said.payload):
                return False
            await asyncio.sleep(0)
        return True


def _single(request: web.Request, content: bytes) -> Said:
    is_json = request.content_type == _JSON
    payload = strict_json.loads_object(content, phoenix.MAX_BYTES) if is_json else content
    return _said(request.match_info["topic"], request.match_info["event"], payload)


def _batch(content: bytes) -> list[Said]:
    messages = strict_json.loads_object(content, phoenix.MAX_BYTES).get("messages")
    if not isinstance(messages, list) or not 0 < len(messages) <= _MOST_MESSAGES:
        raise WireError(f"messages: 1 to {_MOST_MESSAGES} are asked for")
    return [_message(message) for message in messages]


def _message(message: object) -> Said:
    if not isinstance(message, dict) or not isinstance(payload := message.get("payload"), dict):
        raise WireError("a message has topic, event and payload, an object")
    return _said(message.get("topic"), message.get("event"), payload)


def _said(topic: object, event: object, payload: JsonObject | bytes) -> Said:
    if not isinstance(topic, str) or not isinstance(event, str) or not topic or not event:
        raise WireError("topic and event are texts")
    said = Said(phoenix.TOPIC_PREFIX + topic, event, payload)
    if max(len(said.topic.encode()), len(said.event.encode())) > phoenix.MAX_TEXT:
        raise WireError(f"topic and event take at most {phoenix.MAX_TEXT} bytes each")
    return said
