"""The jam page's modules by themselves, in a real Chromium: rules, SDP, and links with a lossy room between them."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

from jambridge.errors import UsageError
from jambridge.room import code
from tests.fakes import browsers
from tests.fakes.browsers import Hub

Run = Callable[[str], Any]

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

const open = (selfId, peerId, options = {}) => {
  const track = sound(selfId === "a" ? 440 : 660);
  const end = { connections: [], sync: new Sync(selfId) };
  end.link = new Link({
    selfId, peerId, delays: { ...delays, ...options },
    open: (id, offering, callbacks) => {
      const sync = (channel) => end.sync.attach(peerId, channel);
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


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Runs the body of an async function in the page's own origin."""
    folder = tmp_path_factory.mktemp("hub")
    microphone = browsers.write_wav(folder / "tone.wav", browsers.tone())
    hub = Hub(folder)
    hub.start()
    with sync_playwright() as playwright, browsers.chromium(playwright, microphone) as browser:
        page = browser.new_context(ignore_https_errors=True).new_page()
        page.goto(hub.secure("ABC123"))
        yield lambda body: page.evaluate(f"async () => {{ {body} }}")
    hub.stop()


@pytest.mark.parametrize(
    "text", ["ABC123", " abc 123", "music-42", "A-1", "AB-1", "ABCDEFGH-1", "ABC12", "ABCDEFG", "MUSIC-", "É23456", ""]
)
def test_the_page_and_the_daemon_accept_the_same_codes(run: Run, text: str) -> None:
    try:
        expected = code.parse(text)
    except UsageError:
        expected = None

    assert run(f"return (await import('/page/code.js')).parse({text!r})") == expected


def test_the_first_four_who_send_play_and_everybody_hears_them(run: Run) -> None:
    pairs = run("""
        const { partners } = await import("/page/roles.js");
        const member = (id, joinedAt, sends = true) => ({ id, joinedAt, sends });
        const members = [
          member("e", 5), member("d", 4), member("c", 3), member("b", 1), member("a", 1), member("l", 0, false),
          member("m", 9, false),
        ];
        return Object.fromEntries(members.map((self) => [self.id, [...partners(self, members)].sort().join("")]));
    """)

    assert pairs == {"a": "bcdlm", "b": "acdlm", "c": "abdlm", "d": "abclm", "e": "", "l": "abcd", "m": "abcd"}


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
        "maxaveragebitrate=128000",
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
    pong = run(f"""{LINKS}
        const b = open("b", "a");
        const pc = new RTCPeerConnection();
        ends.set("a", {{ link: {{
          receive: (type, id, data) =>
            type === "answer" ? pc.setRemoteDescription(data)
            : type === "ice-candidate" && data.forEach((candidate) => pc.addIceCandidate(candidate)),
        }} }});
        const channel = pc.createDataChannel("sync", {{ ordered: false, maxRetransmits: 0 }});
        pc.addTransceiver("audio");
        await pc.setLocalDescription();
        await until(() => pc.iceGatheringState === "complete", "gathered");
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
