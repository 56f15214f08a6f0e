"""The .deb on a fresh Debian whose systemd has really booted. What is measured is printed: pytest -s."""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.install.machine import Machine, System, boot, debootstrap

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PACKAGE = "/root/jambridge.deb"
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
    booted.run("apt-get", "purge", "-y", "-q", "jambridge")


def install(machine: System) -> None:
    machine.run("apt-get", "install", "-y", "-q", "--reinstall", "--no-install-recommends", PACKAGE)


def files(system: System) -> set[str]:
    """All that is ours by name, but for what apt and the journal keep."""
    kept = ("/proc", "/sys", "/run", "/var/log", "/var/cache", "/var/lib/apt", "/var/lib/dpkg", "/root", "/tmp")
    pruned = " -o ".join(f"-path {place}" for place in kept)
    found = system.run("sh", "-c", rf"find / \( {pruned} \) -prune -o -print | grep -i jambridge || true")
    return set(found.splitlines())


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
    (light,) = machine.run("sh", "-c", "grep -l 'light[.]engine' /proc/[0-9]*/cmdline").split()
    assert "SCHED_FIFO" in machine.run("chrt", "-p", light.split("/")[2])


def test_hung_it_is_started_again_and_a_wrong_configuration_does_not_loop(machine: Machine) -> None:
    before = machine.show("MainPID")

    machine.run("sh", "-c", f"kill -STOP {before}")
    took_s = machine.until(lambda: machine.show("MainPID") not in {before, "0"} and is_ready(machine), "READY again")
    print(f"\nhung -> READY again after {took_s:.1f} s")

    machine.run("sh", "-c", "echo 'light: {protocol: artnet}' >>/etc/jambridge/config.yaml")
    assert "config.yaml:3: light.protocol" in machine.run("jambridge", "check-config", status=78)
    machine.run("systemctl", "restart", "jambridge", status=1)
    machine.until(lambda: machine.show("ActiveState") == "failed", "it gives up")
    restarts = machine.show("NRestarts")
    time.sleep(5)  # two pauses between restarts
    assert (machine.show("ActiveState"), machine.show("NRestarts")) == ("failed", restarts)
    assert machine.show("ExecMainStatus") == "78"


def test_a_secret_that_only_root_can_read_reaches_the_service(machine: Machine) -> None:
    store = machine.root / "etc/credstore"
    store.mkdir(exist_ok=True)
    secret = store / "jambridge.mqtt-password"
    secret.write_text("correct horse\n")
    secret.chmod(0o600)
    config = machine.root / "etc/jambridge/config.yaml"
    config.write_text("mqtt: {host: 127.0.0.1, username: box, password_file: jambridge.mqtt-password}\n")

    assert "nothing to complain" in machine.run("jambridge", "check-config")
    machine.run("systemctl", "restart", "jambridge")

    refused = machine.until(lambda: "MQTT broker 127.0.0.1:1883" in machine.journal(), "it tries the broker")
    assert refused and is_ready(machine)
    said = machine.journal() + machine.run("jambridge", "status", "--json") + machine.run("jambridge", "config")
    assert "correct horse" not in said


def test_what_root_adopts_or_deletes_is_the_services(machine: Machine) -> None:
    machine.run("jambridge", "sessions", "purge", "--older-than", "1")
    owners = machine.run("find", "/var/lib/jambridge", "!", "-user", "jambridge")
    assert owners == ""
    refused = machine.run("setpriv", "--reuid=nobody", "--clear-groups", "jambridge", "sessions", "list", status=74)
    assert "ermission denied" in refused
    machine.run("setpriv", "--reuid=nobody", "--clear-groups", "jambridge", "status")


def test_an_upgrade_keeps_configuration_and_memory_and_a_purge_leaves_nothing(machine: Machine) -> None:
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

    machine.run("apt-get", "purge", "-y", "-q", "jambridge")
    assert files(machine) == set()
    assert "jambridge" not in machine.run("getent", "passwd") + machine.run("getent", "group")
    assert "not-found" in machine.run("systemctl", "show", "--property=LoadState", "jambridge")
