"""The jam page's modules by themselves, in a real Chromium: rules, SDP, and links with a lossy room between them."""

import json
import random
from datetime import UTC, datetime
from typing import Any

import pytest

from jambridge.errors import UsageError
from jambridge.peers import roles
from jambridge.room import code
from jambridge.room.messages import Participant
from jambridge.store import merging
from jambridge.units import PeerId
from tests.fakes.browsers import Run

LINKS = """
const { Link, DELAYS } = await import("/page/link.js");
const { Connection } = await import("/page/connection.js");
const { Sync } = await import("/page/sync.js");

const context = new AudioContext();
const sound = (frequency) => {
  const tone = new OscillatorNode(context, { frequency });
  const out = context.createMediaStreamDestination();
  tone.connect(out);
  tone.start();
  return out.stream.getAudioTracks()[0];
};
const delays = { ...DELAYS, resendMs: [300, 600, 900], awaitOfferMs: 400, retryMs: [100], disconnectedMs: 300 };
const ends = new Map();  // by id: what signals reach
const said = [];         // [sender, type, connection id]
let loses = () => false; // (sender, type) => whether the room loses this signal

const open = (selfId, peerId, { silent = false, ...options } = {}) => {
  const track = silent ? null : sound(selfId === "a" ? 440 : 660);
  const end = { connections: [], channels: [], sync: new Sync(selfId) };
  end.link = new Link({
    selfId, peerId, delays: { ...delays, ...options },
    open: (id, offering, callbacks) => {
      const sync = (channel) => {
        end.channels.push(channel);
        end.sync.attach(peerId, channel);
      };
      end.connections.push(new Connection(id, offering, track, { ...callbacks, sync }));
      return end.connections.at(-1);
    },
    send: (type, id, data) => {
      said.push([selfId, type, id]);
      if (!loses(selfId, type)) setTimeout(() => ends.get(peerId)?.link.receive(type, id, structuredClone(data)));
    },
    changed() {},
  });
  ends.set(selfId, end);
  return end;
};
const until = async (condition, what) => {
  for (const start = performance.now(); !(await condition()); await new Promise((resolve) => setTimeout(resolve, 20)))
    if (performance.now() - start > 15_000) throw new Error(`never: ${what}`);
};
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const connected = (...some) => until(() => some.every((end) => end.link.state === "connected"), "connected");
const count = (...wanted) => said.filter((entry) => wanted.every((part, place) => part === entry[place])).length;
"""
PEER = """
const b = open("b", "a");
const pc = new RTCPeerConnection();
ends.set("a", { link: {
  receive: (type, id, data) =>
    type === "answer" ? pc.setRemoteDescription(data)
    : type === "ice-candidate" && data.forEach((candidate) => pc.addIceCandidate(candidate)),
} });
const channel = pc.createDataChannel("sync", { ordered: false, maxRetransmits: 0 });
pc.addTransceiver("audio");
await pc.setLocalDescription();
await until(() => pc.iceGatheringState === "complete", "gathered");
"""


@pytest.mark.parametrize(
    "text", ["ABC123", " abc 123", "music-42", "A-1", "AB-1", "ABCDEFGH-1", "ABC12", "ABCDEFG", "MUSIC-", "É23456", ""]
)
def test_the_page_and_the_daemon_accept_the_same_codes(run: Run, text: str) -> None:
    try:
        expected = code.parse(text)
    except UsageError:
        expected = None

    assert run(f"return (await import('/page/code.js')).parse({text!r})") == expected


def test_the_page_and_the_daemon_agree_on_who_connects_with_whom(run: Run) -> None:
    chance = random.Random(4)
    rooms = [
        [
            Participant(
                PeerId(name),
                name,
                is_host=False,
                joined_at=float(chance.randrange(6)),
                sends=chance.random() < 0.5,
                capabilities=tuple(one for one in (roles.CLOCK, roles.MIDI) if chance.random() < 0.5),
            )
            for name in "abcdefghijkl"[: chance.randrange(1, 13)]
        ]
        for _ in range(100)
    ]
    expected = [[sorted(roles.partners(member.id, room, 3)) for member in room] for room in rooms]
    plain = [
        [
            {"id": it.id, "joinedAt": it.joined_at, "sends": it.sends, "capabilities": list(it.capabilities)}
            for it in room
        ]
        for room in rooms
    ]

    pairs = run(f"""
        const {{ partners }} = await import("/page/roles.js");
        return {json.dumps(plain)}.map((room) => room.map((self) => [...partners(self, room)].sort()));
    """)

    assert pairs == expected


def test_two_who_only_listen_can_connect_for_the_clock(run: Run) -> None:
    carried = run(f"""{LINKS}
        const [a, b] = [open("a", "b", {{ silent: true }}), open("b", "a", {{ silent: true }})];
        a.link.start(); b.link.start();
        await connected(a, b);
        await until(() => [a, b].every((end) => end.channels.some((one) => one.readyState === "open")), "open");
        a.link.close(); b.link.close();
        return true;
    """)

    assert carried


def test_presence_counts_a_key_once_and_survives_nonsense(run: Run) -> None:
    seen = run("""
        const { fromState, withDiff, participants } = await import("/page/presence.js");
        const meta = (phx_ref, name) => ({ phx_ref, name, joinedAt: "2026-01-02T03:04:05.000Z" });
        let state = fromState({
          p1: { metas: [meta("1", "old"), meta("2", "new")] }, p2: { metas: [] }, p3: 7, p4: { metas: [null, {}] },
          ["k".repeat(65)]: { metas: [meta("3", "long key")] },
        });
        state = withDiff(state, { joins: { p5: { metas: [meta("4", " Eve\\n\\u0007 ")] } }, leaves: "?" });
        const [joins, leaves] = [{ p1: { metas: [meta("5", "newest")] } }, { p1: { metas: [meta("2")] } }];
        state = withDiff(state, { joins, leaves });
        state = withDiff(state, { leaves: { p1: { metas: [meta("1")] }, gone: { metas: [meta("9")] } } });
        for (const odd of [null, 7, "x", [], { joins: 1 }]) state = withDiff(state, odd);
        return participants(state).map(({ id, name, joinedAt }) => [id, name, joinedAt]);
    """)

    assert seen == [["p1", "newest", 1_767_323_045_000], ["p5", "Eve", 1_767_323_045_000]]


def test_our_descriptions_ask_for_stereo_in_ten_milliseconds_once(run: Run) -> None:
    lines = run("""
        const { forMusic } = await import("/page/sdp.js");
        const pc = new RTCPeerConnection();
        pc.addTransceiver("audio");
        pc.createDataChannel("sync");
        const sdp = forMusic((await pc.createOffer()).sdp);
        await pc.setLocalDescription({ type: "offer", sdp });
        pc.close();
        if (forMusic(sdp) !== sdp) throw new Error("a second time changes something");
        const payload = sdp.match(/a=rtpmap:(\\d+) opus/)[1];
        return sdp.split("\\r\\n").filter((line) => line.startsWith(`a=fmtp:${payload} `) || /^a=ptime/.test(line));
    """)

    assert len(lines) == 2
    assert set(lines[0].split(" ", 1)[1].split(";")) >= {
        "stereo=1",
        "sprop-stereo=1",
        "maxaveragebitrate=256000",
        "minptime=10",
    }
    assert lines[1] == "a=ptime:10"


def test_the_lower_id_offers_and_both_hear(run: Run) -> None:
    offers = run(f"""{LINKS}
        const [a, b] = [open("a", "b"), open("b", "a")];
        a.link.start(); b.link.start();
        await connected(a, b);
        for (const end of [a, b]) await until(() => end.connections[0].carries(), "sound");
        const offers = [count("a", "offer"), count("b", "offer")];
        a.link.close(); b.link.close();
        return offers;
    """)

    assert offers == [1, 0]


def test_both_ends_ask_the_browser_for_its_smallest_jitter_buffer(run: Run) -> None:
    targets = run(f"""
        const made = [];
        const Stock = globalThis.RTCPeerConnection;
        globalThis.RTCPeerConnection = class extends Stock {{
          constructor(...options) {{
            super(...options);
            made.push(this);
          }}
        }};
        {LINKS}
        const [a, b] = [open("a", "b"), open("b", "a")];
        a.link.start(); b.link.start();
        await connected(a, b);
        const used = made.filter((pc) => pc.connectionState === "connected");
        const targets = used.flatMap((pc) => pc.getReceivers().map((receiver) => receiver.jitterBufferTarget));
        a.link.close(); b.link.close();
        globalThis.RTCPeerConnection = Stock;
        return targets;
    """)

    assert targets == [0, 0]


def test_lost_offers_answers_and_candidates_are_said_again(run: Run) -> None:
    said = run(f"""{LINKS}
        const lost = new Set();
        loses = (sender, type) => !lost.has(sender + type) && lost.add(sender + type);
        const [a, b] = [open("a", "b"), open("b", "a", {{ awaitOfferMs: 9000 }})];
        a.link.start(); b.link.start();
        await connected(a, b);
        const attempts = new Set(said.map(([, , id]) => id)).size;
        a.link.close(); b.link.close();
        return [attempts, count("a", "offer") >= 2, count("b", "answer") >= 2];
    """)

    assert said == [1, True, True]


def test_crossing_offers_end_in_the_lower_ids_connection(run: Run) -> None:
    agreed = run(f"""{LINKS}
        const [a, b] = [open("a", "b"), open("b", "a", {{ awaitOfferMs: 0 }})];
        b.link.start(); a.link.start();
        await connected(a, b);
        await pause(300);
        const same = a.link.connectionId === b.link.connectionId && a.connections[0].id === a.link.connectionId;
        const crossed = count("a", "offer") === 1 && count("b", "offer") === 1;
        a.link.close(); b.link.close();
        return [same, crossed];
    """)

    assert agreed == [True, True]


def test_the_higher_id_offers_when_the_lower_does_not(run: Run) -> None:
    state = run(f"""{LINKS}
        const [a, b] = [open("a", "b"), open("b", "a")];
        b.link.start();
        await connected(a, b);
        a.link.close(); b.link.close();
        return count("b", "offer");
    """)

    assert state >= 1


def test_a_connection_is_replaced_only_when_the_new_one_carries_sound(run: Run) -> None:
    result = run(f"""{LINKS}
        const [a, b] = [open("a", "b"), open("b", "a")];
        a.link.start(); b.link.start();
        await connected(a, b);
        const old = b.link.connectionId;
        await pause(1100); // an offer a second is answered, no more
        const again = open("a", "b"); // the page at a's end starts anew under its name
        again.link.start();
        const gaps = [];
        await until(() => {{
          if (b.link.state !== "connected" || !b.link.stream) gaps.push(b.link.state);
          return b.link.connectionId !== old;
        }}, "replaced");
        const carried = await b.connections.at(-1).carries();
        const goodbye = count("b", "bye", old);
        again.link.close(); b.link.close(); a.link.close();
        return {{ gaps, carried, goodbye }};
    """)

    assert result == {"gaps": [], "carried": True, "goodbye": 1}


def test_a_broken_connection_is_replaced_from_either_end(run: Run) -> None:
    replaced = run(f"""{LINKS}
        const [a, b] = [open("a", "b"), open("b", "a")];
        a.link.start(); b.link.start();
        await connected(a, b);
        const before = a.link.connectionId;
        a.connections[0].close(); // as if the browser had lost it, without a word
        await until(() => a.link.connectionId !== before, "replaced");
        await connected(a, b);
        const same = a.link.connectionId === b.link.connectionId;
        a.link.close(); b.link.close();
        return same;
    """)

    assert replaced


def test_malformed_offers_and_foreign_goodbyes_displace_nothing(run: Run) -> None:
    kept = run(f"""{LINKS}
        const [a, b] = [open("a", "b", {{ renegotiationMs: 0 }}), open("b", "a", {{ renegotiationMs: 0 }})];
        a.link.start(); b.link.start();
        await connected(a, b);
        const before = b.link.connectionId;
        const cut = {{ type: "offer", sdp: "v=0" }};
        const odd = [{{}}, {{ type: "offer" }}, cut, {{ type: "answer", sdp: "" }}, [1], [null]];
        for (const data of odd)
          for (const type of ["offer", "answer", "ice-candidate", "bye", "nonsense"]) {{
            b.link.receive(type, "foreign", data);
            a.link.receive(type, "foreign", data);
          }}
        b.link.receive("bye", null, {{}});
        b.link.receive("ice-candidate", before, odd);
        await pause(300);
        const kept = b.link.state === "connected" && a.link.state === "connected" && b.link.connectionId === before;
        a.link.close(); b.link.close();
        return kept;
    """)

    assert kept


def test_an_offer_that_names_no_connection_is_answered_by_one_that_names_none(run: Run) -> None:
    result = run(f"""{LINKS}
        loses = (sender, type) => type === "offer";
        const a = open("a", "b");
        a.link.start();
        await until(() => count("a", "offer"), "our own offer");
        const older = new RTCPeerConnection(); // an app that knows nothing of connection ids
        ends.set("b", {{ link: {{
          receive: (type, id, data) => type === "answer" && id === null && older.setRemoteDescription(data),
        }} }});
        older.addTransceiver("audio");
        await older.setLocalDescription();
        await until(() => older.iceGatheringState === "complete", "gathered");
        a.link.receive("offer", null, older.localDescription.toJSON());
        await until(() => older.connectionState === "connected" && a.link.state === "connected", "connected");
        a.link.close(); older.close();
        return [count("a", "answer", null), a.link.connectionId];
    """)

    assert result == [1, None]


def test_a_ping_is_answered_with_our_clock(run: Run) -> None:
    pong = run(f"""{LINKS}{PEER}
        b.link.receive("offer", "one", pc.localDescription.toJSON());
        await until(() => channel.readyState === "open", "open");
        const heard = new Promise((resolve) => {{ channel.onmessage = ({{ data }}) => resolve(JSON.parse(data)); }});
        for (const odd of ["", "x", "[]", "null", '{{"type":"ping"}}', new Uint8Array(3)]) channel.send(odd);
        channel.send(JSON.stringify({{ type: "ping", id: 7, t1: 12.5 }}));
        const pong = await heard;
        b.link.close(); pc.close();
        return pong;
    """)

    assert (pong["type"], pong["id"], pong["t1"], pong["room"]) == ("pong", 7, 12.5, 0)
    assert pong["t2"] <= pong["t3"]


def test_who_becomes_host_carries_the_rooms_time_on(run: Run) -> None:
    ahead = run(f"""{LINKS}{PEER}
        const pongs = [];
        channel.onmessage = ({{ data }}) => {{
          const message = JSON.parse(data);
          if (message.type === "pong") return pongs.push(message);
          const now = performance.now();
          for (const odd of [{{ t3: "x" }}, {{ t2: 1e14 }}, {{ id: -1 }}, {{ room: null }}])
            channel.send(JSON.stringify({{ ...message, type: "pong", t2: now, t3: now, room: -7e6, ...odd }}));
          channel.send(JSON.stringify({{ ...message, type: "pong", t2: now, t3: now, room: 5e6 }}));
        }};
        b.sync.follow("a");
        b.link.receive("offer", "one", pc.localDescription.toJSON());
        await until(() => b.sync.offset !== 0, "followed");
        b.sync.follow("b"); // the host has left
        channel.send(JSON.stringify({{ type: "ping", id: "x", t1: 0 }}));
        await until(() => pongs.length, "answered");
        b.sync.close(); b.link.close(); pc.close();
        return pongs[0].room;
    """)

    assert ahead == pytest.approx(5e6, abs=500)


def test_the_rooms_time_is_set_once_then_slewed_and_never_jumps(run: Run) -> None:
    offsets = run("""
        const { RoomClock } = await import("/page/room_clock.js");
        const clock = new RoomClock();
        const at = (now) => Math.round(clock.offset(now) * 1e3) / 1e3;
        const seen = [at(0)];
        clock.observe({ offset: 500, delay: 20 }, 0); seen.push(at(0));          // the first sets it
        clock.observe({ offset: 504, delay: 10 }, 500); seen.push(at(500));      // it may still jump ahead
        clock.observe({ offset: 514, delay: 2 }, 2000); seen.push(at(2000), at(3000), at(60_000)); // 1 ms a second
        clock.observe({ offset: 560, delay: 90 }, 60_000); seen.push(at(70_000)); // a worse exchange changes nothing
        clock.lead(70_000); seen.push(at(90_000));
        clock.forget();
        clock.observe({ offset: 510, delay: 2 }, 90_000); seen.push(at(90_000), at(91_000), at(99_000));
        for (let k = 0; k < 8; k += 1) clock.observe({ offset: -9000, delay: 2 }, 99_000);
        seen.push(at(99_000)); // another clock altogether
        return seen;
    """)

    assert offsets == [0, 500, 504, 504, 505, 514, 514, 514, 514, 513, 510, -9000]


@pytest.mark.parametrize(
    ("page", "here", "host"),
    [
        ("https://192.168.1.7:3443", "https:", "https://192.168.1.7:3443"),
        ("https://box.local:3443/", "https:", "https://box.local:3443"),
        ("https://[fd00::7]:3443", "https:", "https://[fd00::7]:3443"),
        ("https://box:3443", "http:", "https://box:3443"),
        ("http://10.0.0.2:3001", "http:", "http://10.0.0.2:3001"),
        ("http://10.0.0.2:3001", "https:", None),
        ("https://example.org", "https:", None),
        ("https://192.168.1.7.example.org", "https:", None),
        ("https://ann@box.local", "https:", None),
        ("javascript:alert(1)", "https:", None),
        ("//box.local", "https:", None),
        (7, "https:", None),
    ],
)
def test_the_page_follows_its_hub_only_to_a_place_of_this_network(
    run: Run, page: object, here: str, host: str | None
) -> None:
    said = json.dumps([page, {"protocol": here, "code": "ABC123", "visitor": {"name": "Ann & Bö", "instrument": ""}}])

    assert run(f"return (await import('/page/moved.js')).destination(...{said})") == (
        host and f"{host}/jam/ABC123#name=Ann+%26+B%C3%B6&instrument="
    )


def test_the_tempo_of_taps(run: Run) -> None:
    tempi = run("""
        const { Tap } = await import("/page/tap.js");
        const tap = new Tap();
        return [0, 500, 1000, 1490, 9000, 9750, 9760].map((at) => tap.at(at));
    """)

    assert tempi == [None, 120, 120, 121, None, 80, 158]


SETTINGS = {"tempo": 91, "key": "Bb", "scale": "dorian", "colorMode": "harmonic", "isPlaying": True}
ROWS: tuple[dict[str, Any] | None, ...] = (
    None,
    {},
    {"music": {"tempo": 70, "swing": 3}, "metadata": {"revision": 8, "sessionName": "Blues", "durationMinutes": 50}},
    {"music": 7, "studio": {"loadedModules": [{"a": 1}], "x": 2}, "hardware": {"wled": {"devices": [{}]}, "own": 1}},
    {"metadata": {"revision": "x", "totalStateChanges": -1, "participantCount": 2}, "else": [1]},
)


@pytest.mark.parametrize("touched", [False, True])
@pytest.mark.parametrize("row", ROWS)
def test_the_page_stores_what_a_bridge_without_hardware_would(run: Run, row: Any, touched: bool) -> None:
    """And again, when nothing is new: nothing."""
    wall = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    moment = merging.Moment(SETTINGS if touched else {}, 2, merging.Setup(), 12, wall)
    expected = merging.snapshot(row, moment)

    stored, again = run(f"""
        const {{ RoomState }} = await import("/page/state.js");
        const {{ snapshot }} = await import("/page/stored.js");
        let state = new RoomState();
        for (const [name, value] of Object.entries({json.dumps(SETTINGS if touched else {})}))
          state = state.changed(name, value, "me");
        const moment = {{ state, participants: 2, minutes: 12, wall: new Date("2026-01-02T03:04:05Z") }};
        const stored = snapshot({json.dumps(row)}, moment);
        return [stored, snapshot(stored, moment)];
    """)

    assert expected is not None
    for state in (stored, expected):
        state["metadata"]["updatedAt"] = datetime.fromisoformat(state["metadata"]["updatedAt"])
    assert stored == expected
    assert again is None


def test_the_page_writes_only_over_what_it_has_read(run: Run) -> None:
    rows = run("""
        const { RoomState } = await import("/page/state.js");
        const { Saver } = await import("/page/saving.js");
        const ask = async (method, body) => {
          const headers = { apikey: "lan", Prefer: "return=representation", "Content-Type": "application/json" };
          const options = { method, headers, body: body && JSON.stringify(body) };
          const [row] = await (await fetch("/rest/v1/sessions?id=eq.SAVE22&select=state", options)).json();
          return row?.state;
        };
        const until = async (condition) => {
          for (;;) {
            const row = await ask("GET");
            if (row && condition(row)) return row;
            await new Promise((resolve) => setTimeout(resolve, 50));
          }
        };
        let state = new RoomState();
        const saver = () => new Saver("SAVE22", { look: () => ({ state, participants: 1 }), found() {} });

        const one = saver();
        one.hosting(true);
        const first = await until(() => true);
        await new Promise((resolve) => setTimeout(resolve, 300)); // so that it has heard of it
        const studio = { loadedModules: [{ instanceId: "x" }], activeModuleId: "x" };
        await ask("PATCH", { state: { ...first, studio, metadata: { ...first.metadata, revision: 9 } } });
        state = state.changed("tempo", 150, "me");
        one.close(); // it knows revision 1
        await new Promise((resolve) => setTimeout(resolve, 300));
        const kept = await ask("GET");

        const two = saver();
        two.hosting(true);
        const last = await until((row) => row.metadata.revision > 9);
        two.close();
        const told = ({ metadata, music, studio }) => [metadata.revision, music.tempo, studio.activeModuleId];
        return [first, kept, last].map(told);
    """)

    assert rows == [[1, 120, None], [9, 120, "x"], [10, 150, "x"]]


def test_who_says_too_much_is_closed_and_comes_back(run: Run) -> None:
    result = run("""
        const { Realtime } = await import("/page/realtime.js");
        const states = [];
        let seen = 0;
        const room = new Realtime({
          url: `wss://${location.host}/realtime/v1/websocket?apikey=any&vsn=1.0.0`, topic: "realtime:room:FLOOD1",
          key: "loud", onState: (state) => states.push(state), onPresence: () => { seen += 1; }, onBroadcast() {},
        });
        const until = async (condition) => {
          while (!condition()) await new Promise((resolve) => setTimeout(resolve, 20));
        };
        room.open();
        await until(() => room.state === "joined");
        for (let k = 0; k < 500; k += 1) room.broadcast("nothing", {});
        await until(() => room.state === "reconnecting");
        seen = 0;
        await until(() => room.state === "joined" && seen > 0);
        room.leave();
        return states;
    """)

    assert result == ["joined", "reconnecting", "joined", "left"]


def test_who_finds_the_own_key_in_use_tries_again(run: Run) -> None:
    states = run("""
        const { Realtime } = await import("/page/realtime.js");
        const open = (states) => {
          const options = {
            url: `wss://${location.host}/realtime/v1/websocket?apikey=any&vsn=1.0.0`, topic: "realtime:room:KEY123",
            key: "mine", onState: (state) => states.push(state), onPresence() {}, onBroadcast() {},
          };
          const room = new Realtime(options);
          room.open();
          return room;
        };
        const until = async (condition) => {
          while (!condition()) await new Promise((resolve) => setTimeout(resolve, 20));
        };
        const states = [[], []];
        const before = open(states[0]);
        await until(() => before.state === "joined");
        const after = open(states[1]);
        await until(() => states[1].length > 0);
        before.leave();
        await until(() => ["joined", "refused"].includes(after.state));
        after.leave();
        return states.map((list) => [...new Set(list)]);
    """)

    assert states == [["joined", "left"], ["connecting", "joined", "left"]]
