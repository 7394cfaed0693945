"""Issue 4's speed: live snapshots and linked clones on real QEMU, and how many simulated machines a server
makes in a second, however many there are.

The snapshot's baseline is `virsh snapshot-create-as --disk-only --atomic` on the very guest of Stratal,
in turns; the clone's is `virsh create` of the same machine's XML with overlays made beforehand. Both guests
have no operating system: QEMU and libvirt do the same work without one.
"""

import asyncio
import os
import re
import signal
import statistics
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import msgspec
import uvloop
from tests.running_server import Client, RunningServer, running_server

from bench.connection import Connection, Request
from bench.options import Options, Outcome
from bench.results import Row, at_least, under

SUMMARY = "live snapshots and clones of real machines, and simulated machines in great number"

_DISKS = 4
_REPEATS = 4
_CONNECTIONS = 100
_STEPS = (1_000, 5_000, 20_000)
"""So many machines there are when the rate is taken; `STRATAL_BENCH_MACHINES=100000` goes on to that."""
_SAMPLE = 1_000
_POLL_SECONDS = 0.1


def run(options: Options) -> Outcome:
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="sb-", dir="/tmp") as name:
        rows += _real(Path(name) / "real", options)
        rows += _simulated(Path(name) / "sim", options)
    return Outcome(rows=rows, remarks=["The accelerator is that of the machine's status; see there."])


# -- real machines ----------------------------------------------------------------------------------------


def _real(directory: Path, options: Options) -> list[Row]:
    environment = {"STRATAL_NETWORK__RUN_DIRECTORY": str(directory / "run")}
    with running_server(directory, environment=environment) as server, _ended(directory):
        client = server.client()
        policy = client.get("/bs-policies/").json()["items"][0]["metadata"]["id"]
        options.progress("starting a machine with four disks")
        machine = _machine(client, policy, size_mb=100 * 1024)
        vm = int(machine["metadata"]["id"])
        virsh = _Virsh(directory, str(machine["status"]["uuid"]))
        ours: list[float] = []
        bare: list[float] = []
        for turn in range(max(_REPEATS, options.rounds * 2)):
            options.progress(f"snapshot {turn + 1}")
            ours.append(_seconds(lambda turn=turn: _snapshot(client, vm, f"s{turn}")))
            bare.append(virsh.snapshot())
        snap = client.get("/vm-snaps/").json()["items"][0]["metadata"]["id"]
        clones: list[float] = []
        creates: list[float] = []
        for turn in range(max(2, options.rounds)):
            options.progress(f"clone {turn + 1}")
            clones.append(_seconds(lambda turn=turn: _clone(client, snap, f"c{turn}")))
            creates.append(virsh.create(directory))
        for found in client.get("/virtual-machines/").json()["items"]:
            client.post(f"/virtual-machines/{found['metadata']['id']}/:stop", json={"spec": {"force": True}})
        _until(lambda: all(_power(each) == "stopped" for each in _machines(client)))
    p50, baseline = statistics.median(ours), statistics.median(bare)
    clone, create = statistics.median(clones), statistics.median(creates)
    return [
        Row(name=f"snapshot of {_DISKS} disks, p50", subject="virsh", measured=baseline * 1000, unit="ms"),
        Row(
            name=f"snapshot of {_DISKS} disks, request to active, p50",
            subject="libvirt",
            measured=p50 * 1000,
            unit="ms",
            target=under(1.5 * baseline * 1000),
            ratio=p50 / baseline,
        ),
        Row(name="create, 4 disks of 100 GiB", subject="virsh", measured=create * 1000, unit="ms"),
        Row(
            name="linked clone, 4 disks of 100 GiB, request to running",
            subject="libvirt",
            measured=clone * 1000,
            unit="ms",
            target=under((create + 0.5) * 1000),
            ratio=clone / create,
        ),
    ]


class _Virsh:
    """Bare virsh on the libvirt that Stratal uses."""

    def __init__(self, directory: Path, machine: str) -> None:
        self._machine = machine
        host = Path("/run/libvirt/libvirt-sock")
        own = next(iter(sorted(directory.glob("data/libvirt/**/libvirt-sock"))), None)
        socket = own or host
        self._command = ["virsh", "-c", f"qemu+unix:///system?socket={socket}"]

    def snapshot(self) -> float:
        """Seconds of one, which is taken back by an active commit: the chain stays as Stratal knows it."""
        listed = self._run("domblklist", self._machine)
        targets = re.findall(r"^\s*(vd[a-z])\s+(\S+)", listed, re.MULTILINE)
        name = uuid.uuid4().hex
        specs: list[str] = []
        overlays: list[Path] = []
        for target, source in targets:
            overlay = Path(source).with_name(f"bench-{name}-{target}.overlay")
            overlays.append(overlay)
            specs += ["--diskspec", f"{target},snapshot=external,file={overlay}"]
        started = time.perf_counter()
        self._run(
            "snapshot-create-as", self._machine, name, "--disk-only", "--atomic", "--no-metadata", *specs
        )
        taken = time.perf_counter() - started
        for target, _ in targets:
            self._run("blockcommit", self._machine, target, "--active", "--pivot", "--wait")
        for overlay in overlays:
            overlay.unlink()
        return taken

    def create(self, directory: Path) -> float:
        """Seconds of `virsh create` of the same machine on overlays of its own, which were made before."""
        domain = ElementTree.fromstring(self._run("dumpxml", self._machine, "--inactive"))
        identity = str(uuid.uuid4())
        _element(domain, "uuid").text = identity
        _element(domain, "name").text = f"bench-{identity}"
        devices = _element(domain, "devices")
        for gone in [*devices.findall("disk"), *devices.findall("interface"), *devices.findall("serial")]:
            devices.remove(gone)
        for gone in domain.findall("metadata"):
            domain.remove(gone)
        for at in range(_DISKS):
            base, disk = (directory / f"{identity}-{at}.{kind}" for kind in ("base", "qcow2"))
            make = ["qemu-img", "create", "-q", "-f", "qcow2"]
            subprocess.run([*make, str(base), "100G"], check=True)
            subprocess.run([*make, "-F", "qcow2", "-b", str(base), str(disk)], check=True)
            devices.append(
                ElementTree.fromstring(
                    f"<disk type='file' device='disk'><driver name='qemu' type='qcow2' cache='none'/>"
                    f"<source file='{disk}'/><target dev='vd{'abcdefgh'[at]}' bus='virtio'/></disk>"
                )
            )
        path = directory / f"{identity}.xml"
        path.write_bytes(ElementTree.tostring(domain))
        started = time.perf_counter()
        self._run("create", str(path))
        taken = time.perf_counter() - started
        self._run("destroy", identity)
        return taken

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(
            [*self._command, *arguments],
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        if done.returncode:
            raise RuntimeError(f"virsh {arguments[0]}: {done.stderr}")
        return done.stdout


def _element(parent: ElementTree.Element, tag: str) -> ElementTree.Element:
    found = parent.find(tag)
    assert found is not None, tag
    return found


def _machine(client: Client, policy: int, *, size_mb: int) -> dict[str, Any]:
    disks = [{"name": f"d{at}", "size_mb": size_mb, "bs_policy_id": policy} for at in range(_DISKS)]
    body = {"name": "bench", "memory_mb": 64, "cpu_num": 1, "power_state": "running", "vm_disks": disks}
    answer = client.post("/virtual-machines/", json={"spec": body})
    assert answer.status_code == 202, answer.text
    id = answer.json()["metadata"]["id"]
    _until(lambda: _power(_show(client, id)) == "running")
    return _show(client, id)


def _snapshot(client: Client, vm: int, name: str) -> None:
    answer = client.post("/vm-snaps/", json={"spec": {"name": name, "vm_id": vm}})
    assert answer.status_code == 202, answer.text
    client.settled("vm-snaps", answer.json()["metadata"]["id"])


def _clone(client: Client, snap: int, name: str) -> None:
    spec = {"name": name, "vm_snap_id": snap, "power_state": "running"}
    answer = client.post("/virtual-machines/:clone", json={"spec": spec})
    assert answer.status_code == 202, answer.text
    id = answer.json()["metadata"]["id"]
    _until(lambda: _power(_show(client, id)) == "running")


def _show(client: Client, id: int) -> dict[str, Any]:
    return client.get(f"/virtual-machines/{id}").json()


def _machines(client: Client) -> list[dict[str, Any]]:
    return client.get("/virtual-machines/").json()["items"]


def _power(machine: dict[str, Any]) -> str:
    return str(machine["status"]["power_state"])


def _until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("it did not come to be")
        time.sleep(0.005)


@contextmanager
def _ended(directory: Path) -> Iterator[None]:
    """End the libvirtd that the server started for this directory, once all is done."""
    try:
        yield
    finally:
        for file in directory.glob("data/libvirt/**/*.pid"):
            with suppress(ValueError, ProcessLookupError):
                os.kill(int(file.read_text()), signal.SIGTERM)


# -- simulated machines -----------------------------------------------------------------------------------


def _simulated(directory: Path, options: Options) -> list[Row]:
    with running_server(directory, environment={"STRATAL_SIMULATE": "true"}) as server:
        steps = [*_STEPS]
        if most := int(os.environ.get("STRATAL_BENCH_MACHINES", "0")):
            steps.append(most)
        rows: list[Row] = []
        made = 0
        first: float | None = None
        for step in steps:
            options.progress(f"simulated machines: on the way to {step:,}")
            made += uvloop.run(_make(server, step - _SAMPLE - made, made))
            started = time.perf_counter()
            count = uvloop.run(_make(server, _SAMPLE, made))
            rate = count / (time.perf_counter() - started)
            made += count
            first = first or rate
            rows.append(
                Row(
                    name=f"machines made, with {step:,} there",
                    subject="simulated",
                    measured=rate,
                    unit="/s",
                    target=at_least(300),
                    ratio=rate / first,
                    note=f"{_memory_mib(server):,.0f} MiB",
                )
            )
    return rows


class _Newest(msgspec.Struct):
    """What is read of a list."""

    class Item(msgspec.Struct):
        class Metadata(msgspec.Struct):
            class State(msgspec.Struct):
                state: str

            id: int
            state: State

        metadata: Metadata

    items: list[Item]


async def _make(server: RunningServer, count: int, offset: int) -> int:
    """Make so many machines over many connections, each of which waits until its machine is active.

    What is active they learn from one more connection, on which the newest machines are listed now and then.
    """
    token = server.client().headers["x-sddc-token"]
    base = "/" + server.url.removeprefix("http://").partition("/")[2]
    numbers = iter(range(offset, offset + count))
    waiting: dict[int, asyncio.Event] = {}

    async def work() -> None:
        connection = await Connection.open(server.url, token)
        for number in numbers:
            spec = {"name": f"m{number}", "memory_mb": 64, "cpu_num": 1, "power_state": "running"}
            body = msgspec.json.encode({"spec": spec})
            path = f"{base}/virtual-machines/"
            answer = await connection.ask(Request(method="POST", path=path, body=body, expect=202))
            made = msgspec.json.decode(answer, type=_Newest.Item)
            active = waiting[made.metadata.id] = asyncio.Event()
            await active.wait()
        connection.close()

    async def watch() -> None:
        connection = await Connection.open(server.url, token)
        newest = 0
        while True:
            await asyncio.sleep(_POLL_SECONDS)
            newest = max(newest, *waiting, 0)
            limit = newest - min(waiting, default=newest) + _CONNECTIONS
            path = f"{base}/virtual-machines/?sort=metadata.id:desc&limit={limit}"
            listed = await connection.ask(Request(method="GET", path=path, expect=200))
            for item in msgspec.json.decode(listed, type=_Newest).items:
                if item.metadata.state.state == "active" and item.metadata.id in waiting:
                    waiting.pop(item.metadata.id).set()

    async with asyncio.TaskGroup() as group:
        watching = group.create_task(watch())
        await asyncio.gather(*(work() for _ in range(_CONNECTIONS)))
        watching.cancel()
    return count


def _memory_mib(server: RunningServer) -> float:
    text = Path(f"/proc/{server.process.pid}/status").read_text()
    found = re.search(r"^VmRSS:\s+(\d+) kB", text, re.M)
    return int(found[1]) / 1024 if found else 0.0


def _seconds(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started
