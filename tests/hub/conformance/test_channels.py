"""Joining, presence and leaving, and what goes with a channel."""

from tests.hub.conformance.cells import each, named
from tests.hub.conformance.guests import Guest, Seen, Wishes, sees
from tests.hub.conformance.stage import Running, Stage


def replies(seen: Seen, ref: str) -> list[dict[str, object]]:
    return [frame["payload"] for frame in seen.told if frame["event"] == "phx_reply" and frame["ref"] == ref]


def closes(seen: Seen) -> int:
    return [frame["event"] for frame in seen.told].count("phx_close")


async def sees_reply(guest: Guest, ref: str) -> Seen:
    return await sees(guest, lambda it: replies(it, ref), what="a reply")


async def sees_names(guest: Guest, **names: str) -> Seen:
    expected = {key: [name] for key, name in names.items()}
    return await sees(guest, lambda it: it.names == expected, what=f"that {expected} are there")


@each("join")
def test_join(hub: Running, room: str, client: str) -> None:
    async def scenario(stage: Stage) -> None:
        guest = await stage.guest(client, "a", room)
        assert await guest.subscribe() == "SUBSCRIBED"
        seen = await sees(guest, lambda it: any(f["event"] == "presence_state" for f in it.told), what="the state")
        await guest.close()

        assert seen.channel_states == ["SUBSCRIBED"]
        reply = next(frame["payload"] for frame in seen.told if frame["event"] == "phx_reply")
        assert reply == {"status": "ok", "response": {"postgres_changes": []}}

    hub.play(scenario)


@each("join-of-a-private-channel")
def test_join_of_a_private_channel(hub: Running, room: str, client: str) -> None:
    async def scenario(stage: Stage) -> None:
        private = Wishes(config={"private": True})
        async with stage.joined(room, client, wishes=private) as (anna,):
            ben = await stage.guest("js2", "b", room)
            await ben.subscribe()
            await anna.send("x")
            await sees(ben, lambda it: it.events == ["x"], what="a broadcast in the same room")
            await ben.close()

    hub.play(scenario)


@named("presence-state")
def test_presence_state(hub: Running, room: str, receiver: str, sender: str) -> None:
    async def scenario(stage: Stage) -> None:
        async with stage.joined(room, sender) as (anna,):
            await anna.track(name="Anna", joinedAt="2026-01-01T10:00:00Z")
            await sees_names(anna, a="Anna")
            ben = await stage.guest(receiver, "b", room)
            await ben.subscribe()
            seen = await sees_names(ben, a="Anna")
            await ben.close()

            assert seen.members["a"][0]["joinedAt"] == "2026-01-01T10:00:00Z"
            assert [f["event"] for f in seen.told if f["event"].startswith("presence_")] == ["presence_state"]

    hub.play(scenario)


@named("presence-diff")
def test_presence_diff(hub: Running, room: str, receiver: str, sender: str) -> None:
    async def scenario(stage: Stage) -> None:
        async with stage.joined(room, sender, receiver) as (anna, ben):
            await anna.track(name="Anna")
            await sees_names(ben, a="Anna")
            await anna.untrack()
            seen = await sees_names(ben)

            assert [note for note in seen.presence if note != "sync"] == ["join a", "leave a"]
            diffs = [frame["payload"] for frame in seen.told if frame["event"] == "presence_diff"]
            metas = diffs[0]["joins"]["a"]["metas"]
            assert [meta["name"] for meta in metas] == ["Anna"] and set(metas[0]) == {"name", "phx_ref"}
            assert diffs == [
                {"joins": {"a": {"metas": metas}}, "leaves": {}},
                {"joins": {}, "leaves": diffs[1]["leaves"]},
            ]

    hub.play(scenario)


@named("track")
def test_track(hub: Running, room: str, receiver: str, sender: str) -> None:
    async def scenario(stage: Stage) -> None:
        async with stage.joined(room, sender, receiver) as (anna, ben):
            await anna.track(name="Anna", nested={"list": [1, None, "Žofie 🎸"]})
            await ben.track(name="Ben")
            for guest in (anna, ben):
                seen = await sees_names(guest, a="Anna", b="Ben")
                assert seen.members["a"][0]["nested"] == {"list": [1, None, "Žofie 🎸"]}

    hub.play(scenario)


@named("re-track")
def test_re_track(hub: Running, room: str, receiver: str, sender: str) -> None:
    async def scenario(stage: Stage) -> None:
        async with stage.joined(room, sender, receiver) as (anna, ben):
            await anna.track(name="Anna")
            await anna.track(name="Ann")
            for guest in (anna, ben):
                seen = await sees_names(guest, a="Ann")
            diff = [frame["payload"] for frame in seen.told if frame["event"] == "presence_diff"][-1]
            left, joined = (diff[side]["a"]["metas"][0] for side in ("leaves", "joins"))
            assert joined["phx_ref_prev"] == left["phx_ref"] != joined["phx_ref"]

    hub.play(scenario)


@named("identical-re-track")
def test_identical_re_track(hub: Running, room: str, receiver: str, sender: str) -> None:
    async def scenario(stage: Stage) -> None:
        async with stage.joined(room, sender, receiver) as (anna, ben):
            await anna.track(name="Anna")
            await sees_names(ben, a="Anna")
            ref = await anna.push(
                anna.topic, "presence", {"type": "presence", "event": "track", "payload": {"name": "Anna"}}
            )
            seen = await sees_reply(anna, ref)
            await anna.send("after")
            told = await sees(ben, lambda it: it.events == ["after"], what="the broadcast after the track")

            assert replies(seen, ref) == [{"status": "ok", "response": {}}]
            assert [frame["event"] for frame in told.told].count("presence_diff") == 1

    hub.play(scenario)


@named("untrack")
def test_untrack(hub: Running, room: str, receiver: str, sender: str) -> None:
    async def scenario(stage: Stage) -> None:
        async with stage.joined(room, sender, receiver) as (anna, ben):
            await anna.track(name="Anna")
            await sees_names(ben, a="Anna")
            await anna.untrack()
            for guest in (anna, ben):
                await sees_names(guest)
            await anna.send("still joined")
            await sees(ben, lambda it: it.events == ["still joined"], what="a broadcast of who is not shown")
            await anna.track(name="Anna again")
            await sees_names(ben, a="Anna again")

    hub.play(scenario)


@named("leave")
def test_leave(hub: Running, room: str, receiver: str, sender: str) -> None:
    async def scenario(stage: Stage) -> None:
        async with stage.joined(room, sender, receiver) as (anna, ben):
            await anna.track(name="Anna")
            await ben.track(name="Ben")
            await sees_names(ben, a="Anna", b="Ben")
            await anna.leave()
            await sees_names(ben, b="Ben")
            seen = await sees(anna, lambda it: "CLOSED" in it.states, what="that its channel is closed")
            assert seen.channel_states == ["SUBSCRIBED", "CLOSED"]
            seen = await sees(anna, lambda it: closes(it) > 0, what="the hub's word, which may come after its reply")
            assert closes(seen) == 1

            assert await anna.rejoin() == "SUBSCRIBED"
            await sees_names(anna, b="Ben")

    hub.play(scenario)


@each("duplicate-join")
def test_duplicate_join(hub: Running, room: str, client: str) -> None:
    """The client never joins a channel twice: its own join is sent again as it was."""

    async def scenario(stage: Stage) -> None:
        async with stage.joined(room, client, "js2") as (anna, ben):
            await anna.track(name="Anna")
            await sees_names(ben, a="Anna")
            before = len((await anna.look()).told)
            ref = await anna.push(anna.topic, "phx_join", await anna.join_payload())
            seen = await sees_reply(anna, ref)

            events = [frame["event"] for frame in seen.told[before:] if frame["event"] in ("phx_close", "phx_reply")]
            assert events == ["phx_close", "phx_reply"]
            assert replies(seen, ref)[0]["status"] == "ok"
            await sees_names(ben)

    hub.play(scenario)


@each("unknown-topic")
def test_unknown_topic(hub: Running, room: str, client: str) -> None:
    async def scenario(stage: Stage) -> None:
        async with stage.joined(room, client) as (anna,):
            config = {"config": {"presence": {"key": "a"}}}
            for topic, event, payload in [
                (f"{anna.topic}-not-joined", "broadcast", {"type": "broadcast", "event": "x", "payload": {}}),
                (f"{anna.topic}-not-joined", "presence", {"event": "track", "payload": {}}),
            ]:
                ref = await anna.push(topic, event, payload)
                seen = await sees_reply(anna, ref)
                assert replies(seen, ref) == [{"status": "error", "response": {"reason": "unmatched topic"}}]
            dropped = (await stage.dropped()).get("refused-join", 0)
            await anna.push("elsewhere", "phx_join", config)
            await anna.send("still joined")
            ref = await anna.push(anna.topic, "phx_leave", {})
            await sees(anna, lambda it: replies(it, ref), what="a reply to its leave")
            assert (await stage.dropped()).get("refused-join", 0) == dropped + 1

    hub.play(scenario)


@each("heartbeat")
def test_heartbeat(hub: Running, room: str, client: str) -> None:
    async def scenario(stage: Stage) -> None:
        async with stage.joined(room, client) as (anna,):
            await anna.heartbeat()
            if client == "python":  # it tells nobody, so what it received is read
                seen = await sees_reply(anna, "a")
                assert replies(seen, "a") == [{"status": "ok", "response": {}}]
            else:
                seen = await sees(anna, lambda it: "heartbeat ok" in it.states, what="that its heart beats")
            assert seen.channel_states == ["SUBSCRIBED"]

    hub.play(scenario)


@each("access-token")
def test_access_token(hub: Running, room: str, client: str) -> None:
    async def scenario(stage: Stage) -> None:
        async with stage.joined(room, client) as (anna,):
            before = await stage.dropped()
            told = len((await anna.look()).told)
            await anna.set_auth("another.token")
            ref = await anna.push(anna.topic, "presence", {"event": "untrack", "payload": {}})
            seen = await sees(anna, lambda it: replies(it, ref), what="a reply to what came after")

            topics = [frame for frame in seen.told[told:] if frame["topic"] == anna.topic]
            assert [frame["ref"] for frame in topics] == [ref]
            assert (await anna.join_payload())["access_token"] == "another.token"
            assert await stage.dropped() == before
            assert seen.channel_states == ["SUBSCRIBED"]

    hub.play(scenario)


def test_the_python_client_complained_of_nothing_but_what_it_was_refused(hub: Running) -> None:
    async def scenario(stage: Stage) -> None:
        assert [line for line in stage.wire.complaints if "Unrecognized" in line] == []

    hub.play(scenario)
