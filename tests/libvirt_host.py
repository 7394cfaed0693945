"""A libvirtd for tests: in directories of its own, ended with all its machines when the tests have ended."""

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from stratal.compute.domain import MachineId
from stratal.compute.drivers.libvirt import HostProbe, LibvirtHypervisor
from stratal.compute.drivers.libvirt.daemon import Daemon

_PROBE = HostProbe()


@dataclass(frozen=True, kw_only=True)
class LibvirtHost:
    """What drivers of any number of installations use."""

    directory: Path

    def driver(self, owner: str = "one", *, patience_seconds: float = 20.0) -> LibvirtHypervisor:
        return LibvirtHypervisor(self.directory, owner=owner, patience_seconds=patience_seconds, host=_PROBE)

    def kill_daemon(self) -> None:
        """SIGKILL; returns when it is gone."""
        pid = Daemon(self.directory).pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        _wait_until_gone(pid)

    def qemu_pid(self, machine: MachineId) -> int:
        """Of a running machine."""
        found = _processes(machine)
        assert len(found) == 1, found
        return found[0]

    def kill_qemu(self, machine: MachineId) -> None:
        """SIGKILL; returns when it is gone."""
        pid = self.qemu_pid(machine)
        os.kill(pid, signal.SIGKILL)
        _wait_until_gone(pid)


@contextmanager
def running() -> Generator[LibvirtHost]:
    """A host whose libvirtd starts with its first driver. FileNotFoundError where it isn't installed."""
    for program in ("libvirtd", "qemu-system-x86_64"):
        if shutil.which(program, path="/usr/sbin:/usr/bin") is None:
            raise FileNotFoundError(f"{program} is not installed")
    # Sockets lie in it, and their paths are short.
    directory = Path(tempfile.mkdtemp(prefix="stratal-hv-", dir="/tmp"))
    host = LibvirtHost(directory=directory / "hv")
    try:
        yield host
    finally:
        pid = Daemon(host.directory).pid
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                _wait_until_gone(pid)
        for pid in _qemus_of(host.directory):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                _wait_until_gone(pid)
        shutil.rmtree(directory, ignore_errors=True)


def _qemus_of(directory: Path) -> list[int]:
    """The machines that this host's libvirtd started and that still run, by its own records of them."""
    found: list[int] = []
    for folder in ("run/qemu", "run/libvirt/qemu/run"):
        for file in (directory / folder).glob("stratal-*.pid"):
            with suppress(OSError, ValueError):
                pid = int(file.read_text())
                if b"qemu-system" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    found.append(pid)
    return found


def _processes(machine: MachineId) -> list[int]:
    wanted = f"guest=stratal-{machine},".encode()
    found: list[int] = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            with suppress(OSError):
                if wanted in (process / "cmdline").read_bytes():
                    found.append(int(process.name))
    return found


def _wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return
        if state == "Z":
            return
        assert time.monotonic() < deadline
        time.sleep(0.01)
