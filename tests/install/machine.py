"""A Debian of its own: made by debootstrap, booted by systemd-nspawn, without a network."""

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

PATIENCE_S = 90.0
LOOK_S = 0.05


class CommandError(AssertionError):
    """A command on the machine ended with another status than 0."""


class System:
    """A Debian in a folder, not running: commands see its files alone. They have this machine's network."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def run(self, *command: str, status: int = 0) -> str:
        """What it says on standard output and error; CommandError for another status."""
        return _run(("chroot", str(self.root), *command), status)


class Machine(System):
    """A booted one. Use `boot`."""

    def __init__(self, root: Path, leader: int) -> None:
        super().__init__(root)
        self._leader = leader

    def run(self, *command: str, status: int = 0) -> str:
        return _run(("nsenter", "--target", str(self._leader), "--all", "--", *command), status)

    def show(self, name: str) -> str:
        """A property of our unit."""
        return self.run("systemctl", "show", "--value", f"--property={name}", "jambridge").strip()

    def until(self, holds: Callable[[], object], what: str, patience_s: float = PATIENCE_S) -> float:
        """Wait until it holds; how many seconds it took."""
        began = time.monotonic()
        while not holds():
            if time.monotonic() - began > patience_s:
                raise CommandError(f"not within {patience_s:.0f} s: {what}\n{self.journal()[-4000:]}")
            time.sleep(LOOK_S)
        return time.monotonic() - began

    def journal(self, *options: str) -> str:
        return self.run("journalctl", "--no-pager", "--unit=jambridge", *options)


def debootstrap(root: Path) -> System:
    """The least Debian of this machine's release that boots."""
    release = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
    included = "--include=systemd,systemd-sysv,dbus,ca-certificates"
    subprocess.run(
        ["debootstrap", "--variant=minbase", included, release["VERSION_CODENAME"].strip('"'), root],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    return System(root)


@contextmanager
def boot(system: System) -> Iterator[Machine]:
    """Until its system manager is there; powered off at the end."""
    process = subprocess.Popen(
        [
            *("systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", "--private-network"),
            f"--directory={system.root}",
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    try:
        yield Machine(system.root, _leader(process))
    finally:
        process.terminate()  # an orderly power-off
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _leader(nspawn: "subprocess.Popen[bytes]") -> int:
    """The machine's process 1, once it answers."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        assert nspawn.poll() is None, f"systemd-nspawn ended with {nspawn.returncode}"
        for child in filter(_is_system_manager, psutil.Process(nspawn.pid).children()):
            asked = ["nsenter", "--target", str(child.pid), "--all", "--", "systemctl", "is-system-running"]
            said = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
            if said in {"running", "degraded"}:
                return child.pid
        time.sleep(LOOK_S)
    raise CommandError("it does not boot")


def _is_system_manager(process: psutil.Process) -> bool:
    """With processes of its own: before, systemd-nspawn's child is still one of this machine's."""
    own = Path("/proc/self/ns/pid").readlink()
    try:
        return process.name() == "systemd" and Path(f"/proc/{process.pid}/ns/pid").readlink() != own
    except (psutil.NoSuchProcess, FileNotFoundError):
        return False


def _run(command: tuple[str, ...], status: int) -> str:
    environment = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LC_ALL": "C.UTF-8",
        "DEBIAN_FRONTEND": "noninteractive",
    }
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, check=False
    )
    if done.returncode != status:
        raise CommandError(f"{' '.join(command)} ended with {done.returncode}\n{done.stdout[-4000:]}")
    return done.stdout
