"""The .deb on a fresh Debian whose systemd has really booted. What is measured is printed: pytest -s."""

import json
import re
import shutil
import subprocess
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from tests.install.machine import Machine, System, boot, debootstrap

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PACKAGE = "/root/jambridge.deb"
SECRET = Path("/etc/credstore/jambridge.mqtt-password")
UNIT = "/usr/lib/systemd/system/jambridge.service"


@pytest.fixture(scope="module")
def package() -> Path:
    subprocess.run([ROOT / "scripts/deb/build"], check=True)
    return max((ROOT / "dist").glob("jambridge_*.deb"), key=lambda path: path.stat().st_mtime)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory, package: Path) -> Iterator[System]:
    """A Debian that has never seen us; what our package depends on is at hand, but not installed."""
    place = tmp_path_factory.mktemp("debian") / "root"
    system = debootstrap(place)
    shutil.copy(package, system.root / PACKAGE[1:])
    system.run("apt-get", "update", "-q")
    system.run("apt-get", "install", "-y", "-q", "--download-only", "--no-install-recommends", PACKAGE)
    yield system
    shutil.rmtree(place)


@pytest.fixture(scope="module")
def booted(fresh: System) -> Iterator[Machine]:
    with boot(fresh) as machine:
        yield machine


@pytest.fixture
def machine(booted: Machine) -> Iterator[Machine]:
    """With the package on it, and without again afterwards."""
    install(booted)
    yield booted
    purge(booted)


def install(machine: System) -> None:
    machine.run("apt-get", "install", "-y", "-q", "--reinstall", "--no-install-recommends", PACKAGE)


def purge(machine: System) -> None:
    """Whether it is there or not."""
    machine.run("dpkg", "--purge", "jambridge")


def files(system: System) -> set[str]:
    """All that is ours by name, but for what apt, the journal and a service that runs keep."""
    kept = ("/proc", "/sys", "/run", "/var/log", "/var/cache", "/var/lib/apt", "/var/lib/dpkg", "/root")
    pruned = " -o ".join(f"-path {place}" for place in (*kept, "/tmp", "/var/tmp"))
    found = system.run("sh", "-c", rf"find / \( {pruned} \) -prune -o -print 2>/dev/null | grep -i jambridge || true")
    return set(found.splitlines())


def light_process(machine: Machine) -> str:
    pid = json.loads(machine.run("jambridge", "status", "--json"))["light"]["process"]["pid"]
    return str(pid)


def real_time_limit(machine: Machine, pid: str) -> int:
    """The highest priority that the process may ever ask for."""
    limits = machine.run("cat", f"/proc/{pid}/limits")
    return int(re.findall(r"Max realtime priority +\d+ +(\d+)", limits)[0])


@contextmanager
def drop_in(machine: Machine, *lines: str) -> Iterator[None]:
    """Started again with more settings, which the next start has no more."""
    folder = "/run/systemd/system/jambridge.service.d"
    text = "\\n".join(("[Service]", *lines))
    machine.run("sh", "-c", f"mkdir -p {folder} && printf '{text}\\n' >{folder}/test.conf && systemctl daemon-reload")
    try:
        machine.run("systemctl", "restart", "jambridge")
        yield
    finally:
        machine.run("sh", "-c", f"rm -r {folder} && systemctl daemon-reload")


def is_ready(machine: Machine) -> bool:
    return machine.show("ActiveState") == "active"


def test_without_systemd_running_it_installs_and_removes_as_well(fresh: System) -> None:
    system = System(fresh.root)
    install(system)

    assert system.run("jambridge", "--version").startswith("jambridge 1.")
    assert "nothing to complain" in system.run("jambridge", "check-config")
    for page in ("man1/jambridge.1.gz", "../bash-completion/completions/jambridge"):
        assert (system.root / "usr/share/man" / page).stat().st_size > 100
    assert (system.root / "etc/systemd/system/multi-user.target.wants/jambridge.service").is_symlink()

    system.run("apt-get", "purge", "-y", "-q", "jambridge")
    assert files(system) == set()


def test_the_script_installs_brings_up_to_date_and_takes_all_away(fresh: System) -> None:
    """The package that it would build, which takes minutes, is the one that was built."""
    checkout = fresh.root / "root/checkout"
    (checkout / "scripts/deb").mkdir(parents=True)
    for name in ("install", "setup.sh"):
        shutil.copy(ROOT / "scripts" / name, checkout / "scripts")
    build = checkout / "scripts/deb/build"
    build.write_text(f"#!/bin/sh\nmkdir -p /root/checkout/dist && cp {PACKAGE} /root/checkout/dist/jambridge_1.deb\n")
    build.chmod(0o755)
    script = "/root/checkout/scripts/install"
    config = fresh.root / "etc/jambridge/config.yaml"

    assert "jambridge is installed" in fresh.run(script)
    config.write_text("identity: {name: The red box}\n")
    assert "replacing 1." in fresh.run(script)
    assert config.read_text() == "identity: {name: The red box}\n"
    assert "nothing to complain" in fresh.run("jambridge", "check-config")

    fresh.run(script, "--uninstall")
    assert files(fresh) == set()
    assert "it is not installed" in fresh.run(script, "--uninstall")
    assert "--uninstall takes away all of it" in fresh.run(script, "--nonsense", status=64)
    print("\ninstall, again, --uninstall: the configuration is kept, then nothing is left")


def test_it_is_started_runs_hardened_and_stops(machine: Machine) -> None:
    assert is_ready(machine), "apt waits until it is ready"

    assert machine.run("systemd-analyze", "verify", "--man=no", UNIT) == ""
    exposure = re.search(r"Overall exposure level for jambridge.service: ([\d.]+)", machine.run(
        "systemd-analyze", "security", "--no-pager", "jambridge.service"))  # fmt: skip
    assert exposure and float(exposure[1]) <= 2.1
    status = json.loads(machine.run("jambridge", "status", "--json"))
    assert status["light"] and status["services"]["light"]["state"] == "running"
    assert machine.run("stat", "--format=%U", f"/proc/{machine.show('MainPID')}").strip() == "jambridge"

    entries = [json.loads(line) for line in machine.journal("--output=json").splitlines()]
    ours = [entry for entry in entries if entry.get("LOGGER")]
    assert any(entry["EVENT"] == "ready" and entry["PRIORITY"] == "6" for entry in ours)
    errors = machine.journal("--priority=err")
    assert "jambridge" not in errors.replace("-- No entries --", ""), errors

    began = time.monotonic()
    machine.run("systemctl", "stop", "jambridge")
    stopped_s = time.monotonic() - began
    assert machine.show("Result") == "success", "it was not killed, after TimeoutStopSec"
    began = time.monotonic()
    machine.run("systemctl", "start", "jambridge")
    print(f"\nexposure {exposure[1]}, READY after {time.monotonic() - began:.1f} s, stopped after {stopped_s:.2f} s")


def test_light_is_drawn_in_real_time(machine: Machine) -> None:
    """Where the system manager may not raise limits (a container without CAP_SYS_RESOURCE), by a capability instead."""
    assert machine.show("LimitRTPRIO") == "95"
    allowed = real_time_limit(machine, light_process(machine))
    with (
        nullcontext()
        if allowed
        else drop_in(machine, "AmbientCapabilities=CAP_SYS_NICE", "CapabilityBoundingSet=CAP_SYS_NICE")
    ):
        said = machine.run("chrt", "-p", light_process(machine))
    print(f"\n{said.splitlines()[0]}, by {'the limit' if allowed else 'a capability'}")
    assert "SCHED_FIFO" in said


def test_hung_it_is_started_again(machine: Machine) -> None:
    before = machine.show("MainPID")

    machine.run("sh", "-c", f"kill -STOP {before}")
    took_s = machine.until(lambda: machine.show("MainPID") not in {before, "0"} and is_ready(machine), "READY again")

    print(f"\nhung -> READY again after {took_s:.1f} s")
    assert took_s < 20, machine.journal()


def test_a_wrong_configuration_does_not_loop(machine: Machine) -> None:
    machine.run("sh", "-c", "echo 'light: {protocol: artnet}' >>/etc/jambridge/config.yaml")
    assert "config.yaml:3: light.protocol" in machine.run("jambridge", "check-config", status=78)
    machine.run("systemctl", "restart", "jambridge", status=1)
    machine.until(lambda: machine.show("ActiveState") == "failed", "it gives up")
    restarts = machine.show("NRestarts")
    time.sleep(5)  # two pauses between restarts
    assert (machine.show("ActiveState"), machine.show("NRestarts")) == ("failed", restarts)
    assert machine.show("ExecMainStatus") == "78"
    print(f"\nexit 78, NRestarts {restarts}")


def test_a_secret_that_only_root_can_read_reaches_the_service(machine: Machine) -> None:
    secret = machine.root / SECRET.relative_to("/")
    secret.parent.mkdir(exist_ok=True)
    secret.write_text("correct horse\n")
    secret.chmod(0o600)
    config = machine.root / "etc/jambridge/config.yaml"
    config.write_text("mqtt: {host: 127.0.0.1, username: box, password_file: jambridge.mqtt-password}\n")

    assert_the_secret_is_used(machine)
    said = machine.journal() + machine.run("jambridge", "status", "--json") + machine.run("jambridge", "config")
    assert "correct horse" not in said
    machine.run("jambridge", "sessions", "list")
    as_service = ("setpriv", "--reuid=jambridge", "--clear-groups")
    assert "Permission denied" in machine.run(*as_service, "cat", str(SECRET), status=1)

    machine.run("sh", "-c", "mkdir -p /etc/credstore.encrypted && systemd-creds encrypt --with-key=host "
        f"{SECRET} /etc/credstore.encrypted/{SECRET.name} && rm {SECRET}")  # fmt: skip
    with drop_in(machine, f"LoadCredentialEncrypted={SECRET.name}"):
        assert_the_secret_is_used(machine)


def assert_the_secret_is_used(machine: Machine) -> None:
    """By the service, and by a command as well."""
    assert "nothing to complain" in machine.run("jambridge", "check-config")
    began = f"--since=@{time.time():.3f}"
    machine.run("systemctl", "restart", "jambridge")
    machine.until(lambda: "MQTT broker 127.0.0.1:1883" in machine.journal(began), "it tries the broker")
    assert is_ready(machine)


def test_a_token_where_the_service_may_not_write_is_seen_and_where_it_may_is_made(machine: Machine) -> None:
    config = machine.root / "etc/jambridge/config.yaml"
    config.write_text("http: {bind: 0.0.0.0, token_file: /etc/jambridge/token}\n")
    assert "/etc/jambridge may not be written" in machine.run("jambridge", "check-config", status=78)

    config.write_text("http: {bind: 0.0.0.0, token_file: /var/lib/jambridge/token}\n")
    assert "nothing to complain" in machine.run("jambridge", "check-config")
    machine.run("systemctl", "restart", "jambridge")
    assert is_ready(machine)
    assert len(machine.run("cat", "/var/lib/jambridge/token")) > 40


def test_what_root_adopts_or_deletes_is_the_services(machine: Machine) -> None:
    machine.run("jambridge", "sessions", "purge", "--older-than", "1")
    owners = machine.run("find", "/var/lib/jambridge", "!", "-user", "jambridge")
    assert owners == ""
    refused = machine.run("setpriv", "--reuid=nobody", "--clear-groups", "jambridge", "sessions", "list", status=74)
    assert "ermission denied" in refused
    machine.run("setpriv", "--reuid=nobody", "--clear-groups", "jambridge", "status")


def test_the_doctor_hands_root_what_happened(machine: Machine) -> None:
    """Where the service's user may not write, from a journal that it may not read."""
    machine.run("mkdir", "-m", "700", "/root/help")
    said = machine.run("sh", "-c", "jambridge doctor --bundle /root/help/box.zip || test $? -eq 69")

    assert "✓ configuration" in said
    assert "/root/help/box.zip is written" in said
    bundle = machine.root / "root/help/box.zip"
    assert (bundle.stat().st_mode & 0o777, [one.name for one in bundle.parent.iterdir()]) == (0o600, ["box.zip"])
    with zipfile.ZipFile(bundle) as archive:
        assert "ready" in archive.read("journal.txt").decode()
    assert "nowhere" in machine.run("jambridge", "doctor", "--bundle", "/nowhere/box.zip", status=74)


def test_an_upgrade_keeps_configuration_and_memory(machine: Machine) -> None:
    config = machine.root / "etc/jambridge/config.yaml"
    config.write_text("identity: {name: The red box}\n")
    kept = json.loads((machine.root / "var/lib/jambridge/identity.json").read_text())
    before = machine.show("MainPID")

    install(machine)

    assert config.read_text() == "identity: {name: The red box}\n"
    assert json.loads((machine.root / "var/lib/jambridge/identity.json").read_text()) == kept
    assert is_ready(machine) and machine.show("MainPID") != before
    machine.run("systemctl", "disable", "--now", "jambridge")
    install(machine)
    assert not is_ready(machine), "what was switched off stays off"
    print("\nupgrade: configuration, identity and what was switched off are kept")


def test_a_purge_leaves_nothing_of_a_service_that_failed_and_a_user_at_work(machine: Machine) -> None:
    machine.run("sh", "-c", "mkdir -p /etc/systemd/system/jambridge.service.d && "
        "printf '[Service]\\nNice=1\\n' >/etc/systemd/system/jambridge.service.d/override.conf")  # fmt: skip
    (machine.root / "etc/jambridge/config.yaml").write_text("a: wrong one\n")
    machine.run("systemctl", "restart", "jambridge", status=1)
    machine.until(lambda: machine.show("ActiveState") == "failed", "it gives up")
    machine.run("systemd-run", "--uid=jambridge", "--unit=watching", "sleep", "600")

    machine.run("apt-get", "purge", "-y", "-q", "jambridge")

    machine.run("systemctl", "stop", "watching")
    assert files(machine) == set()
    assert "jambridge" not in machine.run("getent", "passwd") + machine.run("getent", "group")
    assert "not-found" in machine.run("systemctl", "show", "--property=LoadState", "jambridge")
    assert "jambridge" not in machine.run("systemctl", "list-units", "--all")
    print("\npurge: no file, user, group or unit is left")
