"""A real TURN server, Debian's coturn, and a certificate for it that only those trust who are told to."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.scenarios.daemon import until
from tests.scenarios.namespaces import Host

PORT, TLS_PORT = 3478, 5349
USER, PASSWORD, SECRET = "band", "opensesame", "what only the server and the boxes know"


@dataclass
class Coturn:
    """Use `coturn`. It also answers STUN."""

    host: Host
    config: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        log = self.config.with_suffix(f".{time.monotonic_ns()}.log")
        with log.open("wb") as output:
            self.process = self.host.run(
                ["turnserver", "-c", str(self.config)], stdout=output, stderr=subprocess.STDOUT
            )
        until(self._listens, f"coturn listens, {log}")

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def _listens(self) -> bool:
        listening = subprocess.run(
            self.host.command(["ss", "-Hlnut", "sport", "=", f":{PORT}"]), capture_output=True, check=True
        )
        return b"udp" in listening.stdout and b"tcp" in listening.stdout


@contextmanager
def coturn(host: Host, directory: Path, *, secret: bool = False) -> Iterator[Coturn]:
    """On `host`, for UDP, TCP and TLS; `secret`: for credentials made of `SECRET` instead of `USER` and `PASSWORD`."""
    directory.mkdir(parents=True, exist_ok=True)
    certificate, key = certify(host.address, directory)
    logins = (
        ["use-auth-secret", f"static-auth-secret={SECRET}"] if secret else ["lt-cred-mech", f"user={USER}:{PASSWORD}"]
    )
    config = directory / "turnserver.conf"
    lines = [
        *logins,
        "realm=jam.example",
        f"listening-ip={host.address}",
        f"relay-ip={host.address}",
        f"listening-port={PORT}",
        f"tls-listening-port={TLS_PORT}",
        f"cert={certificate}",
        f"pkey={key}",
        "no-dtls",
        "no-cli",
        "denied-peer-ip=10.78.0.0-10.78.255.255",  # the homes behind the routers
        "min-port=50000",
        "max-port=50200",
        f"userdb={directory / 'turndb'}",
        f"pidfile={directory / 'turn.pid'}",
        "log-file=stdout",
        "verbose",
    ]
    config.write_text("\n".join(lines) + "\n")
    server = Coturn(host, config)
    server.start()
    try:
        yield server
    finally:
        server.kill()


def certify(address: str, directory: Path) -> tuple[Path, Path]:
    """A certificate for `address` that is its own authority, and its key: files that coturn takes."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "turn.jam.example")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=7))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = directory / "turn.pem", directory / "turn.key"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths
