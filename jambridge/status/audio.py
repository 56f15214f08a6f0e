"""The status's section on sound: both cards, and every musician. Pure."""

from jambridge.audio.card.control import CardReport, ChannelReport
from jambridge.audio.card.desk import Fader
from jambridge.peers.mesh import Mesh
from jambridge.peers.status import PeerStatus
from jambridge.sound import Sound, peers
from jambridge.strict_json import JsonObject
from jambridge.typed_json import plain

_LIGHTS = {"connected": "green", "reconnecting": "yellow", "disconnected": "red"}


def section(mesh: Mesh | None, sound: Sound) -> JsonObject:
    captured, played = sound.captured.value, sound.played.value
    members = peers(sound, mesh) if mesh else []
    faders = sound.desk.faders
    return {
        "input": {
            **_card(captured.card),
            "sends": sound.sends,
            "waiting": sound.waiting.value,
            "muted": sound.capture.value.is_muted,
            "packet_ms": sound.capture.value.frame_frames / 48,
            "peak_dbfs": captured.peak_dbfs,
            "level_dbfs": captured.level_dbfs,
        },
        "output": {
            **_card(played.card),
            "muted": sound.desk.settings.value.is_muted,
            "volume": sound.desk.settings.value.master_volume,
            "peak_dbfs": played.peak_dbfs,
            "level_dbfs": played.level_dbfs,
            "limited_db": played.limited_db,
            "howling": played.is_howling,
        },
        "light": _light(members),
        "peers": [_peer(peer, sound.desk.playing(peer.id, played), faders.get(peer.name, Fader())) for peer in members],
        "ice": _ice(mesh) if mesh else {},
        "dropped": plain(mesh.drops) if mesh else {},
    }


def _card(card: CardReport) -> JsonObject:
    return {
        "card": card.card,
        "problem": card.problem,
        "rate_hz": round(card.rate_hz),
        "latency_ms": card.latency_ms,
        "blocks": card.blocks,
        "missed": card.missed,
        "cpu_s": card.cpu_s,
    }


def _peer(peer: PeerStatus, playing: ChannelReport | None, fader: Fader) -> JsonObject:
    return {
        "id": peer.id,
        "name": peer.name,
        "state": peer.state.value,
        "connection": peer.connection,
        "path": peer.path,
        "latency_ms": {
            "network": _rounded(peer.network_ms),
            "jitter": _rounded(peer.jitter_ms),
            "playout": _rounded(peer.playout_ms),
        },
        "loss": round(peer.loss, 4),
        "level_dbfs": round(peer.level_dbfs, 1),
        "gain": fader.gain,
        "muted": fader.is_muted,
        "silent_s": None if peer.silent_s is None else round(peer.silent_s, 1),
        "packets": peer.packets,
        "undialled": dict(peer.undialled),
        "playout": None if playing is None else plain(playing),
    }


def _ice(mesh: Mesh) -> JsonObject:
    """How connections were made since the start, and which servers there are for it."""
    servers = mesh.ice_servers
    return {
        "selected_pairs": {kind: mesh.paths[kind] for kind in ("host", "srflx", "relay")},
        "servers": [{"url": url, "error": servers.errors.get(url)} for url in servers.urls],
    }


def _rounded(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else round(milliseconds, 1)


def _light(members: list[PeerStatus]) -> str:
    """Of the worst connection with a musician; red also where there is none to have."""
    states = {peer.state.value for peer in members}
    return next((_LIGHTS[one] for one in ("disconnected", "reconnecting", "connected") if one in states), "red")
