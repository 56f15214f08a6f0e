"""The jam page in a real Chromium, against the real hub, over https with a certificate that the user accepts."""

from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, Playwright, expect

from jambridge.midi import message as midi
from tests.fakes import browsers, web_midi
from tests.fakes.bridge import open_bridge
from tests.fakes.browsers import CONNECTED, PATIENCE_MS, Hub, Musicians
from tests.fakes.lines import until

TEN_SEATS = """async () => {
  const { Realtime } = await import("/page/realtime.js");
  const url = `wss://${location.host}/realtime/v1/websocket?apikey=lan&vsn=1.0.0`;
  const sit = (place) => new Promise((onState) => {
    const quiet = { onPresence() {}, onBroadcast() {} };
    new Realtime({ url, topic: "realtime:room:FULL22", key: `p${place}`, onState, ...quiet }).open();
  });
  return Promise.all(Array.from({ length: 10 }, (_, place) => sit(place)));
}"""
FOUR_PLAYERS = """async () => {
  const { Realtime } = await import("/page/realtime.js");
  const url = `wss://${location.host}/realtime/v1/websocket?apikey=lan&vsn=1.0.0`;
  window.seats = [0, 1, 2, 3].map((place) => {
    const said = { name: `P${place}`, isHost: place === 0, joinedAt: `2026-01-01T10:00:0${place}Z`, instrument: "x" };
    const quiet = { onPresence() {}, onBroadcast() {} };
    const onState = (state) =>
      state === "joined" && seat.track({ ...said, client: "test/1", sends: true, capabilities: [] });
    const seat = new Realtime({ url, topic: "realtime:room:FIVE55", key: `p${place}`, onState, ...quiet });
    seat.open();
    return seat;
  });
}"""
OLDER = """async (code) => {
  const { Realtime } = await import("/page/realtime.js");
  const url = `wss://${location.host}/realtime/v1/websocket?apikey=lan&vsn=1.0.0`;
  const links = new Map();
  const answer = async ({ fromPeerId, data }) => {
    const link = new RTCPeerConnection();
    links.set(fromPeerId, link);
    await link.setRemoteDescription(data);
    await link.setLocalDescription();
    while (link.iceGatheringState !== "complete") await new Promise((done) => setTimeout(done, 20));
    seat.broadcast("webrtc-signal", { type: "answer", targetPeerId: fromPeerId, data: link.localDescription.toJSON() });
  };
  const onBroadcast = (event, payload) => {
    if (event !== "webrtc-signal" || payload.targetPeerId !== "older") return;
    const link = links.get(payload.fromPeerId);
    if (payload.type === "offer" && !link) answer(payload);
    if (payload.type === "ice-candidate") payload.data.forEach((candidate) => link?.addIceCandidate(candidate));
  };
  const onState = (state) => state === "joined" && seat.track({ name: "Older" });
  const events = { onState, onPresence() {}, onBroadcast };
  const seat = new Realtime({ url, topic: `realtime:room:${code}`, key: "older", ...events });
  seat.open();
}"""
STORED = """async (code) => {
  const answer = await fetch(`/rest/v1/sessions?id=eq.${code}&select=state`, { headers: { apikey: "lan" } });
  const [{ state }] = await answer.json();
  return { ...state.music, revision: state.metadata.revision };
}"""
NOTE = bytes((0x90, 60, 100))
OTHERS = ".member[data-self=false]"
HEARD = "[data-level]:not([data-level='0.00'])"


def names(page: Page) -> list[str]:
    return page.locator(".member .name").all_inner_texts()


def expect_members(page: Page, count: int) -> None:
    expect(page.locator(".member")).to_have_count(count, timeout=PATIENCE_MS)


def expect_to_hear(page: Page, count: int) -> None:
    """`count` others are connected, and every one of them moves its meter."""
    expect(page.locator(f"{OTHERS} .light{CONNECTED}")).to_have_count(count, timeout=PATIENCE_MS)
    expect(page.locator(f"{OTHERS}{HEARD}")).to_have_count(count, timeout=PATIENCE_MS)


def test_musicians_meet_hear_each_other_and_part(hub: Hub, musicians: Musicians) -> None:
    ann = musicians.join(hub.secure("abc123"), "Ann")
    expect(ann.locator("#alone")).to_be_visible()
    bob = musicians.join(hub.secure("ABC123"), "Bob", phone=True)
    for page in (ann, bob):
        expect_to_hear(page, 1)
        expect(page.locator(f".member[data-self=true]{HEARD}")).to_have_count(1, timeout=PATIENCE_MS)

    assert names(ann) == ["Ann", "Bob"]
    assert names(bob) == ["Bob", "Ann"]
    for page in (ann, bob):
        assert page.locator(".badge.host:visible").count() == 1
        expect(page.locator(".member", has_text="Ann").locator(".badge.host")).to_be_visible()
    expect(ann.locator(".member[data-self=true] .badge.you")).to_be_visible()

    cleo = musicians.join(hub.secure("ABC123"), "Cleo")
    for page in (ann, bob, cleo):
        expect_to_hear(page, 2)

    bob.get_by_role("button", name="Leave").click()
    expect(bob.get_by_text("You have left the room")).to_be_visible()
    for page in (ann, cleo):
        expect_members(page, 2)
    expect(ann.locator("#announce")).to_have_text("Bob left.")

    cleo.context.close()  # without a word of the person
    expect_members(ann, 1)


def test_muting_silences_only_oneself(hub: Hub, musicians: Musicians) -> None:
    ann = musicians.join(hub.secure("MUTE-1"), "Ann")
    bob = musicians.join(hub.secure("MUTE-1"), "Bob")
    expect_to_hear(bob, 1)
    expect_to_hear(ann, 1)

    ann.get_by_role("button", name="Mute").click()

    expect(ann.get_by_role("button", name="Mute")).to_have_attribute("aria-pressed", "true")
    expect(ann.get_by_text("Muted")).to_be_visible()
    expect(bob.locator(f"{OTHERS}[data-level='0.00']")).to_have_count(1, timeout=PATIENCE_MS)
    expect_to_hear(ann, 1)

    ann.get_by_role("button", name="Mute").click()
    expect_to_hear(bob, 1)


def test_the_fifth_musician_is_told_that_nobody_hears_her_until_a_place_is_free(hub: Hub, musicians: Musicians) -> None:
    four = musicians.open(hub.secure("FIVE55"))
    four.evaluate(FOUR_PLAYERS)
    fifth = musicians.join(hub.secure("FIVE55"), "Eve")
    expect_members(fifth, 5)

    own = fifth.locator(".member[data-self=true] .light")
    expect(own).to_have_text("Nobody hears you: four play already")
    expect(fifth.locator(f"{OTHERS} .light").first).to_have_text("Not heard here: four play at a time")

    four.evaluate("window.seats[2].leave()")
    expect(own).to_have_text("Microphone on", timeout=PATIENCE_MS)


def test_an_app_that_does_not_say_who_signals_is_known_among_musicians_who_do(hub: Hub, musicians: Musicians) -> None:
    ann = musicians.join(hub.secure("OLDER2"), "Ann")
    bob = musicians.join(hub.secure("OLDER2"), "Bob")
    expect_to_hear(ann, 1)

    musicians.open(hub.secure("OLDER2")).evaluate(OLDER, "OLDER2")

    for page in (ann, bob):
        expect(page.locator(f"{OTHERS} .light{CONNECTED}")).to_have_count(2, timeout=PATIENCE_MS)


def test_volume_is_the_listeners_own(hub: Hub, musicians: Musicians) -> None:
    ann = musicians.join(hub.secure("VOL-1"), "Ann")
    bob = musicians.join(hub.secure("VOL-1"), "Bob")
    expect_to_hear(ann, 1)
    expect_to_hear(bob, 1)

    ann.get_by_label("Volume of Bob").fill("25")

    assert ann.locator(f"{OTHERS} audio").evaluate("audio => [audio.volume, audio.muted, audio.paused]") == [
        0.25,
        False,
        False,
    ]


def test_a_restarted_hub_finds_everybody_back_and_the_sound_never_stopped(hub: Hub, musicians: Musicians) -> None:
    ann = musicians.join(hub.secure("BACK22"), "Ann")
    bob = musicians.join(hub.secure("BACK22"), "Bob")
    for page in (ann, bob):
        expect_to_hear(page, 1)
    sound = ann.locator(f"{OTHERS} audio").evaluate_handle("audio => audio.srcObject")

    hub.stop()
    for page in (ann, bob):
        expect(page.locator("#room-light[data-state=reconnecting]")).to_be_visible(timeout=PATIENCE_MS)
        expect(page.locator("#alerts")).to_contain_text("Connection lost, reconnecting...")
        expect(page.locator(f"{OTHERS} .light{CONNECTED}")).to_have_count(1)
    hub.start()

    for page in (ann, bob):
        expect(page.locator(f"#room-light{CONNECTED}")).to_be_visible(timeout=PATIENCE_MS)
        expect(page.locator("#alerts li")).to_have_count(0)
        expect_to_hear(page, 1)
    assert ann.locator(f"{OTHERS} audio").evaluate("(audio, sound) => audio.srcObject === sound", sound)
    cleo = musicians.join(hub.secure("BACK22"), "Cleo")
    expect_to_hear(cleo, 2)


def test_without_https_one_is_told_why_and_listens(hub: Hub, musicians: Musicians) -> None:
    ann = musicians.join(hub.secure("LISTEN"), "Ann")
    page = musicians.open(hub.insecure("LISTEN"), phone=True)
    expect(page.get_by_text("A browser gives a microphone only to a secure page")).to_be_visible()
    expect(page.get_by_role("button", name="Join", exact=True)).to_be_hidden()
    expect(page.get_by_role("link", name="Open the secure page")).to_have_attribute("href", hub.secure("LISTEN"))

    page.get_by_label("Your name").fill("Lis")
    page.get_by_role("button", name="Just listen").click()

    expect_to_hear(page, 1)
    assert names(page) == ["Lis", "Ann"]
    expect(ann.locator(f"{OTHERS} .instrument")).to_have_text("listening")
    expect(ann.locator(f"{OTHERS} .light{CONNECTED}")).to_have_count(1, timeout=PATIENCE_MS)


def test_who_only_listens_connects_with_others_who_do_for_the_sake_of_midi_alone(
    hub: Hub, musicians: Musicians
) -> None:
    one, two = listen(musicians, hub, "QUIET1", "One"), listen(musicians, hub, "QUIET1", "Two")
    without = musicians.join(hub.insecure("QUIET1"), "Without", button="Just listen")

    for page in (one, two):
        expect_members(page, 3)
        expect(page.locator(f"{OTHERS} .instrument")).to_have_text(["listening", "listening"])
        expect(page.locator(f"{OTHERS} .light{CONNECTED}")).to_have_count(1, timeout=PATIENCE_MS)
        expect(page.locator(f"{OTHERS} .light[data-state=none]")).to_have_count(1)
        expect(page.get_by_role("button", name="MIDI")).to_be_visible()
    expect(without.locator(f"{OTHERS} .light[data-state=none]")).to_have_count(2, timeout=PATIENCE_MS)
    expect(without.get_by_role("button", name="MIDI")).to_be_hidden()


# What the room agrees on


def listen(musicians: Musicians, hub: Hub, code: str, name: str) -> Page:
    return musicians.join(hub.secure(code), name, button="Just listen")


def expect_host(page: Page, name: str) -> None:
    host = page.locator(".member", has=page.locator(".badge.host:visible")).locator(".name")
    expect(host).to_have_text([name], timeout=PATIENCE_MS)


def expect_music(page: Page, *, tempo: str, key: str = "C", words: str = "Start") -> None:
    expect(page.locator("#tempo")).to_have_value(tempo, timeout=PATIENCE_MS)
    expect(page.locator("#key")).to_have_value(key, timeout=PATIENCE_MS)
    expect(page.locator("#transport")).to_have_text(words, timeout=PATIENCE_MS)


def set_tempo(page: Page, tempo: str) -> None:
    page.get_by_label("Tempo, beats a minute").fill(tempo)
    page.keyboard.press("Enter")


def test_everyone_sees_and_changes_tempo_key_scale_colours_and_play(hub: Hub, musicians: Musicians) -> None:
    ann, bob = listen(musicians, hub, "MUSIC1", "Ann"), listen(musicians, hub, "MUSIC1", "Bob")
    for page in (ann, bob):
        expect_music(page, tempo="120")
        expect_host(page, "Ann")

    set_tempo(ann, "140")
    expect_music(bob, tempo="140")
    expect(bob.locator("#announce")).to_have_text("Tempo 140, by Ann.", timeout=PATIENCE_MS)
    bob.get_by_role("button", name="Faster").click()
    bob.get_by_label("Key").select_option("F#")
    bob.get_by_label("Scale").select_option("dorian")
    bob.get_by_label("Colours").select_option("harmonic")
    bob.get_by_role("button", name="Start").click()

    for page in (ann, bob):
        expect_music(page, tempo="141", key="F#", words="Stop")
        expect(page.get_by_label("Scale")).to_have_value("dorian")
        expect(page.get_by_label("Colours")).to_have_value("harmonic")
    set_tempo(ann, "999")  # as fast as it goes
    expect_music(bob, tempo="300", key="F#", words="Stop")
    expect(ann.locator("#music-note")).to_have_text("The tempo goes from 40 to 300 BPM.")
    set_tempo(ann, "96.5")
    expect_music(bob, tempo="96.5", key="F#", words="Stop")
    expect(ann.locator("#music-note")).to_have_text("")


def test_where_only_the_host_changes_anything_others_are_told_so(hub: Hub, musicians: Musicians) -> None:
    with open_bridge(f"http://127.0.0.1:{hub.port}", "ONLY22", host_only=True):
        ann = listen(musicians, hub, "ONLY22", "Ann")
        expect(ann.locator("#music-note")).to_have_text(
            "Only the host changes tempo and key here.", timeout=PATIENCE_MS
        )
        for control in ("#tempo", "#key", "#scale", "#color-mode", "#transport", "#tap"):
            expect(ann.locator(control)).to_be_disabled()

    expect_host(ann, "Ann")
    expect(ann.locator("#music-note")).to_have_text("", timeout=PATIENCE_MS)
    set_tempo(ann, "150")
    expect_music(ann, tempo="150")


def test_who_comes_back_alone_goes_on_where_the_room_was_but_does_not_play(hub: Hub, musicians: Musicians) -> None:
    ann = listen(musicians, hub, "GOON22", "Ann")
    ann.wait_for_function(f"async () => (await ({STORED})('GOON22').catch(() => null))?.revision >= 1")
    set_tempo(ann, "97")
    ann.get_by_label("Key").select_option("F#")
    ann.get_by_role("button", name="Start").click()
    expect_music(ann, tempo="97", key="F#", words="Stop")
    ann.get_by_role("button", name="Leave").click()
    ann.wait_for_function(f"async () => (await ({STORED})('GOON22')).tempo === 97")

    bob = listen(musicians, hub, "GOON22", "Bob")

    expect_music(bob, tempo="97", key="F#", words="Start")


def test_the_page_without_a_code_asks_for_one(hub: Hub, musicians: Musicians) -> None:
    page = musicians.open(hub.secure("").removesuffix("/"))
    expect(page.get_by_label("Room code")).to_be_visible()


def test_who_is_away_alone_is_not_asked_to_share_the_link(musicians: Musicians, tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    hub.start()
    ann = listen(musicians, hub, "AWAY22", "Ann")
    expect(ann.locator("#alone")).to_be_visible()
    ann.wait_for_function(f"async () => (await ({STORED})('AWAY22').catch(() => null))?.revision >= 1")

    hub.stop()

    expect(ann.locator("#alerts")).to_contain_text("This page keeps trying by itself.", timeout=PATIENCE_MS)
    expect(ann.locator("#alone")).to_be_hidden()


def test_the_host_leaves_and_the_next_one_hosts_and_saves_what_all_agreed_on(hub: Hub, musicians: Musicians) -> None:
    ann, bob = listen(musicians, hub, "HOST22", "Ann"), listen(musicians, hub, "HOST22", "Bob")
    bob.wait_for_function(f"async () => (await ({STORED})('HOST22').catch(() => null))?.revision >= 1")
    set_tempo(bob, "97")
    expect_music(ann, tempo="97")

    ann.get_by_role("button", name="Leave").click()

    expect_host(bob, "Bob")
    expect_music(bob, tempo="97")
    bob.wait_for_function(f"async () => (await ({STORED})('HOST22')).tempo === 97")
    assert bob.evaluate(STORED, "HOST22")["revision"] >= 2

    cleo = listen(musicians, hub, "HOST22", "Cleo")
    expect_host(cleo, "Bob")
    expect_music(cleo, tempo="97")
    bob.reload()
    bob.get_by_role("button", name="Just listen").click()
    for page in (bob, cleo):
        expect_members(page, 2)
        expect_host(page, "Cleo")
        expect_music(page, tempo="97")


def test_a_bridge_and_a_browser_agree_whoever_hosts(hub: Hub, musicians: Musicians) -> None:
    ann = listen(musicians, hub, "BRDG22", "Ann")
    set_tempo(ann, "88")
    with open_bridge(f"http://127.0.0.1:{hub.port}", "BRDG22") as bridge:
        bridge.until(lambda it: it.values["tempo"] == 88, "the browser's tempo")
        expect_host(ann, "Ann")
        bridge.change("key", "Bb")
        bridge.change("isPlaying", True)
        expect_music(ann, tempo="88", key="Bb", words="Stop")

        ann.reload()  # the bridge hosts and keeps what was agreed on
        bridge.until(lambda it: it.host == it.id, "hosting")
        ann.get_by_role("button", name="Just listen").click()
        expect_music(ann, tempo="88", key="Bb", words="Stop")
        expect_host(ann, "Box")
        ann.get_by_role("button", name="Stop").click()
        bridge.until(lambda it: it.values["isPlaying"] is False, "stopped")
    expect_host(ann, "Ann")
    expect_music(ann, tempo="88", key="Bb")


def test_the_tempo_is_tapped_with_finger_or_keyboard(hub: Hub, musicians: Musicians) -> None:
    ann = listen(musicians, hub, "TAP-22", "Ann")
    tap = ann.get_by_role("button", name="Tap the tempo")

    tap.focus()
    for _ in range(4):
        ann.keyboard.press("Enter")  # as fast as it can, which is faster than any tempo
    expect_music(ann, tempo="300")

    ann.get_by_label("Tempo, beats a minute").fill("")
    ann.keyboard.press("Tab")
    expect_music(ann, tempo="300")  # nothing typed, nothing changed


def test_a_hub_that_makes_way_is_followed_to_the_other_under_ones_name(
    hub: Hub, musicians: Musicians, tmp_path: Path
) -> None:
    other = Hub(tmp_path)
    other.start()
    ann = listen(musicians, hub, "MOVE22", "Ann & Bö")

    hub.send_to("https://example.org")
    hub.send_to(other.secure("ELSE22"))

    expect(ann.locator("#alerts")).to_contain_text(f"The room has movedTaking you along to {browsers.NAME}")
    ann.wait_for_url(f"{other.secure('MOVE22')}#*", timeout=PATIENCE_MS)
    expect(ann.get_by_label("Your name")).to_have_value("Ann & Bö")
    ann.get_by_role("button", name="Just listen").click()
    expect_host(ann, "Ann & Bö")
    assert ann.url == other.secure("MOVE22")
    ann.context.close()
    other.stop()


@pytest.mark.parametrize("code", ["ABC12", "TOOLONG123", "A-1"])
def test_an_impossible_code_is_named_and_can_be_corrected(hub: Hub, musicians: Musicians, code: str) -> None:
    page = musicians.open(hub.secure(code))
    expect(page.locator("#alerts")).to_contain_text("Invalid room code")

    page.get_by_label("Room code").fill(" right 1 ")
    page.get_by_role("button", name="Just listen").click()

    expect(page.locator(f"#room-light{CONNECTED}")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.locator("#alerts li")).to_have_count(0)
    assert page.url == hub.secure("RIGHT1")


def test_the_eleventh_is_told_that_the_session_is_full(hub: Hub, musicians: Musicians) -> None:
    page = musicians.open(hub.secure("FULL22"))
    states = page.evaluate(TEN_SEATS)
    assert states == ["joined"] * 10

    page.get_by_role("button", name="Just listen").click()

    expect(page.locator("#alerts")).to_contain_text("Session is full", timeout=PATIENCE_MS)
    expect(page.get_by_role("button", name="Just listen")).to_be_visible()


# Instruments


def with_instrument(musicians: Musicians, hub: Hub, code: str, name: str) -> Page:
    """One who only listens, and has pressed the button."""
    page = musicians.open(hub.secure(code))
    web_midi.plug_in(page)
    page.get_by_label("Your name").fill(name)
    page.get_by_role("button", name="Just listen").click()
    page.get_by_role("button", name="MIDI").click()
    expect(page.get_by_role("button", name="MIDI")).to_have_attribute("aria-pressed", "true")
    return page


def test_the_instruments_of_two_who_only_listen_play_each_other_until_one_leaves(
    hub: Hub, musicians: Musicians
) -> None:
    ann, bob = (with_instrument(musicians, hub, "KEYS22", name) for name in ("Ann", "Bob"))
    until(lambda: web_midi.reaches(ann, bob), "what Ann plays comes to Bob")

    web_midi.press(ann, NOTE)
    until(lambda: NOTE in web_midi.heard(bob), "a note")
    ann.get_by_role("button", name="Leave").click()
    until(lambda: midi.note_off(0, NOTE[1]) in web_midi.heard(bob), "which ends with her leaving")

    assert web_midi.heard(bob).count(NOTE) == 1
    assert web_midi.heard(ann) == []


def test_a_browser_that_gives_no_midi_says_why_and_the_jam_goes_on(hub: Hub, musicians: Musicians) -> None:
    ann = listen(musicians, hub, "NOKEYS", "Ann")
    web_midi.refuse(ann, "Nobody allowed it")

    ann.get_by_role("button", name="MIDI").click()

    expect(ann.locator("#alerts")).to_have_text("This browser gives no MIDINobody allowed it")
    expect(ann.get_by_role("button", name="MIDI")).to_have_attribute("aria-pressed", "false")
    expect(ann.locator(f"#room-light{CONNECTED}")).to_be_visible()


# Microphones that do not work; a browser has one for life, so these have their own


def test_a_refused_microphone_says_what_to_do(hub: Hub, playwright: Playwright, tmp_path: Path) -> None:
    microphone = browsers.write_wav(tmp_path / "tone.wav", browsers.tone())
    with browsers.chromium(playwright, microphone, browsers.DENIED) as browser:
        musicians = Musicians(browser)
        page = musicians.open(hub.secure("NOMIC1"))

        page.get_by_role("button", name="Join", exact=True).click()

        alert = page.locator("#alerts")
        expect(alert).to_contain_text("Microphone access required for jamming", timeout=PATIENCE_MS)
        expect(alert).to_contain_text("Allow the microphone")
        page.get_by_role("button", name="Just listen").click()
        expect(page.locator(f"#room-light{CONNECTED}")).to_be_visible(timeout=PATIENCE_MS)
        assert musicians.complaints == []


def test_a_dead_cable_is_named(hub: Hub, playwright: Playwright, tmp_path: Path) -> None:
    microphone = browsers.write_wav(tmp_path / "silence.wav", np.zeros((browsers.RATE_HZ, 2)))
    with browsers.chromium(playwright, microphone) as browser:
        page = Musicians(browser).join(hub.secure("DEAD22"), "Ann")

        expect(page.locator("#alerts")).to_contain_text(
            "No audio input detected, check microphone", timeout=PATIENCE_MS
        )

        page.get_by_role("button", name="Mute").click()  # silent on purpose is no fault
        expect(page.locator("#alerts li")).to_have_count(0)
