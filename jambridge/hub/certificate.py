"""The hub's certificate: a small authority of its own, and a leaf for the names of this machine.

Two certificates, since only an authority can be trusted on iOS (Settings, Certificate Trust) and since it stays when
the leaf is renewed for a new address. Whoever installs it should not have to trust this box for the whole internet: its
name constraints (RFC 5280 section 4.2.1.10) leave it the local network. Apple's "Requirements for trusted certificates
in iOS 13" (support article 103769) ask of the leaf: names as subject alternatives, the server's extended key usage, at
most 825 days.
"""

import datetime as dt
import ipaddress
import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from jambridge import whole_file

log = logging.getLogger(__name__)

_AUTHORITY_FILE, _LEAF_FILE = "hub-authority.pem", "hub.pem"  # each a private key and its certificates
_AUTHORITY_LIFE = dt.timedelta(days=3650)
_LEAF_LIFE = dt.timedelta(days=397)
_RENEW_BEFORE = dt.timedelta(days=30)
_CLOCK_SLACK = dt.timedelta(days=30)  # a Pi has no clock of its own, and starts in the past
_LOCAL_NETWORKS = tuple(
    ipaddress.ip_network(network)
    for network in (
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "::1/128",
        "fc00::/7",
        "fe80::/10",
    )
)
_DNS_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_]([a-z0-9_-]{0,62}))*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Certificate:
    """`file` holds key and chain, as `SSLContext.load_cert_chain` takes them; `authority` is DER, for guests."""

    file: Path
    names: frozenset[str]
    fingerprint: str
    authority: bytes


def names_of(host: str, addresses: Iterable[str]) -> frozenset[str]:
    """What the certificate is for: this host's names, and those addresses that are the local network's.

    Public addresses are left out: IPv6 ones change daily, and each change would ask every guest's browser again.
    """
    hosts = {host.lower(), f"{host.split('.', maxsplit=1)[0].lower()}.local", "localhost"}
    local = {text for text in addresses if "%" not in text and _is_local(ipaddress.ip_address(text))}
    return frozenset({name for name in hosts if _DNS_NAME.fullmatch(name)} | local | {"127.0.0.1", "::1"})


def ensure(directory: Path, names: frozenset[str], now: dt.datetime) -> Certificate:
    """The certificate in `directory`, made or renewed where it is missing, broken, near its end or lacks a name.

    One that is not valid yet is kept: the clock is behind, and people have installed the authority.

    Raises:
        OSError: the directory cannot be written.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    authority = _load(directory / _AUTHORITY_FILE)
    if authority is None or not _lasts(authority, now) or not _permits(authority, names):
        authority = _make_authority(names, now)
        _write(directory / _AUTHORITY_FILE, authority)
    leaf = _load(directory / _LEAF_FILE)
    if leaf is None or not _lasts(leaf, now) or not names <= _names(leaf) or not _issued_by(leaf, authority):
        leaf = _make_leaf(authority, names, now)
        _write(directory / _LEAF_FILE, leaf, authority.certificate)
        log.info("certificate made names=%s", ",".join(sorted(names)))
    return Certificate(
        file=directory / _LEAF_FILE,
        names=_names(leaf),
        fingerprint=leaf.certificate.fingerprint(hashes.SHA256()).hex(),
        authority=authority.certificate.public_bytes(serialization.Encoding.DER),
    )


@dataclass(frozen=True, slots=True)
class _Pair:
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate


def _make_authority(names: frozenset[str], now: dt.datetime) -> _Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _subject("jambridge " + key.public_key().public_numbers().x.to_bytes(32, "big").hex()[:8])
    permitted = [x509.DNSName(name) for name in sorted(_permitted_hosts(names))]
    constraints = x509.NameConstraints([*permitted, *map(x509.IPAddress, _LOCAL_NETWORKS)], None)
    builder = (
        _builder(subject, subject, key, now, _AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(constraints, critical=True)
    )
    return _Pair(key, builder.sign(key, hashes.SHA256()))


def _make_leaf(authority: _Pair, names: frozenset[str], now: dt.datetime) -> _Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = authority.certificate
    end = min(_LEAF_LIFE, issuer.not_valid_after_utc - now)
    builder = (
        _builder(_subject("jambridge hub"), issuer.subject, key, now, end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in sorted(names)]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), critical=False)
    )
    return _Pair(key, builder.sign(authority.key, hashes.SHA256()))


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    now: dt.datetime,
    life: dt.timedelta,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SLACK)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _is_local(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return any(address in network for network in _LOCAL_NETWORKS)


def _permitted_hosts(names: frozenset[str]) -> set[str]:
    hosts = {name for name in names if isinstance(_general_name(name), x509.DNSName)}
    return {name for name in hosts if not name.endswith(".local")} | {"local"}


def _names(pair: _Pair) -> frozenset[str]:
    try:
        extension = pair.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return frozenset()
    return frozenset(str(name.value) for name in extension.value)


def _permits(authority: _Pair, names: frozenset[str]) -> bool:
    try:
        extension = authority.certificate.extensions.get_extension_for_class(x509.NameConstraints)
    except x509.ExtensionNotFound:
        return False
    permitted = {str(name.value) for name in extension.value.permitted_subtrees or ()}
    return _permitted_hosts(names) <= permitted


def _lasts(pair: _Pair, now: dt.datetime) -> bool:
    return now + _RENEW_BEFORE <= pair.certificate.not_valid_after_utc


def _issued_by(leaf: _Pair, authority: _Pair) -> bool:
    try:
        leaf.certificate.verify_directly_issued_by(authority.certificate)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _load(path: Path) -> _Pair | None:
    """The pair in a file; None where there is none, or none that can be used."""
    try:
        text = path.read_bytes()
        key = serialization.load_pem_private_key(text, password=None)
        certificate = x509.load_pem_x509_certificates(text)[0]
        certificate.extensions  # noqa: B018  parsed on first use: raises here and nowhere else
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as exc:
        log.warning("certificate unreadable, made anew file=%s error=%s", path, exc)
        return None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        log.warning("certificate and key do not belong together, made anew file=%s", path)
        return None
    return _Pair(key, certificate)


def _write(path: Path, pair: _Pair, *chain: x509.Certificate) -> None:
    """Replace the file in one step, readable by its owner only."""
    text = pair.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ) + b"".join(certificate.public_bytes(serialization.Encoding.PEM) for certificate in (pair.certificate, *chain))
    whole_file.write(path, text, 0o600)
