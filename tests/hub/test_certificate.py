"""The hub's certificate, as those who trust its authority check it."""

import asyncio
import contextlib
import datetime as dt
import ssl
import stat
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from jambridge.hub import certificate
from jambridge.hub.certificate import Certificate
from jambridge.hub.server import WEBSOCKET_PATH
from tests.hub.live import live_hub

NOW = dt.datetime.now(dt.UTC)
NAMES = certificate.names_of("Pi.home", ["192.168.1.20", "fd00::2", "2001:db8::1", "fe80::1%eth0", "203.0.113.5"])


def trusting(issued: Certificate) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=issued.authority)
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_STRICT  # as Python 3.13 and newer clients do
    return context


def handshake(issued: Certificate, name: str) -> None:
    """A client that trusts the authority meets a server with the certificate, in memory."""
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(issued.file)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = serving.wrap_bio(to_server, to_client, server_side=True)
    client = trusting(issued).wrap_bio(to_client, to_server, server_hostname=name)
    for _ in range(3):
        for side in (client, server):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
    assert client.version() == "TLSv1.3"


def test_names_are_the_hosts_and_the_local_networks() -> None:
    assert sorted(NAMES) == ["127.0.0.1", "192.168.1.20", "::1", "fd00::2", "localhost", "pi.home", "pi.local"]


@pytest.mark.parametrize("name", sorted(NAMES))
def test_it_is_valid_for_each_of_its_names(tmp_path: Path, name: str) -> None:
    handshake(certificate.ensure(tmp_path, NAMES, NOW), name)


def test_it_is_not_valid_for_another_name(tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(certificate.ensure(tmp_path, NAMES, NOW), "192.168.1.21")


def test_the_authority_cannot_vouch_for_the_internet(tmp_path: Path) -> None:
    forged = certificate.ensure(tmp_path, NAMES | {"203.0.113.5"}, NOW)

    with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree"):
        handshake(forged, "203.0.113.5")


def test_it_is_kept_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    first, second = (certificate.ensure(tmp_path / "state", NAMES, NOW) for _ in range(2))

    assert first == second
    files = list((tmp_path / "state").iterdir())
    assert sorted(file.name for file in files) == ["hub-authority.pem", "hub.pem"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_new_name_and_a_near_end_renew_the_leaf_and_keep_the_authority(tmp_path: Path) -> None:
    first = certificate.ensure(tmp_path, NAMES, NOW)
    fewer = certificate.ensure(tmp_path, NAMES - {"192.168.1.20"}, NOW)
    moved = certificate.ensure(tmp_path, NAMES | {"10.0.0.7"}, NOW)
    handshake(moved, "10.0.0.7")
    later = certificate.ensure(tmp_path, NAMES, NOW + dt.timedelta(days=380))

    assert fewer == first
    assert len({first.fingerprint, moved.fingerprint, later.fingerprint}) == 3
    assert first.authority == moved.authority == later.authority


def test_a_clock_that_is_behind_changes_nothing(tmp_path: Path) -> None:
    first = certificate.ensure(tmp_path, NAMES, NOW)
    behind = certificate.ensure(tmp_path, NAMES, NOW - dt.timedelta(days=700))
    moved = certificate.ensure(tmp_path, NAMES | {"10.0.0.7"}, NOW - dt.timedelta(days=700))
    right = certificate.ensure(tmp_path, NAMES, NOW)

    assert behind == first
    assert moved.authority == right.authority == first.authority
    handshake(right, "pi.local")


def test_apples_rules_for_leaves_hold(tmp_path: Path) -> None:
    leaf = x509.load_pem_x509_certificates(certificate.ensure(tmp_path, NAMES, NOW).file.read_bytes())[0]

    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc < dt.timedelta(days=825)
    usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert ExtendedKeyUsageOID.SERVER_AUTH in usage


@pytest.mark.parametrize("file", ["hub.pem", "hub-authority.pem"])
@pytest.mark.parametrize("damage", [b"", b"garbage", None], ids=repr)
def test_a_damaged_file_is_made_anew(tmp_path: Path, file: str, damage: bytes | None) -> None:
    certificate.ensure(tmp_path, NAMES, NOW)
    text = (tmp_path / file).read_bytes()
    (tmp_path / file).write_bytes(text[: len(text) // 2] if damage is None else damage)

    handshake(certificate.ensure(tmp_path, NAMES, NOW), "pi.local")


def test_a_live_hub_shows_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with live_hub(tmp_path) as hub:
            authority = f"http://127.0.0.1:{hub.port}/authority.crt"
            async with aiohttp.ClientSession() as session:
                async with session.get(authority) as answer:
                    context = ssl.create_default_context(cadata=await answer.read())
                for name in ("localhost", "127.0.0.1"):
                    async with session.get(f"https://{name}:{hub.tls_port}/jam/ABC123", ssl=context) as answer:
                        assert answer.status == 200
                wire = f"wss://localhost:{hub.tls_port}{WEBSOCKET_PATH}?apikey=any"
                async with session.ws_connect(wire, ssl=context) as websocket:
                    await websocket.send_json({"topic": "phoenix", "event": "heartbeat", "payload": {}, "ref": "1"})
                    assert (await websocket.receive_json())["payload"]["status"] == "ok"

    asyncio.run(scenario())
