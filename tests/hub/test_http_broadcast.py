"""What is taken of broadcasts over HTTP; that they arrive is shown in `conformance/`."""

import json
from pathlib import Path

import aiohttp

from jambridge.hub.limits import Limits
from tests.hub.live import Member, health, live_hub, run


def test_a_flood_over_http_is_refused_and_what_is_said_there_is_checked(tmp_path: Path) -> None:
    async def scenario() -> None:
        limits = Limits(message_rate=0.01, message_burst=20)
        async with (
            live_hub(tmp_path, limits=limits) as hub,
            Member.joined(hub, "a"),
            aiohttp.ClientSession() as session,
        ):
            many = f"http://127.0.0.1:{hub.port}/realtime/v1/api/broadcast"
            one = f"{many}/room:ABC123/events/tempo-change"
            message = {"topic": "room:ABC123", "event": "tempo-change", "payload": {"tempo": 90}}

            async def status(url: str, *, data: object = None, kind: str = "application/json", key: str = "k") -> int:
                body = data if isinstance(data, bytes) else json.dumps(data).encode()
                async with session.post(url, data=body, headers={"apikey": key, "Content-Type": kind}) as answer:
                    return answer.status

            assert await status(one, data={}, key="") == 401
            assert await status(one, data=b"x", kind="text/plain") == 415
            assert await status(many, data=b"x", kind="application/octet-stream") == 415
            assert await status(one, data=b"x" * 300_000, kind="application/octet-stream") == 413
            for wrong in (b"{", b"[]", b'{"messages": []}', b'{"messages": [1]}', b'{"a": 1e999}'):
                assert await status(many, data=wrong) == 422
            assert await status(many, data={"messages": [message | {"topic": "x" * 250}]}) == 422
            assert await status(many, data={"messages": [message | {"payload": "text"}]}) == 422
            assert await status(one, data={"fromPeerId": "a"}) == 403
            assert await status(many, data={"messages": [message, message | {"payload": {"fromPeerId": "b"}}]}) == 403
            assert await status(many, data={"messages": [message] * 15}) == 202
            assert await status(many, data={"messages": [message] * 15}) == 429
            said = await health(hub)
            assert said["relayed"] >= 20
            assert said["dropped"]["http-broadcast-429"] == 1

    run(scenario())
