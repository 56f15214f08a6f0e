"""Session descriptions: what is taken from a peer's, and what is added to ours. Pure.

Source: RFC 8866 (SDP), RFC 8839 and 8842 (ICE and DTLS in SDP), RFC 7587 section 7 (Opus). aiortc's parser raises half
a dozen kinds of error on hostile text, some of them later and in tasks of its own. So a peer's description is reduced
to the few fields that a connection needs, each checked, and aiortc is given a text written from those. Header
extensions and SSRCs are left out on purpose: one section of sound needs neither.

Data channels (RFC 8841) are taken where they share the sound's transport (RFC 8843). An offer of others is rejected
(RFC 3264 section 6), and aiortc never sees it; a peer that rejects ours still has the sound.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from jambridge.audio.opus import BIT_RATE
from jambridge.errors import WireError
from jambridge.peers import candidates
from jambridge.peers.candidates import Candidate

MAX_BYTES = 32 * 1024
MAX_LINES = 200
MAX_MEDIA = 2
MAX_FINGERPRINTS = 4
MAX_MESSAGE = 64 * 1024
SCTP_PORT = 5000

PTIME_MS = 10
OPUS_FORMAT = "minptime=10;useinbandfec=1;stereo=1;sprop-stereo=1;maxaveragebitrate={bit_rate};usedtx=0"

_DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")
_SETUPS = {"offer": ("actpass", "active", "passive"), "answer": ("active", "passive")}
_VALUES = {
    "mid": re.compile(r"[A-Za-z0-9_.+-]{1,32}", re.ASCII),
    "ice-ufrag": re.compile(r"[A-Za-z0-9+/]{4,256}", re.ASCII),
    "ice-pwd": re.compile(r"[A-Za-z0-9+/]{22,256}", re.ASCII),
    "setup": re.compile(r"actpass|active|passive"),
    "sctp-port": re.compile(r"[1-9]\d{0,4}", re.ASCII),
}
_SIZE = re.compile(r"\d{1,10}", re.ASCII)
_HEX = r"[0-9A-Fa-f]{2}"
_FINGERPRINT = re.compile(
    rf"sha-256 {_HEX}(?::{_HEX}){{31}}|sha-384 {_HEX}(?::{_HEX}){{47}}|sha-512 {_HEX}(?::{_HEX}){{63}}", re.IGNORECASE
)
_OPUS = re.compile(r"(9[6-9]|1[01]\d|12[0-7]) opus/48000/2", re.IGNORECASE | re.ASCII)
_MEDIA = re.compile(
    r"m=(audio|application) (\d{1,5}) (UDP/TLS/RTP/SAVPF|UDP/DTLS/SCTP) ([A-Za-z0-9 -]{1,400})", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Media:
    """One section. `payload_type` is Opus's, and None for data channels."""

    mid: str
    direction: str
    payload_type: int | None
    sctp_port: int | None = None
    """None: no data channels, or such as cannot be used."""
    max_message: int = MAX_MESSAGE
    """The bytes of the longest message that the peer takes."""


@dataclass(frozen=True, slots=True)
class Description:
    """What a peer's offer or answer says. Every text in it has been checked character by character."""

    type: str
    setup: str
    ice_ufrag: str
    ice_pwd: str
    fingerprints: tuple[str, ...]
    media: tuple[Media, ...]
    candidates: tuple[Candidate, ...] = ()

    @property
    def sound(self) -> Media:
        return next(media for media in self.media if media.payload_type is not None)

    @property
    def data(self) -> Media | None:
        """The data channels, if there are any to be used."""
        return next((media for media in self.media if media.sctp_port is not None), None)

    @property
    def text(self) -> str:
        """What aiortc is to know, without the candidates, which are added one by one.

        It knows no rejected section: an answer's is written as if it were accepted, and then not started.
        """
        known = [media for media in self.media if media is self.sound or media is self.data or self.type == "answer"]
        mids = [self.sound.mid, *(media.mid for media in known if media is not self.sound)]
        lines = ["v=0", "o=- 1 1 IN IP4 0.0.0.0", "s=-", "t=0 0", f"a=group:BUNDLE {' '.join(mids)}"]
        transport = [f"a=ice-ufrag:{self.ice_ufrag}", f"a=ice-pwd:{self.ice_pwd}", f"a=setup:{self.setup}"]
        transport += [f"a=fingerprint:{fingerprint}" for fingerprint in self.fingerprints]
        for media in known:
            lines += [*_written(media), *transport]
        return "\r\n".join(lines) + "\r\n"


def parse(kind: str, text: object) -> Description:
    """The `sdp` of a browser's RTCSessionDescriptionInit of type `kind`, offer or answer.

    Raises:
        WireError: it is too large, malformed, or not about one section of Opus and, in an offer, at most one of data
            channels.
    """
    if not isinstance(text, str) or len(text) > MAX_BYTES:
        raise WireError("an SDP is a text of at most 32 KiB")
    lines = text.split("\n", MAX_LINES + 1)
    if len(lines) > MAX_LINES:
        raise WireError("an SDP has at most 200 lines")
    session, *sections = _split(line.rstrip("\r ") for line in lines)
    if not 1 <= len(sections) <= MAX_MEDIA:
        raise WireError("an SDP has one or two media sections")
    together = _bundled(session)
    media = tuple(_media(section, kind, together) for section in sections)
    if sum(section.payload_type is not None for section in media) != 1:
        raise WireError("an SDP has one section of sound")
    if len({section.mid for section in media}) != len(media):
        raise WireError("two media sections have the same mid")
    # The transport is the sound's, which the data shares, or the session's where that says nothing.
    sound = next(section for section, one in zip(sections, media, strict=True) if one.payload_type is not None)
    transport = session.with_defaults(sound)
    setup = transport.one("setup")
    if setup not in _SETUPS[kind]:
        raise WireError(f"setup:{setup} does not belong in an {kind}")
    return Description(
        type=kind,
        setup=setup,
        ice_ufrag=transport.one("ice-ufrag"),
        ice_pwd=transport.one("ice-pwd"),
        fingerprints=_fingerprints(transport),
        media=media,
        candidates=tuple(_candidates(sound)),
    )


def outgoing(text: str, offered: Sequence[Media] = (), bit_rate: int = BIT_RATE) -> str:
    """Our own description as it goes out: Opus parameters and packet time added, header extensions taken out.

    An answer has every section that was `offered`, in order; data channels that cannot be used are rejected.
    """
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith(("a=extmap:", "a=ptime:", "a=fmtp:")):
            continue
        if line.startswith("a=max-message-size:"):
            line = f"a=max-message-size:{MAX_MESSAGE}"  # noqa: PLW2901  aiortc's is what it takes, not what we do
        lines.append(line)
        opus = _OPUS.fullmatch(line.removeprefix("a=rtpmap:"))
        if opus:
            lines += [f"a=fmtp:{opus[1]} {OPUS_FORMAT.format(bit_rate=bit_rate)}", f"a=ptime:{PTIME_MS}"]
    for place, media in enumerate(offered):
        if media.payload_type is None and media.sctp_port is None:
            at = len(lines) if place else next(at for at, line in enumerate(lines) if line.startswith("m="))
            lines[at:at] = _rejected(media)
    return "\r\n".join(lines) + "\r\n"


@dataclass(frozen=True, slots=True)
class _Section:
    """The lines of a section: the one that opens it and its attributes."""

    first: str
    attributes: Mapping[str, list[str]] = field(default_factory=dict)

    def with_defaults(self, section: "_Section") -> "_Section":
        return _Section(section.first, {**self.attributes, **section.attributes})

    def one(self, name: str) -> str:
        values = self.attributes.get(name, [])
        if not values or not _VALUES[name].fullmatch(values[0]):
            raise WireError(f"an SDP needs a valid {name}")
        return values[0]


def _split(lines: Iterable[str]) -> list[_Section]:
    """The session's part, then each media section."""
    attributes: dict[str, list[str]] = {}
    sections = [_Section("", attributes)]
    for line in lines:
        if line.startswith("m="):
            attributes = {}
            sections.append(_Section(line, attributes))
        elif line.startswith("a="):
            name, _, value = line[2:].partition(":")
            attributes.setdefault(name, []).append(value)
    return sections


def _media(section: _Section, kind: str, together: frozenset[str]) -> Media:
    """One section; `together` are the mids that share a transport."""
    match = _MEDIA.fullmatch(section.first)
    if match is None:
        raise WireError("a media section is neither sound nor data channels")
    mid = section.one("mid")
    if match[1] == "application":
        if match[3] != "UDP/DTLS/SCTP" or match[4] != "webrtc-datachannel":
            raise WireError("a data section is UDP/DTLS/SCTP webrtc-datachannel")
        bundle_only = kind == "offer" and "bundle-only" in section.attributes  # RFC 8843 section 6: its port is 0
        usable = mid in together and (match[2] != "0" or bundle_only)
        return Media(mid, "sendrecv", None, _sctp_port(section) if usable else None, _max_message(section))
    if match[2] == "0":
        raise WireError("the section of sound is refused")
    if "rtcp-mux" not in section.attributes:
        raise WireError("RTCP comes with RTP")
    return Media(mid, _direction(section), _payload_type(section, match[4].split()))


def _bundled(session: _Section) -> frozenset[str]:
    """The mids of the first BUNDLE group: more than those of one connection are of no use to us."""
    groups = (value.split() for value in session.attributes.get("group", []))
    return next((frozenset(mids) for kind, *mids in filter(None, groups) if kind == "BUNDLE"), frozenset())


def _sctp_port(section: _Section) -> int:
    port = int(section.one("sctp-port"))
    if port > 65535:  # noqa: PLR2004  a port is 16 bits
        raise WireError(f"sctp-port:{port} is none")
    return port


def _max_message(section: _Section) -> int:
    """RFC 8841 section 6: 64 KiB where nothing is said, and 0 is any size."""
    said = section.attributes.get("max-message-size", [""])[0]
    size = int(said) if _SIZE.fullmatch(said) else MAX_MESSAGE
    return min(size or MAX_MESSAGE, MAX_MESSAGE)


def _written(media: Media) -> list[str]:
    """A section as aiortc is to read it, without its transport."""
    if media.payload_type is None:
        return [
            "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
            "c=IN IP4 0.0.0.0",
            f"a=mid:{media.mid}",
            f"a=sctp-port:{media.sctp_port or SCTP_PORT}",
            f"a=max-message-size:{media.max_message}",
        ]
    return [
        f"m=audio 9 UDP/TLS/RTP/SAVPF {media.payload_type}",
        "c=IN IP4 0.0.0.0",
        f"a=mid:{media.mid}",
        f"a={media.direction}",
        "a=rtcp-mux",
        f"a=rtpmap:{media.payload_type} opus/48000/2",
    ]


def _direction(section: _Section) -> str:
    return next((direction for direction in _DIRECTIONS if direction in section.attributes), "sendrecv")


def _payload_type(section: _Section, formats: list[str]) -> int:
    for value in section.attributes.get("rtpmap", []):
        match = _OPUS.fullmatch(value)
        if match and match[1] in formats:
            return int(match[1])
    raise WireError("the section of sound does not offer Opus")


def _fingerprints(transport: _Section) -> tuple[str, ...]:
    """Those of the hashes that aiortc knows; the certificate must match each of them."""
    known = [value for value in transport.attributes.get("fingerprint", []) if _FINGERPRINT.fullmatch(value)]
    if not 1 <= len(known) <= MAX_FINGERPRINTS:
        raise WireError("an SDP needs a fingerprint")
    return tuple(known)


def _candidates(section: _Section) -> Iterable[Candidate]:
    """The first usable candidates, each once; a malformed one is passed over, for a browser may know newer kinds."""
    lines = dict.fromkeys(section.attributes.get("candidate", []))
    return list(filter(None, map(_candidate, lines)))[: candidates.MAX_CANDIDATES]


def _candidate(value: str) -> Candidate | None:
    try:
        return candidates.parse(f"candidate:{value}")
    except WireError:
        return None


def _rejected(media: Media) -> list[str]:
    return ["m=application 0 UDP/DTLS/SCTP webrtc-datachannel", "c=IN IP4 0.0.0.0", f"a=mid:{media.mid}"]
