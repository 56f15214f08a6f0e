import contextlib
import dataclasses
import re
from pathlib import Path

import pytest
from aiortc.sdp import SessionDescription
from hypothesis import given
from hypothesis import strategies as st

from jambridge.errors import WireError
from jambridge.peers import sdp
from jambridge.peers.candidates import Candidate
from jambridge.peers.sdp import Description, Media

VECTORS = Path(__file__).parents[1] / "vectors"
# Captured from Chromium 156 on Debian 12: a microphone and a data channel; the offer with its candidates.
OFFER = (VECTORS / "chromium-156-offer.sdp").read_text()
ANSWER = (VECTORS / "chromium-156-answer.sdp").read_text()

lines_changed = st.lists(
    st.tuples(
        st.integers(0, OFFER.count("\n")),
        st.sampled_from(["delete", "double", "swap", "cut", "insert"]),
        st.text(max_size=20) | st.sampled_from(OFFER.splitlines()),
    ),
    max_size=5,
)


def mutated(text: str, changes: list[tuple[int, str, str]]) -> str:
    lines = text.splitlines()
    for index, change, other in changes:
        at = index % max(len(lines), 1)
        line = lines[at] if lines else ""
        new = {
            "delete": [],
            "double": [line, line],
            "swap": [other],
            "cut": [line[: len(other)]],
            "insert": [line, other],
        }
        lines[at : at + 1] = new[change]
    return "\r\n".join(lines)


def test_what_is_taken_from_chromiums_offer() -> None:
    assert sdp.parse("offer", OFFER) == Description(
        type="offer",
        setup="actpass",
        ice_ufrag="wySV",
        ice_pwd="j9YItcE7U/26SuaR4bbwtF2z",
        fingerprints=(
            "sha-256 2F:A2:0A:61:07:DD:48:3C:69:CC:F7:5A:75:50:8E:A0:0E:D8:52:E8:94:84:2B:08:B1:2E:07:F7:D8:D8:D1:77",
        ),
        media=(Media("0", "sendrecv", 111), Media("1", "sendrecv", None, 5000)),
        candidates=(
            Candidate("1250745009", 2122194687, "192.0.2.2", 45001, "host"),
            Candidate("1308538369", 2122265343, "fd00::2", 49042, "host"),
        ),
    )


def test_what_is_taken_from_chromiums_answer() -> None:
    answer = sdp.parse("answer", ANSWER)

    assert (answer.setup, answer.ice_ufrag) == ("active", "EohW")
    assert answer.media == (Media("0", "sendrecv", 111), Media("1", "sendrecv", None, 5000))


def test_the_rewritten_text_says_the_same_but_for_the_candidates() -> None:
    offer = sdp.parse("offer", OFFER)

    assert sdp.parse("offer", offer.text) == dataclasses.replace(offer, candidates=())


@pytest.mark.parametrize(
    ("change", "to"),
    [
        (r"m=application \d+", "m=application 0"),  # refused
        ("a=group:BUNDLE 0 1", "a=group:BUNDLE 0"),  # over a transport of its own
        ("a=group:BUNDLE 0 1\n", ""),
    ],
)
def test_data_channels_that_cannot_be_used_are_not_told_of_and_the_sound_is(change: str, to: str) -> None:
    offer = sdp.parse("offer", re.sub(change, to, OFFER))

    assert offer.data is None
    assert sdp.parse("offer", offer.text).media == (offer.sound,)


def test_a_section_that_is_only_bundled_has_port_zero_and_is_taken() -> None:
    offer = sdp.parse("offer", re.sub(r"m=application \d+", "m=application 0", OFFER) + "a=bundle-only\n")

    assert offer.data == Media("1", "sendrecv", None, 5000)


def test_an_answer_may_refuse_our_data_channels_and_is_told_of_whole() -> None:
    answer = sdp.parse("answer", ANSWER.replace("m=application 9", "m=application 0"))

    assert answer.data is None
    assert len(SessionDescription.parse(answer.text).media) == 2


@pytest.mark.parametrize(("said", "taken"), [("0", 65536), ("1200", 1200), ("262144", 65536), ("-1", 65536)])
def test_the_longest_message_is_the_peers_and_ours(said: str, taken: int) -> None:
    offer = sdp.parse("offer", OFFER.replace("max-message-size:262144", f"max-message-size:{said}"))

    assert offer.data is not None
    assert offer.data.max_message == taken


@pytest.mark.parametrize("is_first", [False, True])
def test_our_answer_rejects_data_channels_that_cannot_be_used_where_they_were_offered(is_first: bool) -> None:
    offered = (Media("0", "sendrecv", 111), Media("d", "sendrecv", None))
    ours = "v=0\r\na=group:BUNDLE 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n"

    lines = sdp.outgoing(ours, offered[::-1] if is_first else offered).splitlines()

    sound = ["m=audio 9 UDP/TLS/RTP/SAVPF 111", "a=mid:0"]
    data = ["m=application 0 UDP/DTLS/SCTP webrtc-datachannel", "c=IN IP4 0.0.0.0", "a=mid:d"]
    assert lines == ["v=0", "a=group:BUNDLE 0", *(data + sound if is_first else sound + data)]


def test_where_data_channels_come_first_the_transport_is_the_sounds() -> None:
    at, then = OFFER.index("m=audio"), OFFER.index("m=application")
    text = OFFER[:at] + OFFER[then:].replace("wySV", "other") + OFFER[at:then]

    assert dataclasses.replace(sdp.parse("offer", text), media=()) == dataclasses.replace(
        sdp.parse("offer", OFFER), media=()
    )


def test_a_description_on_session_level_is_taken() -> None:
    fingerprint = next(line for line in OFFER.splitlines() if line.startswith("a=fingerprint"))
    text = OFFER.replace(fingerprint + "\n", "").replace("s=-\n", f"s=-\n{fingerprint}\n")

    assert sdp.parse("offer", text).fingerprints == (fingerprint.removeprefix("a=fingerprint:"),)


@pytest.mark.parametrize(
    "text",
    [
        None,
        {},
        "",
        OFFER + "a=x\n" * 200,
        OFFER + "a=" + "x" * sdp.MAX_BYTES,
        OFFER + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\n",
        OFFER.replace("m=audio", "m=video"),
        re.sub(r"m=audio \d+", "m=audio 0", OFFER),
        OFFER.replace("opus/48000/2", "opus/48000"),
        OFFER.replace("a=rtcp-mux\n", ""),
        OFFER.replace("actpass", "holdconn"),
        OFFER.replace("a=ice-pwd:j9YItcE7U", "a=ice-pwd:"),
        OFFER.replace("sha-256", "md5"),
        OFFER.replace("a=mid:1", "a=mid:0"),
        OFFER.replace("sctp-port:5000", "sctp-port:0"),
        OFFER.replace("sctp-port:5000", "sctp-port:65536"),
        OFFER.replace("a=sctp-port:5000\n", ""),
        OFFER[OFFER.index("m=application") :],
    ],
)
def test_what_is_not_one_section_of_sound_is_refused(text: object) -> None:
    with pytest.raises(WireError):
        sdp.parse("offer", text)


def test_an_answer_cannot_leave_the_role_open() -> None:
    with pytest.raises(WireError):
        sdp.parse("answer", OFFER)


def test_at_most_sixteen_candidates_are_taken() -> None:
    many = "".join(f"a=candidate:{i} 1 udp {i + 1} 192.0.2.{i} 9 typ host\n" for i in range(40))
    text = OFFER.replace("a=mid:0\n", f"a=mid:0\n{many}")

    assert len(sdp.parse("offer", text).candidates) == 16


@given(changes=lines_changed)
def test_any_change_of_an_offer_is_refused_or_leaves_one_that_aiortc_can_parse(
    changes: list[tuple[int, str, str]],
) -> None:
    with contextlib.suppress(WireError):
        SessionDescription.parse(sdp.parse("offer", mutated(OFFER, changes)).text)


@given(text=st.text())
def test_any_text_is_a_description_or_a_wire_error(text: str) -> None:
    with contextlib.suppress(WireError):
        sdp.parse("answer", text)


@pytest.mark.parametrize("bit_rate", [128_000, 256_000])
def test_ours_asks_for_stereo_music_in_ten_milliseconds_without_header_extensions(bit_rate: int) -> None:
    extension = "a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid"
    ours = ["v=0", "m=audio 9 UDP/TLS/RTP/SAVPF 96", extension, "a=rtpmap:96 opus/48000/2", ""]

    lines = sdp.outgoing("\r\n".join(ours), bit_rate=bit_rate).splitlines()

    assert lines == [
        "v=0",
        "m=audio 9 UDP/TLS/RTP/SAVPF 96",
        "a=rtpmap:96 opus/48000/2",
        f"a=fmtp:96 minptime=10;useinbandfec=1;stereo=1;sprop-stereo=1;maxaveragebitrate={bit_rate};usedtx=0",
        "a=ptime:10",
    ]
