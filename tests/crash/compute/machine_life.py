"""The life of a few machines on real QEMU and qcow2 files, as a program that the crash suite runs and kills.

    machine_life.py passed URL DIRECTORY LIBVIRT    live it, and print each crash point that was passed
    machine_life.py live URL DIRECTORY LIBVIRT      live it, saying each deed before and after it is done
    machine_life.py check URL DIRECTORY LIBVIRT SAID
                                                    after it: all is there that was said, and nothing else
    machine_life.py nursery                         for each order on stdin: fork, be one of the above, and
                                                    print what the child ended with

The guests have no system: QEMU runs, and writes nothing. It all runs in a network of its own. The folders
`tests`, `tests/crash` and this one must be on Python's path.
"""

import os
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import msgspec
import structlog
from crash_documents import Order
from machine_aftermath import check
from machine_deeds import expected
from machine_living import Living

from compute_installation import ComputeInstallation, Outside, running
from storage_installation import qcow2
from stratal.compute.drivers.contract import Accelerator
from stratal.compute.drivers.libvirt import HostProbe, LibvirtHypervisor
from stratal.kernel import effects
from stratal.kernel.engine import EngineSettings
from stratal.network.drivers.linux import LinuxNetwork, tag_of

SETTINGS = EngineSettings(
    workers=4,
    backoff_base=timedelta(milliseconds=20),
    backoff_cap=timedelta(milliseconds=400),
    poll=timedelta(seconds=0.5),
)


class Tcg(HostProbe):
    """Spares each life the look at the host."""

    def accelerator(self) -> tuple[Accelerator, str]:
        return Accelerator.TCG, "a test"


@contextmanager
def installation(url: str, directory: Path, libvirt: Path) -> Iterator[ComputeInstallation]:
    disks = directory / "disks"
    disks.mkdir(parents=True, exist_ok=True)
    hypervisor = LibvirtHypervisor(libvirt, owner=str(directory.name), host=Tcg())
    network = LinuxNetwork(tag=tag_of(str(directory)), directory=Path("/run/stratal-network"))
    outside = Outside(backends={"qcow2": qcow2(disks)}, hypervisor=hypervisor, network=network)
    try:
        with running(url, directory / "machines", outside=outside, settings=SETTINGS) as here:
            yield here
    finally:
        hypervisor.close()


def main(command: str, *arguments: str) -> None:
    if command == "nursery":
        _nursery()
        return
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    url, directory, libvirt, *said = arguments
    if command == "check":
        _check(url, Path(directory), Path(libvirt), Path(*said).read_text())
        return
    if command == "passed":
        _say_each_point()
    with installation(url, Path(directory), Path(libvirt)) as here:
        Living(here, _say).live()


def _check(url: str, directory: Path, libvirt: Path, said: str) -> None:
    with installation(url, directory, libvirt) as here:
        check(here, *expected(said))
    left = [path for path in (directory / "disks").rglob("*") if path.name != ".stratal-layers"]
    assert left == []
    assert list((directory / "machines").iterdir()) == []
    links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
    assert f" s{tag_of(str(directory))}" not in links  # a life that failed may have left devices of its own


def _say(line: str) -> None:
    os.write(1, line.encode() + b"\n")


def _say_each_point() -> None:
    lock = threading.Lock()

    def passing(point: str) -> None:
        with lock:
            _say(f"passed {point}")

    effects._pass = passing


def _nursery() -> None:
    """Importing takes far longer than being killed: here it is done once for all children."""
    import pyroute2  # noqa: F401

    for line in sys.stdin:
        order = msgspec.json.decode(line, type=Order)
        child = os.fork()
        if child == 0:
            _be_born(order)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _be_born(order: Order) -> None:
    for path, descriptor in ((order.output, 1), (order.logs, 2)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    # what a process that was started anew reads from its environment when it imports this
    effects._armed = effects._Armed(order.crash_at) if order.crash_at else None
    try:
        main(*order.arguments)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
