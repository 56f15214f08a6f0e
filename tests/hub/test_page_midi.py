"""The jam page's MIDI against the daemon's own: the same packets, in a real Chromium."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jambridge.midi import message as midi
from jambridge.midi import wire
from jambridge.midi.held import BURST, Held
from jambridge.midi.journal import Journal, Reception
from jambridge.midi.merge import Merge
from jambridge.peers.channels import KINDS, MIDI
from jambridge.room.flood import FloodGuard
from jambridge.units import LocalSeconds, RoomSeconds
from tests.fakes.browsers import Run
from tests.midi.messages import PLAYED

NOTE, OTHER = [0x90, 60, 100], [0x90, 62, 90]
END, OTHER_END, ALL_OFF = (list(one) for one in (midi.note_off(0, 60), midi.note_off(0, 62), midi.control(0, 123, 0)))
DATAGRAM = 1200

PLAYERS = """
const { Midi } = await import("/page/midi.js");
const instrument = (keyboards = 1) => {
  const inputs = Array.from({ length: keyboards }, () => ({ state: "connected", onmidimessage: null }));
  const output = { heard: [], send(message) { this.heard.push([...message]); } };
  const ports = (...some) => ({ values: () => some });
  return { inputs, input: inputs[0], output, access: { inputs: ports(...inputs), outputs: ports(output) } };
};
const wire = () => {
  const ends = [0, 1].map(() => ({ readyState: "open", bufferedAmount: 0, said: [] }));
  ends.forEach((end, number) => {
    end.send = (data) => {
      end.said.push([performance.now(), data]);
      if (!end.cut) ends[1 - number].onmessage({ data });
    };
  });
  return ends;
};
const hangUp = (...ends) => {
  for (const end of ends) end.readyState = "closed";
  for (const end of ends) end.onclose();
};
const [a, b] = [instrument(2), instrument()];
const [first, second] = [new Midi(() => performance.now()), new Midi(() => performance.now())];
await first.open(a.access);
await second.open(b.access);
const [left, right] = wire();
first.attach("b", left);
second.attach("a", right);
const press = (input, ...messages) =>
  messages.forEach((data) => input.onmidimessage?.({ data: Uint8Array.from(data) }));
const play = (...messages) => press(a.input, ...messages);
const until = async (condition, what) => {
  for (const start = performance.now(); !condition(); await new Promise((resolve) => setTimeout(resolve, 20)))
    if (performance.now() - start > 15_000) throw new Error(`never: ${what}`);
};
"""


@given(messages=st.lists(PLAYED, max_size=30))
def test_the_daemon_understands_the_page(run: Run, messages: list[bytes]) -> None:
    texts = run(f"""
        const {{ Journal }} = await import("/page/midi_journal.js");
        const {{ Held }} = await import("/page/midi_held.js");
        const journal = new Journal();
        const held = new Held();
        const texts = {json.dumps([list(one) for one in messages])}.map((data, number) => {{
          held.take(data);
          journal.add(data, number);
          return journal.text(held, number);
        }});
        return [...texts, journal.text(held, {len(messages)})];
    """)
    reception = Reception()

    played = [event.message for text in texts for event in reception.take(wire.decode(text), LocalSeconds(0))]

    assert played == messages
    assert reception.lost == 0


@given(messages=st.lists(PLAYED, max_size=30), data=st.data())
def test_the_page_understands_the_daemon_whatever_is_lost(run: Run, messages: list[bytes], data: st.DataObject) -> None:
    journal, held, texts = Journal(), Held(), []
    for number, message in enumerate(messages):
        held.take(message)
        journal.add(message, RoomSeconds(number / 100))
        texts.append(journal.text(held, RoomSeconds(number / 100)))
    texts.append(journal.text(held, RoomSeconds(len(messages) / 100)))
    arriving = data.draw(st.lists(st.sampled_from(texts), max_size=40)) + texts[-1:]
    reception = Reception()
    expected = [
        list(event.message) for text in arriving for event in reception.take(wire.decode(text), LocalSeconds(0))
    ]

    played = run(f"""
        const {{ Reception }} = await import("/page/midi_journal.js");
        const reception = new Reception();
        return {json.dumps(arriving)}.flatMap((text) => reception.take(text, 0));
    """)

    assert played == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        '{"seq": 1, "time": 0, "data": [248]}',
        '{"seq": 1, "time": 0, "data": [144, 60, 200]}',
        '{"seq": 1, "time": 0, "journal": {"events": [1]}}',
        '{"seq": 1, "time": 0, "journal": {"held": [[16, 1, 1]]}}',
        '{"seq": -1, "time": 0}',
        '{"seq": 1, "time": 0, "journal": {"events": {"length": 1e9}}}',
    ],
)
def test_nonsense_plays_nothing(run: Run, text: str) -> None:
    assert (
        run(f"""
        const {{ Reception }} = await import("/page/midi_journal.js");
        return new Reception().take({json.dumps(text)}, 0);
    """)
        == []
    )


def test_what_is_played_at_one_browser_sounds_at_the_other_and_ends_with_it(run: Run) -> None:
    heard, echoed = run(f"""{PLAYERS}
        play({NOTE}, [0xb0, 64, 127], [0xf8]);
        await until(() => b.output.heard.length === 2, "heard");
        b.input.onmidimessage({{ data: Uint8Array.from({NOTE}) }});
        const echoed = a.output.heard.length;
        first.close();
        const heard = [...b.output.heard];
        second.close();
        return [heard, echoed];
    """)

    assert heard == [NOTE, [0xB0, 64, 127], END, [0xB0, 64, 0], ALL_OFF]
    assert echoed == 0


def test_who_is_not_heard_any_more_holds_nothing(run: Run) -> None:
    heard = run(f"""{PLAYERS}
        play({NOTE});
        await until(() => b.output.heard.length === 1, "heard");
        left.cut = true;
        await until(() => b.output.heard.length > 1, "ended");
        first.close();
        second.close();
        return b.output.heard;
    """)

    assert heard == [NOTE, END, ALL_OFF]


@given(played=st.lists(st.tuples(st.integers(1, 3), st.none() | PLAYED), max_size=40))
def test_the_page_merges_as_the_daemon_does(run: Run, played: list[tuple[int, bytes | None]]) -> None:
    merge = Merge()
    expected = [
        [list(told) for told in (merge.hush(source) if message is None else merge.play(source, message))]
        for source, message in played
    ]

    told = run(f"""
        const {{ Merge }} = await import("/page/midi_merge.js");
        const merge = new Merge();
        return {json.dumps([[source, message and list(message)] for source, message in played])}.map(
          ([source, message]) => message ? merge.play(source, message) : merge.hush(source));
    """)

    assert told == expected


def test_a_keyboard_that_is_pulled_out_ends_its_own_notes_and_not_another_ones(run: Run) -> None:
    heard = run(f"""{PLAYERS}
        const [pulled, kept] = a.inputs;
        press(pulled, {NOTE}, {OTHER});
        press(kept, {NOTE});
        await until(() => b.output.heard.length === 3, "all sound");
        pulled.state = "disconnected";
        a.access.onstatechange();
        await until(() => b.output.heard.length === 4, "its own note has ended");
        press(pulled, {NOTE});
        press(kept, {END});
        await until(() => b.output.heard.length === 5, "and the other one with its own key");
        const heard = [...b.output.heard];
        first.close();
        return heard;
    """)

    assert heard == [NOTE, OTHER, NOTE, OTHER_END, END]


def test_two_who_hold_one_note_end_it_together(run: Run) -> None:
    heard = run(f"""{PLAYERS}
        const c = instrument();
        const third = new Midi(() => performance.now());
        await third.open(c.access);
        const [there, here] = wire();
        third.attach("b", there);
        second.attach("c", here);
        play({NOTE});
        press(c.input, {NOTE});
        await until(() => b.output.heard.length === 2, "both");
        play({END});
        play({OTHER});
        await until(() => b.output.heard.length === 3, "one has let go");
        third.close();
        await until(() => b.output.heard.length > 3, "the other one has left");
        const heard = [...b.output.heard];
        first.close();
        return heard;
    """)

    assert heard == [NOTE, NOTE, OTHER, END]


def test_while_a_connection_is_replaced_a_note_sounds_once_and_goes_on(run: Run) -> None:
    heard, until_closed = run(f"""{PLAYERS}
        const [newer, newest] = wire();
        first.attach("b", newer);
        second.attach("a", newest);
        play({NOTE});
        await until(() => b.output.heard.length === 1, "heard");
        hangUp(left, right);
        play({OTHER});
        await until(() => b.output.heard.length > 1, "over the new one");
        const before = [...b.output.heard];
        hangUp(newer, newest);
        const after = [...b.output.heard];
        first.close();
        second.close();
        return [after, before];
    """)

    assert until_closed == [NOTE, OTHER]
    assert heard == [NOTE, OTHER, END, OTHER_END, ALL_OFF]


def test_a_flood_is_thinned_so_that_a_box_does_not_turn_a_deaf_ear_and_nothing_hangs(run: Run) -> None:
    said = run(f"""{PLAYERS}
        for (let round = 0; round < 200; round += 1) {{
          for (let note = 0; note < 50; note += 1) play([0x90, note, 1], [0x80, note, 1]);
          await new Promise((resolve) => setTimeout(resolve, 5));
        }}
        first.close();
        return left.said;
    """)
    reception, guard = Reception(), FloodGuard(KINDS[MIDI].rate, KINDS[MIDI].burst)

    assert all(guard.admit(at_ms / 1000) for at_ms, _ in said)
    played = [event for at_ms, text in said for event in reception.take(wire.decode(text), LocalSeconds(at_ms / 1000))]

    assert len(played) >= BURST
    assert reception.lost == 0
    assert not reception.held
    assert max(len(text) for _, text in said) < DATAGRAM


def test_instruments_that_are_asked_for_twice_play_once_and_after_the_end_not_at_all(run: Run) -> None:
    heard, listening = run(f"""{PLAYERS}
        const again = instrument();
        const [ports, port] = [a.access, a.input];
        await first.open(again.access);
        press(again.input, {NOTE});
        await until(() => b.output.heard.length === 1, "heard");
        first.close();
        await first.open(a.access);
        return [b.output.heard.slice(0, 1), [ports.onstatechange, port.onmidimessage, again.input.onmidimessage]];
    """)

    assert heard == [NOTE]
    assert listening == [None, None, None]
