"""The jam page's MIDI against the daemon's own: the same packets, in a real Chromium."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jambridge.midi import message as midi
from jambridge.midi import wire
from jambridge.midi.held import Held
from jambridge.midi.journal import Journal, Reception
from jambridge.units import LocalSeconds, RoomSeconds
from tests.fakes.browsers import Run
from tests.midi.messages import PLAYED

NOTE = [0x90, 60, 100]

PLAYERS = """
const { Midi } = await import("/page/midi.js");
const instrument = () => {
  const input = { state: "connected", onmidimessage: null };
  const output = { heard: [], send(message) { this.heard.push([...message]); } };
  const ports = (one) => ({ values: () => [one] });
  return { input, output, access: { inputs: ports(input), outputs: ports(output) } };
};
const wire = () => {
  const ends = [0, 1].map(() => ({ readyState: "open", bufferedAmount: 0, said: [] }));
  ends.forEach((end, number) => {
    end.send = (data) => { end.said.push(data); if (!end.cut) ends[1 - number].onmessage({ data }); };
  });
  return ends;
};
const [a, b] = [instrument(), instrument()];
const [first, second] = [new Midi(() => performance.now()), new Midi(() => performance.now())];
await first.open(a.access);
await second.open(b.access);
const [left, right] = wire();
first.attach(left);
second.attach(right);
const play = (...messages) => messages.forEach((data) => a.input.onmidimessage({ data: Uint8Array.from(data) }));
const until = async (condition, what) => {
  for (const start = performance.now(); !condition(); await new Promise((resolve) => setTimeout(resolve, 20)))
    if (performance.now() - start > 15_000) throw new Error(`never: ${what}`);
};
"""


@given(messages=st.lists(PLAYED, max_size=30))
def test_the_daemon_understands_the_page(run: Run, messages: list[bytes]) -> None:
    texts = run(f"""
        const {{ Journal }} = await import("/page/midi_journal.js");
        const journal = new Journal();
        const texts = {json.dumps([list(one) for one in messages])}.map((data, number) => {{
          journal.add(data, number);
          return journal.text(number);
        }});
        return [...texts, journal.text({len(messages)})];
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
        second.close();
        return [b.output.heard, echoed];
    """)

    assert heard == [NOTE, [0xB0, 64, 127], [0x80, 60, 64], [0xB0, 64, 0]]
    assert echoed == 0


def test_who_is_not_heard_any_more_holds_nothing(run: Run) -> None:
    heard = run(f"""{PLAYERS}
        play({NOTE});
        await until(() => b.output.heard.length === 1, "heard");
        left.cut = true;
        await until(() => b.output.heard.length === 2, "ended");
        first.close();
        second.close();
        return b.output.heard;
    """)

    assert heard == [NOTE, list(midi.note_off(0, 60))]
