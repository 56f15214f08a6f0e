"""Pieces played by fluidsynth and TiMidity from Debian's sounds, with the truth of every note as measured alone."""

import subprocess
import tempfile
from pathlib import Path

import mido
import numpy as np
import soundfile
from numpy.typing import NDArray
from pieces import DRUMS, LENGTH_S, Notes

RATE_HZ = 48_000
Sound = NDArray[np.float32]
Truth = list[list[float]]
"""Of each note: onset_s, offset_s, midi, velocity, attack_s, audible_end_s, release_end_s."""

SOUNDFONTS = {
    "fluid": "/usr/share/sounds/sf2/FluidR3_GM.sf2",
    "musescore": "/usr/share/sounds/sf3/MuseScore_General_Full.sf3",
    "opl3": "/usr/share/sounds/sf2/OPL-3_FM_128M.sf2",
    "csound": "/usr/share/sounds/sf2/sf_GMbank.sf2",
    "timgm": "/usr/share/sounds/sf2/TimGM6mb.sf2",
    "pearl": "/usr/share/sounds/sf2/Black_Pearl_4_LV2.sf2",
    "zeppelin": "/usr/share/sounds/sf2/Red_Zeppelin_4_LV2.sf2",
}
FREEPATS = "freepats"  # patches for TiMidity, no soundfont
_ALONE_S, _RELEASED_S = 2.5, 0.65  # a note alone is held and then heard dying away for at most so long


def play(soundfont: str, notes: Notes, programs: dict[int, int]) -> tuple[Sound, Truth]:
    """The piece, shape (frames,), dry and in tune, and the truth of its pitched notes.

    Every pitch of every channel is also played alone after the piece: its attack ends at -20 dB of its loudest, it is
    audible down to -40 dB, and rings after its end down to -28 dB.
    """
    alone = _alone(notes)
    played = notes + [note for note, _ in alone.values()]
    sound = _render(soundfont, played, programs)
    measured = {key: _measure(sound, start_s, held_s) for key, ((start_s, *_), held_s) in alone.items()}
    truth = []
    for on, off, midi, velocity, channel in notes:
        if channel != DRUMS and (envelope := measured[channel, midi]):
            attack_s, last_s, release_s = envelope
            truth.append([on, off, midi, velocity, attack_s, min(off, on + last_s), off + release_s])
    return sound[: round(LENGTH_S * RATE_HZ)], truth


def _alone(notes: Notes) -> dict[tuple[int, int], tuple[tuple[float, float, int, int, int], float]]:
    held: dict[tuple[int, int], float] = {}
    for on, off, midi, _, channel in notes:
        if channel != DRUMS:
            held[channel, midi] = min(_ALONE_S, max(held.get((channel, midi), 0.0), off - on))
    alone, start_s = {}, LENGTH_S + 2
    for (channel, midi), held_s in held.items():
        alone[channel, midi] = (round(start_s, 3), round(start_s + held_s, 3), midi, 88, channel), held_s
        start_s += held_s + _RELEASED_S + 0.1
    return alone


def _render(soundfont: str, notes: Notes, programs: dict[int, int]) -> Sound:
    with tempfile.TemporaryDirectory() as folder:
        midi, wave = Path(folder, "piece.mid"), Path(folder, "piece.wav")
        _write_midi(midi, notes, programs)
        command = _timidity(midi, wave) if soundfont == FREEPATS else _fluidsynth(SOUNDFONTS[soundfont], midi, wave)
        subprocess.run(command, check=True, capture_output=True)
        sound: Sound = soundfile.read(wave, dtype="float32", always_2d=True)[0].mean(axis=1)
    return np.pad(sound, (0, RATE_HZ))


def _fluidsynth(soundfont: str, midi: Path, wave: Path) -> list[str | Path]:
    options = ["-ni", "-q", "-R", "0", "-C", "0", "-g", "0.5", "-r", str(RATE_HZ)]
    return ["fluidsynth", *options, "-o", "synth.dynamic-sample-loading=1", "-F", wave, soundfont, midi]


def _timidity(midi: Path, wave: Path) -> list[str | Path]:
    as_it_is = ["-EFreverb=0", "-EFchorus=0", "-EFdelay=0", "-A100", "--preserve-silence"]
    return ["timidity", "-c", "/etc/timidity/freepats.cfg", *as_it_is, f"-s{RATE_HZ}", "-Ow", "-o", wave, midi]


def _write_midi(path: Path, notes: Notes, programs: dict[int, int]) -> None:
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=1_000_000)])  # a tick is a millisecond
    track += [mido.Message("program_change", channel=channel, program=program) for channel, program in programs.items()]
    events = [(round(on * 1000), 1, midi, velocity, channel) for on, _, midi, velocity, channel in notes]
    events += [(round(off * 1000), 0, midi, 0, channel) for _, off, midi, _, channel in notes]
    now = 0
    for tick, is_on, midi, velocity, channel in sorted(events):
        kind = "note_on" if is_on else "note_off"
        track.append(mido.Message(kind, channel=channel, note=midi, velocity=velocity, time=tick - now))
        now = tick
    track.append(mido.MetaMessage("end_of_track", time=700))
    file = mido.MidiFile(ticks_per_beat=1000)
    file.tracks.append(track)
    file.save(path)


def _measure(sound: Sound, start_s: float, held_s: float) -> tuple[float, float, float] | None:
    """Attack, audible and ringing time of the note alone that starts there; None of one that cannot be heard."""
    first, held = round(start_s * RATE_HZ), round(held_s * RATE_HZ)
    envelope, times_s = _envelope(sound[first : first + held + RATE_HZ // 20])
    peak = float(envelope[: max(1, np.searchsorted(times_s, 0.6))].max())
    if peak < 1e-4:
        return None
    attack_s = max(0.0, float(times_s[np.argmax(envelope >= peak * 0.1)]) - 0.0025)
    last_s = float(times_s[np.flatnonzero(envelope > peak * 0.01)[-1]])
    tail, tail_s = _envelope(sound[first + held : first + held + round(_RELEASED_S * RATE_HZ)])
    ringing = np.flatnonzero(tail > peak * 0.04)
    release_s = float(tail_s[ringing[-1]]) if len(ringing) else 0.0
    return round(attack_s, 4), _ALONE_S * 40 if last_s >= held_s - 0.02 else last_s, round(release_s, 4)


def _envelope(sound: Sound) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """RMS of the last 5 ms every 2 ms, and their times."""
    step, width = RATE_HZ // 500, RATE_HZ // 200
    energy = np.cumsum(np.concatenate([[0.0], np.square(sound, dtype=np.float64)]))
    ends = np.arange(step, len(sound), step)
    return np.sqrt((energy[ends] - energy[np.maximum(ends - width, 0)]) / width), ends / RATE_HZ
