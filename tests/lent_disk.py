"""A running guest's disk without the guest: qemu-storage-daemon has the chain open, as a machine's QEMU
would, and NBD is what writes to it. The same block layer, a hundredth of the start.
"""

import json
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbd  # type: ignore[import-not-found]  # Debian's python3-libnbd

from stratal.kernel.operation import Operation
from stratal.storage.drivers.contract import Location

_SECONDS = 30.0
_JOB = {"job-id": "job", "auto-dismiss": False}


class LentDisk:
    """An `OpenDisk` on files, and what the guest in it does."""

    def __init__(self, locations: Sequence[Location]) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="lent-")
        here = Path(self._directory.name)
        arguments = ["qemu-storage-daemon"]
        for at, location in reversed(list(enumerate(locations))):
            below = f"q{at + 1}" if at + 1 < len(locations) else None
            for node in _nodes(f"q{at}", location.address, location.format, below, writable=at == 0):
                arguments += ["--blockdev", json.dumps(node)]
        arguments += ["--nbd-server", f"addr.type=unix,addr.path={here}/nbd,max-connections=0"]
        arguments += ["--export", "type=nbd,id=guest,node-name=q0,writable=on,name=disk"]
        arguments += ["--chardev", f"socket,path={here}/qmp,server=on,wait=off,id=qmp"]
        arguments += ["--monitor", "chardev=qmp"]
        self.process = subprocess.Popen(arguments)
        self._top = "q0"
        self._made = len(locations)
        self._monitor = _Monitor(here / "qmp", self.process)
        self._guest = nbd.NBD()
        self._guest.set_export_name("disk")
        self._guest.connect_unix(str(here / "nbd"))

    # -- the guest -----------------------------------------------------------------------------------

    def write(self, offset: int, data: bytes) -> None:
        """Write, and flush: what was not flushed may go when the guest is killed."""
        self._guest.pwrite(data, offset)
        self._guest.flush()

    def read(self, offset: int, length: int) -> bytes:
        return bytes(self._guest.pread(length, offset))

    def shut_down(self) -> None:
        """The guest ends in good order."""
        self._guest.flush()
        self._guest.shutdown()
        self.process.send_signal(signal.SIGTERM)
        self._end()

    def kill(self) -> None:
        self.process.kill()
        self._end()

    def _end(self) -> None:
        self.process.wait(_SECONDS)
        self._monitor.close()
        self._directory.cleanup()

    # -- the hypervisor ------------------------------------------------------------------------------

    def switch(self, overlay: Location) -> None:
        """Let the guest go on in an overlay, as `blockdev-snapshot` does."""
        name = f"q{self._made}"
        self._made += 1
        file, image = _nodes(name, overlay.address, overlay.format, None, writable=True)
        self._monitor.run("blockdev-add", **file)
        self._monitor.run("blockdev-add", **image)
        self._monitor.run("blockdev-snapshot", node=self._top, overlay=name)
        self._top = name

    def chain(self) -> tuple[str, ...]:
        image: Any = self._node(self._top)["image"]
        found: list[str] = []
        while image is not None:
            found.append(image["filename"])
            image = image.get("backing-image")
        return tuple(found)

    def commit(self, *, top: str, base: str, operation: Operation) -> None:
        chain = self.chain()
        active = top == chain[0]
        away = [self._name(each) for each in chain[chain.index(top) : chain.index(base)]]
        names = {"top-node": self._name(top), "base-node": self._name(base)}
        below = {} if active else {"backing-file": base}
        self._monitor.run("block-commit", **{**_JOB, "device": self._top, **names, **below})
        self._wait(operation)
        self._let_go(away)
        if active:
            self._top = names["base-node"]

    def pull(self, *, base: str | None, operation: Operation) -> None:
        below = {} if base is None else {"base-node": self._name(base), "backing-file": base}
        chain = self.chain()
        between = [self._name(each) for each in chain[1 : None if base is None else chain.index(base)]]
        self._monitor.run("block-stream", **{**_JOB, "device": self._top, **below})
        self._wait(operation)
        self._let_go(between)

    def _let_go(self, nodes: list[str]) -> None:
        """Of what is out of the chain, as libvirt does."""
        for name in nodes:
            self._monitor.run("blockdev-del", **{"node-name": name})

    def flush(self) -> None:
        self._guest.flush()

    def resize(self, size_bytes: int) -> None:
        raise NotImplementedError("an NBD export keeps its node from growing")

    def _wait(self, operation: Operation) -> None:
        deadline = time.monotonic() + _SECONDS
        while time.monotonic() < deadline:
            operation.check()
            (job,) = self._monitor.run("query-jobs")
            if job["status"] == "ready":
                self._monitor.run("job-complete", id="job")
            if job["status"] == "concluded":
                self._monitor.run("job-dismiss", id="job")
                assert "error" not in job, job
                return
            time.sleep(0.005)
        raise TimeoutError(str(job))

    def _name(self, filename: str) -> str:
        nodes = self._monitor.run("query-named-block-nodes")
        return next(
            node["node-name"] for node in nodes if node["drv"] == "qcow2" and node["file"] == filename
        )

    def _node(self, name: str) -> Any:
        nodes = self._monitor.run("query-named-block-nodes")
        return next(node for node in nodes if node["node-name"] == name)


class _Monitor:
    """A QMP client of the fewest words."""

    def __init__(self, path: Path, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _SECONDS
        self._socket = socket.socket(socket.AF_UNIX)
        while True:
            try:
                self._socket.connect(str(path))
                break
            except OSError:
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.005)
        self._lines = self._socket.makefile("rb")
        json.loads(self._lines.readline())
        self.run("qmp_capabilities")

    def run(self, command: str, **arguments: object) -> Any:
        self._socket.sendall(json.dumps({"execute": command, "arguments": arguments}).encode())
        while True:
            said = json.loads(self._lines.readline())
            if "return" in said:
                return said["return"]
            if "error" in said:
                raise RuntimeError(f"{command}: {said['error']['desc']}")

    def close(self) -> None:
        self._lines.close()
        self._socket.close()


def _nodes(
    name: str, address: str, format: str, below: str | None, *, writable: bool
) -> tuple[dict[str, Any], dict[str, Any]]:
    file = {
        "driver": "file",
        "node-name": f"f{name}",
        "filename": os.fspath(address),
        "auto-read-only": True,
        "discard": "unmap",
    }
    image: dict[str, Any] = {
        "driver": format,
        "node-name": name,
        "file": f"f{name}",
        "read-only": not writable,
    }
    if format == "qcow2":
        image["backing"] = below
    return file, image
