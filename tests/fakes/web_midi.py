"""An instrument at a browser, in the place of its Web MIDI: a keyboard to press, and a sound module that remembers."""

from playwright.sync_api import Page

from jambridge.midi import message as midi

WHEEL = midi.control(0, 1, 5)

_PLUG_IN = """() => {
  const input = { state: "connected", onmidimessage: null };
  const output = { state: "connected", heard: [], send(message) { this.heard.push([...message]); } };
  window.instrument = { input, output };
  navigator.requestMIDIAccess = async () => ({ inputs: new Map([["in", input]]), outputs: new Map([["out", output]]) });
}"""
_REFUSE = """(why) => {
  navigator.requestMIDIAccess = () => Promise.reject(new DOMException(why, "NotAllowedError"));
}"""
_PRESS = "(message) => window.instrument.input.onmidimessage({ data: Uint8Array.from(message) })"


def plug_in(page: Page) -> None:
    """Before the page asks for it."""
    page.evaluate(_PLUG_IN)


def refuse(page: Page, why: str) -> None:
    """As a browser whose user does not allow it."""
    page.evaluate(_REFUSE, why)


def press(page: Page, message: bytes) -> None:
    page.evaluate(_PRESS, list(message))


def heard(page: Page) -> list[bytes]:
    """What its sound module was told."""
    return [bytes(message) for message in page.evaluate("window.instrument.output.heard")]


def reaches(player: Page, other: Page) -> bool:
    """Whether what one plays comes to the other: a wheel, which nobody hears."""
    press(player, WHEEL)
    return bool(heard(other))
