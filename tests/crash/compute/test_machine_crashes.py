"""SIGKILL at the crash points that the life of a few machines passes: real QEMU, real files, a real kernel.

All of them with STRATAL_ALL_CRASH_POINTS=1, which takes long; else some, evenly spread.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from crash_programs import Nursery

import libvirt_host
import stratal.compute.drivers.libvirt
import stratal.network.drivers.linux
import stratal.storage.drivers.qcow2  # noqa: F401  their crash points are collected
from own_network import may_make_networks, own_network
from stratal.kernel.effects import Effect

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("libvirt"),
    pytest.mark.skipif(not may_make_networks(), reason="only root may make network namespaces"),
]

_PROGRAM = [sys.executable, str(Path(__file__).with_name("machine_life.py"))]
_TESTS = Path(__file__).parents[2]
_FOLDERS = (_TESTS, _TESTS / "crash", _TESTS / "crash" / "compute")
_ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, _FOLDERS))}

#: what guests with no system, no password and no trouble don't bring about, and what other suites kill
_ELSEWHERE = (
    "libvirt.cancel",
    "libvirt.daemon",
    "libvirt.empty",
    "libvirt.freeze",
    "libvirt.limits",
    "libvirt.medium",
    "libvirt.mend",
    "libvirt.password",
    "libvirt.power_button",
    "libvirt.reboot",
    "libvirt.secret",
    "libvirt.thaw",
    "linux.bond.",
    "linux.cable.",
    "linux.dhcp.",
    "linux.shaper.",
    "linux.uplink.",
    "linux.vlan.",
    "qcow2.adopt.",
    "qcow2.export.",
    "qcow2.make.convert",
    "qcow2.place.",
    "qcow2.reclaim",
)
_OURS = ("engine", "guest", "libvirt", "linux", "qcow2", "tree")
_LATER = {"engine.record.before": (30, 90, 150), "tree.record.after": (6, 12), "libvirt.snapshot.after": (2,)}
_EVERY = 1 if os.environ.get("STRATAL_ALL_CRASH_POINTS") == "1" else 5
#: what has shown most when a process was killed there
_ALWAYS = ("libvirt.commit.after", "libvirt.pivot.before")


def _crash_points() -> list[str]:
    found: list[str] = []
    for point in Effect.crash_points():
        if point.partition(".")[0] in _OURS and not point.startswith(_ELSEWHERE):
            found += [f"{point}#{passage}" for passage in (1, *_LATER.get(point, ()))]
    return [point for at, point in enumerate(found) if at % _EVERY == 0 or point.startswith(_ALWAYS)]


@pytest.fixture(scope="module")
def libvirt() -> Iterator[Path]:
    """The directory of a libvirtd that is started by who first needs it."""
    try:
        with libvirt_host.running() as host:
            yield host.directory
    except FileNotFoundError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def lives(libvirt: Path) -> Iterator[Nursery]:
    """Starts lives and what looks at their ends, all in one network of their own."""
    pipe = subprocess.PIPE
    command = [*_PROGRAM, "nursery"]
    with own_network():
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=_ENVIRONMENT)
    with process:
        yield Nursery(process)


@pytest.mark.parametrize("crash_at", _crash_points())
def test_a_life_killed_at_a_crash_point_goes_on_as_if_nothing_had_been(
    lives: Nursery, libvirt: Path, sqlite_url: str, tmp_path: Path, crash_at: str
) -> None:
    ended = lives.run(tmp_path, "live", sqlite_url, str(tmp_path), str(libvirt), crash_at=crash_at)
    # which way a merge goes, and what is found done, depends on what is quicker: a life may miss a point
    assert ended.status in (-signal.SIGKILL, 0), ended.logs
    _check(lives, sqlite_url, tmp_path, libvirt)


def test_the_life_passes_the_crash_points_of_what_can_happen_to_a_machine(
    lives: Nursery, libvirt: Path, sqlite_url: str, tmp_path: Path
) -> None:
    ended = lives.run(tmp_path, "passed", sqlite_url, str(tmp_path), str(libvirt))
    assert ended.status == 0, ended.logs
    passed = {line.split()[1] for line in ended.output.splitlines() if line.startswith("passed ")}
    for effect in ("start", "snapshot", "attach", "detach", "resize", "commit", "pull", "power_off", "reset"):
        assert f"libvirt.{effect}.after" in passed
    for effect in ("qcow2.make.publish", "qcow2.freeze", "tree.record", "engine.record"):
        assert f"{effect}.after" in passed
    _check(lives, sqlite_url, tmp_path, libvirt)


def _check(lives: Nursery, url: str, directory: Path, libvirt: Path) -> None:
    after = directory / "after"
    after.mkdir()
    ended = lives.run(after, "check", url, str(directory), str(libvirt), str(directory / "output"))
    assert ended.status == 0, ended.logs
