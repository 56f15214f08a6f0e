"""MIDI messages for property tests."""

from hypothesis import strategies as st

from jambridge.midi import message as midi

DATA = st.integers(0, 127)
CHANNEL = st.integers(0, 15)
CHANNEL_MESSAGES = st.one_of(
    st.tuples(
        st.sampled_from([midi.NOTE_OFF, midi.NOTE_ON, midi.KEY_PRESSURE, midi.CONTROL, midi.BEND]), CHANNEL, DATA, DATA
    ).map(lambda one: bytes((one[0] | one[1], one[2], one[3]))),
    st.tuples(st.sampled_from([midi.PROGRAM, midi.PRESSURE]), CHANNEL, DATA).map(
        lambda one: bytes((one[0] | one[1], one[2]))
    ),
)
PLAYED = st.one_of(
    CHANNEL_MESSAGES,
    st.tuples(st.sampled_from([midi.NOTE_OFF, midi.NOTE_ON]), st.integers(0, 1), st.integers(60, 62), DATA).map(
        lambda one: bytes((one[0] | one[1], one[2], one[3]))
    ),
    st.tuples(
        st.integers(0, 1), st.sampled_from([*midi.PEDALS, midi.RESET_CONTROLLERS, midi.ALL_NOTES_OFF, 120, 127]), DATA
    ).map(lambda one: midi.control(*one)),
)
"""Of these many meet: few notes, pedals, what ends all."""
SYSEX = st.binary(max_size=20).map(lambda data: bytes((midi.SYSEX, *(one & 0x7F for one in data), midi.SYSEX_END)))
