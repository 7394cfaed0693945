"""What only real processes can suffer: libvirtd, QEMU and the process that uses them are killed or hang."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypervisor_ground import MIB, Ground, new_id, seen, top_of
from hypervisor_suite import swept
from qemu_graph import chain_in_qemu

from libvirt_host import LibvirtHost
from stratal.compute.domain import Cause, Chain, FileImage, Firmware, MachineId, PowerState
from stratal.compute.drivers.contract import Happening, MachineEvent
from stratal.compute.drivers.errors import HypervisorUnavailable, JobFailed, MachineNotRunning
from stratal.compute.drivers.libvirt import LibvirtHypervisor
from stratal.compute.drivers.libvirt.daemon import Daemon
from stratal.kernel.effects import ENVIRONMENT_VARIABLE
from stratal.kernel.errors import StratalError

pytestmark = [pytest.mark.timeout(900), pytest.mark.xdist_group("libvirt")]

_PROGRAM = [sys.executable, str(Path(__file__).with_name("libvirt_life.py"))]


@pytest.fixture
def hypervisor(libvirt_host: LibvirtHost) -> Generator[LibvirtHypervisor]:
    driver = libvirt_host.driver("one", patience_seconds=30)
    with swept(driver):
        yield driver
    driver.close()


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return Ground(folder=tmp_path, real=True)


def paths(chain: Chain) -> list[str]:
    return [str(image.path) for image in chain if isinstance(image, FileImage)]


def test_machines_outlive_libvirtd_and_are_found_again(
    hypervisor: LibvirtHypervisor, libvirt_host: LibvirtHost, ground: Ground
) -> None:
    definition = ground.definition()
    hypervisor.start(definition)
    before, pid = seen(hypervisor, definition.machine), libvirt_host.qemu_pid(definition.machine)
    heard: list[MachineEvent] = []
    with hypervisor.subscribe(heard.append):
        connection = hypervisor.link._connected()
        libvirt_host.kill_daemon()
        assert seen(hypervisor, definition.machine) == before
        assert libvirt_host.qemu_pid(definition.machine) == pid
        deadline = time.monotonic() + 10
        while MachineEvent(machine=None, what=Happening.STATE) not in heard:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        hypervisor.link._closed(connection, 0, None)  # libvirt may tell late that the old one is closed
        time.sleep(1)
        assert heard.count(MachineEvent(machine=None, what=Happening.STATE)) == 1
    hypervisor.pause(definition.machine)
    hypervisor.resume(definition.machine)


def test_a_new_process_finds_machines_and_starts_libvirtd_if_it_must(
    hypervisor: LibvirtHypervisor, libvirt_host: LibvirtHost, ground: Ground
) -> None:
    definition = ground.definition()
    hypervisor.start(definition)
    libvirt_host.kill_daemon()
    successor = libvirt_host.driver("one")
    assert seen(successor, definition.machine).alive
    successor.close()


def test_a_killed_qemu_shows_as_a_crash_and_starts_again(
    hypervisor: LibvirtHypervisor, libvirt_host: LibvirtHost, ground: Ground
) -> None:
    definition = ground.definition()
    hypervisor.start(definition)
    libvirt_host.kill_qemu(definition.machine)
    deadline = time.monotonic() + 10
    while seen(hypervisor, definition.machine).alive:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    found = seen(hypervisor, definition.machine)
    assert (found.power_state, found.cause) == (PowerState.CRASHED, Cause.CRASH)
    hypervisor.start(definition)
    assert seen(hypervisor, definition.machine).power_state is PowerState.RUNNING


def test_a_qemu_that_died_without_libvirtd_is_not_taken_for_running(
    hypervisor: LibvirtHypervisor, libvirt_host: LibvirtHost, ground: Ground
) -> None:
    definition = ground.definition()
    hypervisor.start(definition)
    libvirt_host.kill_daemon()
    libvirt_host.kill_qemu(definition.machine)
    deadline = time.monotonic() + 20
    while seen(hypervisor, definition.machine).alive:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    hypervisor.start(definition)
    assert seen(hypervisor, definition.machine).alive


def test_snapshots_survive_a_libvirtd_that_is_killed_at_any_moment(
    hypervisor: LibvirtHypervisor, libvirt_host: LibvirtHost, ground: Ground
) -> None:
    chance = random.Random(1)
    definition = ground.definition(ground.disk("vda"), ground.disk("vdb"))
    hypervisor.start(definition)
    machine = definition.machine
    for _ in range(8):
        overlays = {target: ground.overlay(top_of(hypervisor, machine, target)) for target in ("vda", "vdb")}
        before = seen(hypervisor, machine).disks["vda"].chain
        killer = threading.Timer(chance.uniform(0.002, 0.03), libvirt_host.kill_daemon)
        killer.start()
        hypervisor.snapshot(machine, overlays)
        killer.join()
        found = seen(hypervisor, machine)
        assert found.disks["vda"].chain == (overlays["vda"], *before)
        assert chain_in_qemu(hypervisor, machine) == paths(found.disks["vda"].chain)


def test_jobs_survive_a_libvirtd_that_is_killed_at_any_moment(
    hypervisor: LibvirtHypervisor, libvirt_host: LibvirtHost, ground: Ground
) -> None:
    chance = random.Random(2)
    definition = ground.definition(ground.disk(length=9))
    hypervisor.start(definition)
    machine = definition.machine
    for turn in range(6):
        chain = seen(hypervisor, machine).disks["vda"].chain
        top = 0 if turn % 2 else 1
        killer = threading.Timer(chance.uniform(0.002, 0.04), libvirt_host.kill_daemon)
        killer.start()
        try:
            hypervisor.commit(machine, "vda", top=chain[top], base=chain[top + 1]).run()
        except JobFailed:  # then nothing was changed, and it goes on when it is tried again
            killer.join()
            if chain_in_qemu(hypervisor, machine) != paths(chain):
                # QEMU ended a job that libvirtd never wrote down: libvirt has the old chain until the guest
                # is started anew, and that chain reads the same
                for path in paths(chain):
                    subprocess.run(["qemu-img", "check", "-q", "-U", path], check=True)
                return
            hypervisor.commit(machine, "vda", top=chain[top], base=chain[top + 1]).run()
        except MachineNotRunning:
            # QEMU 7.2 dies when asked for its nodes as a job comes apart, as libvirtd does when it starts
            for path in paths(chain):
                subprocess.run(["qemu-img", "check", "-q", "-U", path], check=True)
            return
        killer.join()
        found = seen(hypervisor, machine)
        assert found.disks["vda"].chain == chain[:top] + chain[top + 1 :]
        assert chain_in_qemu(hypervisor, machine) == paths(found.disks["vda"].chain)


def test_a_qemu_killed_during_a_job_leaves_a_chain_that_starts(
    hypervisor: LibvirtHypervisor, libvirt_host: LibvirtHost, ground: Ground
) -> None:
    definition = ground.definition(ground.disk(length=4))
    machine, chain = definition.machine, definition.disks[0].chain
    for top, base in ((chain[1], chain[2]), (chain[0], chain[3])):
        hypervisor.start(definition)
        killer = threading.Timer(0.004, libvirt_host.kill_qemu, args=(machine,))
        killer.start()
        with suppress(StratalError):
            hypervisor.commit(machine, "vda", top=top, base=base).run()
        killer.join()
        for path in paths(chain):
            subprocess.run(["qemu-img", "check", "-q", "-U", path], check=True)


def test_no_verb_hangs_on_a_libvirtd_that_hangs(libvirt_host: LibvirtHost, ground: Ground) -> None:
    driver = libvirt_host.driver("one", patience_seconds=1)
    driver.probe()
    pid = Daemon(libvirt_host.directory).pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        with pytest.raises(HypervisorUnavailable):
            driver.observe(new_id())
        assert time.monotonic() - begun < 60
    finally:
        os.kill(pid, signal.SIGCONT)
    driver.close()


def test_a_hanging_machine_keeps_nobody_from_the_others(
    hypervisor: LibvirtHypervisor, libvirt_host: LibvirtHost, ground: Ground
) -> None:
    hanging, other = ground.definition(), ground.definition()
    hypervisor.start(hanging)
    hypervisor.start(other)
    # A libvirtd that has just been started looks at all machines, one of which must not hang then.
    assert all(seen(hypervisor, each.machine).alive for each in (hanging, other))
    pid = libvirt_host.qemu_pid(hanging.machine)
    os.kill(pid, signal.SIGSTOP)
    asked = threading.Thread(target=_ask_in_vain, args=(hypervisor, hanging.machine))
    try:
        asked.start()
        begun = time.monotonic()
        hypervisor.pause(other.machine)
        hypervisor.resume(other.machine)
        assert time.monotonic() - begun < 10
        assert seen(hypervisor, hanging.machine).alive  # and to look at it takes time, but not for ever
        assert time.monotonic() - begun < 40
    finally:
        os.kill(pid, signal.SIGCONT)
        asked.join()


def _ask_in_vain(hypervisor: LibvirtHypervisor, machine: MachineId) -> None:
    with suppress(StratalError):
        hypervisor.pause(machine)


def test_a_machine_with_uefi_starts_and_takes_its_variables_with_it(
    hypervisor: LibvirtHypervisor, ground: Ground
) -> None:
    nvram = ground.folder / "nvram.fd"
    definition = replace(ground.definition(), firmware=Firmware.UEFI, nvram=nvram, memory_bytes=128 * MIB)
    hypervisor.start(definition)
    assert nvram.exists()
    hypervisor.power_off(definition.machine)
    hypervisor.remove(definition.machine)
    assert not nvram.exists()


def test_the_password_of_a_console_is_in_no_process_list(
    hypervisor: LibvirtHypervisor, libvirt_host: LibvirtHost, ground: Ground
) -> None:
    definition = ground.definition()
    definition = replace(definition, graphics=replace(definition.graphics, password="s3cr3t-w", spice=True))
    hypervisor.start(definition)
    pid = libvirt_host.qemu_pid(definition.machine)
    assert b"s3cr3t-w" not in Path(f"/proc/{pid}/cmdline").read_bytes()
    assert b"s3cr3t-w" not in Path(f"/proc/{pid}/environ").read_bytes()


def test_a_process_killed_after_any_effect_is_followed_by_one_that_ends_its_work(
    libvirt_host: LibvirtHost, tmp_path: Path
) -> None:
    """SIGKILL after each side effect of a machine's life. The suite, which kills nobody for good, passes the
    points before them as well."""
    points = tmp_path / "points"
    assert _live(libvirt_host, tmp_path, new_id(), "", str(points)) == 0
    passed = sorted({point for point in points.read_text().split() if point.endswith(".after")})
    assert len(passed) > 20
    for point in (each for each in passed if each.startswith("libvirt.daemon.")):
        libvirt_host.kill_daemon()
        _killed_at(libvirt_host, tmp_path, point)
    others = [each for each in passed if not each.startswith("libvirt.daemon.")]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda point: _killed_at(libvirt_host, tmp_path, point), others))
    assert libvirt_host.driver("life").survey() == {}


def _killed_at(host: LibvirtHost, folder: Path, point: str) -> None:
    """Live until there, and then once more to the end."""
    images, machine = folder / point, new_id()
    images.mkdir()
    assert _live(host, images, machine, point) == -signal.SIGKILL, point
    assert _live(host, images, machine, "") == 0, point


def _live(host: LibvirtHost, folder: Path, machine: MachineId, crash_at: str, *more: str) -> int:
    return subprocess.run(
        [*_PROGRAM, str(host.directory), str(folder), machine, *more],
        env={**os.environ, ENVIRONMENT_VARIABLE: crash_at},
        check=False,
    ).returncode
