"""A Stratal server with real machines: its user sees them from outside over HTTP, from inside over a port.

It runs in a network of its own. What it started is ended with it: machines, their libvirtd, bridges, taps.

    from guest.built import disk_image, fast_guest  # noqa: F401  (fixtures)
    from machine_server import image, server  # noqa: F401
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from guest.control import CONTROL_PORT, GuestControl
from own_network import own_network
from running_server import Client, RunningServer, running_server

#: For what takes a moment on an idle machine, and longer on a busy one.
PATIENCE_SECONDS = 90.0
MEMORY_MB = 128
_PIECE = 8 << 20

Resource = dict[str, Any]


@dataclass
class MachineServer:
    """The server, started anew as often as it is killed, and what a user of it does."""

    directory: Path
    environment: dict[str, str] = field(default_factory=dict[str, str])
    #: it has a network of its own, where all taps are its machines'
    apart: bool = True
    _stack: ExitStack = field(default_factory=ExitStack)
    _server: RunningServer | None = None
    _client: Client | None = None

    # -- the process -----------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the server, on a database that may have been there before."""
        environment = {
            "STRATAL_COMPUTE__CHANNELS": CONTROL_PORT,
            "STRATAL_NETWORK__RUN_DIRECTORY": str(self.directory / "run"),
            **self.environment,
        }
        self._server = self._stack.enter_context(running_server(self.directory, environment=environment))
        before, self._client = self._client, Client(self._server.url)
        if before is None:
            self._client.log_in("admin", self._server.password)
        else:
            self._client.headers["x-sddc-token"] = before.headers["x-sddc-token"]
            before.close()

    def kill(self) -> None:
        """End the process as a power cut would; machines run on."""
        assert self._server is not None
        self._server.kill()

    def stop(self) -> None:
        self._stack.close()
        if self._client is not None:
            self._client.close()

    @property
    def client(self) -> Client:
        assert self._client is not None
        return self._client

    def complaints(self) -> list[Resource]:
        """What the server logged of defects."""
        assert self._server is not None
        return [line for line in self._server.log_lines() if line.get("level") in ("error", "critical")]

    # -- what a user does ------------------------------------------------------------------------------

    def ask(self, path: str, **spec: object) -> Resource:
        """POST a spec. Returns the resource that is answered."""
        answer = self.client.post(path, json={"spec": spec})
        assert answer.status_code == 202, (path, answer.status_code, answer.text)
        found: Resource = answer.json()
        return found

    def change(self, plural: str, id: int, **spec: object) -> Resource:
        answer = self.client.patch(f"/{plural}/{id}", json={"spec": spec})
        assert answer.status_code == 202, (plural, answer.status_code, answer.text)
        found: Resource = answer.json()
        return found

    def show(self, plural: str, id: int) -> Resource:
        found: Resource = self.client.get(f"/{plural}/{id}").json()
        return found

    def find(self, plural: str, query: str = "") -> list[Resource]:
        params = {"limit": "1000", **({"q": query} if query else {})}
        answer = self.client.get(f"/{plural}/", params=params)
        assert answer.status_code == 200, answer.text
        found: list[Resource] = answer.json()["items"]
        return found

    def until(
        self,
        plural: str,
        id: int,
        fits: Callable[[Resource], object],
        seconds: float = PATIENCE_SECONDS,
    ) -> Resource:
        """The resource, once that is true of it."""
        deadline = time.monotonic() + seconds
        while True:
            found = self.show(plural, id)
            if fits(found):
                return found
            assert time.monotonic() < deadline, (found, self.complaints()[-3:])
            time.sleep(0.02)

    def active(self, plural: str, id: int, seconds: float = PATIENCE_SECONDS) -> Resource:
        return self.until(plural, id, is_active, seconds)

    def create(self, plural: str, **spec: object) -> int:
        """Create a resource and wait until it is active. Returns its id."""
        id = int(self.ask(f"/{plural}/", **spec)["metadata"]["id"])
        self.active(plural, id)
        return id

    def delete(self, plural: str, id: int) -> None:
        """Delete a resource and wait until it is gone."""
        answer = self.client.delete(f"/{plural}/{id}")
        assert answer.status_code == 202, (plural, answer.status_code, answer.text)
        self.client.gone(plural, id, PATIENCE_SECONDS)

    def upload(self, name: str, file: Path, **spec: object) -> int:
        """An image of a file, sent in pieces. Returns its id."""
        id = int(self.ask("/vm-images/", name=name, **spec)["metadata"]["id"])
        size = file.stat().st_size
        with file.open("rb") as content:
            for first in range(0, size, _PIECE):
                piece = content.read(_PIECE)
                headers = {
                    "content-type": "application/octet-stream",
                    "content-range": f"bytes {first}-{first + len(piece) - 1}/{size}",
                }
                answer = self.client.post(f"/vm-images/{id}/:upload", content=piece, headers=headers)
                assert answer.status_code == 202, answer.text
        done = self.until("vm-images", id, lambda found: found["status"]["upload_state"] in _ENDED)
        assert done["status"]["upload_state"] == "finished", done["status"]
        self.active("vm-images", id)
        return id

    @property
    def policy(self) -> int:
        """The policy of disks that are files."""
        return int(self.find("bs-policies")[0]["metadata"]["id"])

    def network(self, **spec: object) -> int:
        """A network that machines can be on. Returns its id."""
        vsw = self.find("vsws")[0]["metadata"]["id"]
        return self.create("br-nets", vsw_id=vsw, **spec)

    def machine(self, name: str, **spec: object) -> "Vm":
        """A running machine, which may not have booted yet."""
        body: Resource = {"power_state": "running", "memory_mb": MEMORY_MB, **spec}
        made = self.ask("/virtual-machines/", name=name, **body)
        return Vm(self, int(made["metadata"]["id"])).until_running()

    def clone(self, name: str, **spec: object) -> "Vm":
        made = self.ask("/virtual-machines/:clone", name=name, power_state="running", **spec)
        return Vm(self, int(made["metadata"]["id"])).until_running()

    # -- what is on the host ---------------------------------------------------------------------------

    @property
    def layers(self) -> list[Path]:
        """The files of disks, of images and of what was begun of either."""
        folder = self.directory / "data" / "layers"
        return sorted(path for path in folder.rglob("*") if path.is_file())

    @property
    def libvirtd(self) -> int | None:
        """The process id of the server's own libvirtd."""
        try:
            return int((self.directory / "data/libvirt/run/libvirtd.pid").read_text())
        except (OSError, ValueError):
            return None

    def machines_on_host(self) -> dict[str, int]:
        """The process ids of this server's QEMUs, by the UUID of their machine."""
        found: dict[str, int] = {}
        for pid, words in self._processes(b"qemu-system").items():
            guest = words[words.index(b"-name") + 1].decode()
            found[guest.removeprefix("guest=stratal-").partition(",")[0]] = pid
        return found

    def _processes(self, program: bytes) -> dict[int, list[bytes]]:
        """The command lines of processes of a program that work in this server's directory."""
        mark = f"{self.directory}/".encode()
        found: dict[int, list[bytes]] = {}
        for process in Path("/proc").iterdir():
            with suppress(OSError):
                words = (process / "cmdline").read_bytes().split(b"\0") if process.name.isdigit() else []
                if words and program in words[0] and any(mark in word for word in words):
                    found[int(process.name)] = words
        return found

    def nothing_left(self) -> None:
        """No machine, disk, interface or snapshot, and on the host no process, tap or file of one."""
        kinds = (
            "virtual-machines",
            "vm-disks",
            "vm-nics",
            "vm-cd-roms",
            "vm-snaps",
            "bs-snaps",
            "bs-volumes",
        )
        deadline = time.monotonic() + PATIENCE_SECONDS
        while left := {plural: found for plural in kinds if (found := self.find(plural))}:
            assert time.monotonic() < deadline, left
            time.sleep(0.1)
        assert self.machines_on_host() == {}
        assert [path.name for path in (self.directory / "data" / "machines").iterdir()] == []
        taps = [card.name for card in Path("/sys/class/net").iterdir() if (card / "tun_flags").exists()]
        assert not (self.apart and taps)

    def end_all(self) -> None:
        """End what outlives a server: its libvirtd first, its machines, and its DHCP services."""
        daemon = self.libvirtd
        services = self._processes(b"dnsmasq")
        for pid in [*([daemon] if daemon else []), *self.machines_on_host().values(), *services]:
            kill(pid)


@dataclass
class Vm:
    """A machine as its user knows it: from outside, and from inside."""

    server: MachineServer
    id: int

    @property
    def now(self) -> Resource:
        return self.server.show("virtual-machines", self.id)

    @property
    def uuid(self) -> str:
        return str(self.now["status"]["uuid"])

    @property
    def qemu(self) -> int:
        """The process id of its QEMU."""
        return self.server.machines_on_host()[self.uuid]

    def inside(self) -> GuestControl:
        """Control of the guest, which may not be up yet. One at a time."""
        return GuestControl(self.server.directory / "data" / "machines" / f"{self.uuid}.0")

    def disks(self) -> list[Resource]:
        """In the order in which the guest has them."""
        found = self.server.find("vm-disks", f"spec.vm_id:{self.id}")
        return sorted(found, key=lambda disk: str(disk["status"]["device"]))

    def nics(self) -> list[Resource]:
        return self.server.find("vm-nics", f"spec.vm_id:{self.id}")

    def volumes(self) -> list[int]:
        return [int(disk["spec"]["bs_volume_id"]) for disk in self.disks()]

    def until(self, fits: Callable[[Resource], object], seconds: float = PATIENCE_SECONDS) -> Resource:
        return self.server.until("virtual-machines", self.id, fits, seconds)

    def until_running(self) -> "Vm":
        self.until(lambda found: is_active(found) and found["status"]["power_state"] == "running")
        return self

    def until_stopped(self) -> "Vm":
        self.until(lambda found: is_active(found) and found["status"]["power_state"] == "stopped")
        return self

    def do(self, verb: str, **spec: object) -> None:
        self.server.ask(f"/virtual-machines/{self.id}/:{verb}", **spec)

    def start(self) -> None:
        self.do("start")
        self.until_running()

    def stop(self, *, force: bool = True) -> None:
        self.do("stop", force=force)
        self.until_stopped()

    def snapshot(self, name: str, **spec: object) -> int:
        return self.server.create("vm-snaps", name=name, vm_id=self.id, **spec)

    def delete(self) -> None:
        if self.now["spec"]["power_state"] == "running":
            self.stop()
        self.server.delete("virtual-machines", self.id)


def is_active(found: Resource) -> bool:
    return bool(found["metadata"]["state"]["state"] == "active")


def kill(pid: int) -> None:
    """SIGKILL; returns when the process is gone."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 20
    while _lives(pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def why_not() -> str | None:
    """Why no machines can be run here; None when they can."""
    if os.geteuid() != 0:
        return "networks of machines need root"
    programs: Sequence[str] = ("libvirtd", "qemu-system-x86_64", "dnsmasq")
    path = f"/usr/sbin:/sbin:{os.environ.get('PATH', '')}"
    missing = [program for program in programs if shutil.which(program, path=path) is None]
    return f"not installed: {', '.join(missing)}; tools/setup installs them" if missing else None


@contextmanager
def machine_server(
    environment: dict[str, str] | None = None, *, apart: bool = True
) -> Generator[MachineServer]:
    """A server that runs machines. The calling thread is in its network meanwhile; not `apart` it has none
    of its own, which does for machines without interfaces."""
    # Sockets lie in it, and their paths are short; dnsmasq reads in it as another user.
    directory = Path(tempfile.mkdtemp(prefix="svm-", dir="/tmp"))
    directory.chmod(0o755)
    server = MachineServer(directory, environment or {}, apart)
    try:
        with own_network() if apart else nullcontext():
            if apart:
                subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
            try:
                server.start()
                yield server
            finally:
                server.stop()
                server.end_all()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="module")
def server(disk_image: Path) -> Iterator[MachineServer]:
    """Ended without having complained of a defect."""
    reason = why_not()
    if reason is not None:
        pytest.skip(reason)
    with machine_server() as server:
        yield server
        assert server.complaints() == []


@pytest.fixture(scope="module")
def image(server: MachineServer, disk_image: Path) -> int:
    """A disk that machines boot from."""
    return server.upload("linux", disk_image, format="qcow2")


_ENDED = ("finished", "failed")
