"""The libvirt driver with a guest that has an operating system, and what that sees from inside."""

import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypervisor_ground import GIB, MIB, Ground, new_id, seen, top_of
from hypervisor_suite import swept
from qemu_graph import chain_in_qemu, qmp

from guest.built import GuestFiles, fast_guest  # noqa: F401
from guest.control import CONTROL_PORT, GuestControl
from guest.pattern import pattern
from libvirt_host import LibvirtHost
from stratal.compute.domain import (
    AgentState,
    Bus,
    Cause,
    CdRom,
    Channel,
    DirectBoot,
    Disk,
    FileImage,
    MachineDefinition,
    MachineId,
    Nic,
    PowerState,
)
from stratal.compute.drivers.errors import AgentUnavailable, MachineBusy
from stratal.compute.drivers.libvirt import LibvirtHypervisor

pytestmark = [pytest.mark.timeout(600), pytest.mark.xdist_group("libvirt")]


@dataclass(frozen=True, kw_only=True)
class Running:
    """A machine with a booted guest."""

    definition: MachineDefinition
    inside: GuestControl
    ground: Ground

    @property
    def machine(self) -> MachineId:
        return self.definition.machine


@pytest.fixture(scope="module")
def hypervisor(libvirt_host: LibvirtHost) -> Generator[LibvirtHypervisor]:
    driver = libvirt_host.driver("guests")
    with swept(driver):
        yield driver
    driver.close()


@contextmanager
def booted(hypervisor: LibvirtHypervisor, files: GuestFiles, folder: Path) -> Generator[Running]:
    """A new machine with two disks, until it is ended."""
    ground = Ground(folder=folder, real=True)
    with tempfile.TemporaryDirectory(prefix="stratal-g-", dir="/tmp") as sockets:
        socket = Path(sockets, "control")
        definition = MachineDefinition(
            machine=new_id(),
            name="guest",
            memory_bytes=256 * MIB,
            disks=(
                replace(ground.disk("vda"), serial="first"),
                replace(ground.disk("vdb"), serial="second"),
            ),
            cd_roms=(CdRom(target="sda", bus=Bus.SATA),),
            channels=(Channel(name=CONTROL_PORT, socket=socket),),
            console_log=folder / "console.log",
            direct_boot=DirectBoot(
                kernel=files.vmlinux, initramfs=files.initramfs, command_line=files.command_line
            ),
        )
        hypervisor.start(definition)
        try:
            with GuestControl(socket) as inside:
                inside.wait_ready()
                yield Running(definition=definition, inside=inside, ground=ground)
        finally:
            hypervisor.power_off(definition.machine)
            hypervisor.remove(definition.machine)


@pytest.fixture(scope="module")
def guest(
    hypervisor: LibvirtHypervisor,
    fast_guest: GuestFiles,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> Generator[Running]:
    """One that all tests share which leave it running."""
    with booted(hypervisor, fast_guest, tmp_path_factory.mktemp("guest")) as running:
        yield running


def soon(happens: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def read(image: FileImage, length: int) -> bytes:
    """From outside, what a layer of a running machine reads as."""
    raw = image.path.with_suffix(".raw")
    command = ["qemu-img", "convert", "-U", "-f", "qcow2", "-O", "raw", str(image.path), str(raw)]
    subprocess.run(command, check=True)
    with raw.open("rb") as file:
        content = file.read(length)
    raw.unlink()
    return content


def snap(hypervisor: LibvirtHypervisor, guest: Running, **how: object) -> None:
    overlays = {
        target: guest.ground.overlay(top_of(hypervisor, guest.machine, target)) for target in ("vda", "vdb")
    }
    hypervisor.snapshot(guest.machine, overlays, **how)  # pyright: ignore


def test_a_snapshot_holds_what_was_written_before_it_and_nothing_after(
    hypervisor: LibvirtHypervisor, guest: Running
) -> None:
    guest.inside.write_pattern("/dev/vda", 1, 0, MIB)
    frozen = top_of(hypervisor, guest.machine)
    snap(hypervisor, guest)
    guest.inside.write_pattern("/dev/vda", 2, 0, MIB)
    assert read(frozen, MIB) == pattern(1, 0, MIB)
    assert guest.inside.verify_pattern("/dev/vda", 2, 0, MIB).matches


def test_the_guest_hardly_stands_still_for_a_snapshot(hypervisor: LibvirtHypervisor, guest: Running) -> None:
    guest.inside.start_beat("pause", "/dev/vdb", offset=64 * MIB)
    time.sleep(1)
    guest.inside.beat("pause", mark=True)
    snap(hypervisor, guest)
    gap = guest.inside.stop_beat("pause").largest_gap_ns / 1e9
    assert gap < 2


def test_layers_are_merged_under_a_guest_that_writes(hypervisor: LibvirtHypervisor, guest: Running) -> None:
    for seed in range(3, 7):
        guest.inside.write_pattern("/dev/vda", seed, seed * MIB, 2 * MIB)
        snap(hypervisor, guest)
    guest.inside.start_beat("merge", "/dev/vda", offset=64 * MIB)
    chain = seen(hypervisor, guest.machine).disks["vda"].chain
    hypervisor.commit(guest.machine, "vda", top=chain[1], base=chain[2]).run()
    chain = seen(hypervisor, guest.machine).disks["vda"].chain
    hypervisor.commit(guest.machine, "vda", top=chain[0], base=chain[1]).run()
    hypervisor.pull(guest.machine, "vda", base=None).run()
    assert len(seen(hypervisor, guest.machine).disks["vda"].chain) == 1
    guest.inside.stop_beat("merge")
    for seed in range(3, 6):
        assert guest.inside.verify_pattern("/dev/vda", seed, seed * MIB, MIB).matches
    assert guest.inside.verify_pattern("/dev/vda", 6, 6 * MIB, 2 * MIB).matches


def test_snapshots_are_taken_and_disks_measured_while_layers_of_another_disk_are_merged(
    hypervisor: LibvirtHypervisor, guest: Running
) -> None:
    """Each of them has libvirt ask QEMU for its nodes, which is deadly in the instant in which a job ends."""
    machine, sizes = guest.machine, hypervisor.disk_sizes(guest.machine)
    taken: list[FileImage] = []
    measured: list[Mapping[str, int]] = []
    merged = threading.Event()

    def look_and_snap() -> None:
        while not merged.is_set():
            overlay = guest.ground.overlay(top_of(hypervisor, machine, "vdb"))
            hypervisor.snapshot(machine, {"vdb": overlay})
            taken.append(overlay)
            with suppress(MachineBusy):
                measured.append(hypervisor.disk_sizes(machine))

    guest.inside.start_beat("beside", "/dev/vda", offset=64 * MIB)
    boot = guest.inside.hello().boot_id
    with ThreadPoolExecutor() as beside:
        done = beside.submit(look_and_snap)
        try:
            for seed in range(60, 64):
                for _ in range(2):
                    guest.inside.write_pattern("/dev/vda", seed, 0, 2 * MIB)
                    overlay = guest.ground.overlay(top_of(hypervisor, machine))
                    hypervisor.snapshot(machine, {"vda": overlay})
                for first in (1, 0):
                    top, below = seen(hypervisor, machine).disks["vda"].chain[first : first + 2]
                    hypervisor.commit(machine, "vda", top=top, base=below).run()
        finally:
            merged.set()
        done.result(60)
    assert guest.inside.stop_beat("beside").error == ""
    assert guest.inside.verify_pattern("/dev/vda", 63, 0, 2 * MIB).matches
    assert guest.inside.hello().boot_id == boot
    assert top_of(hypervisor, machine, "vdb") == taken[-1]
    assert {tuple(found.items()) for found in measured} <= {tuple(sizes.items())}


def test_chains_that_libvirtd_does_not_know_of_are_mended_without_losing_a_write(
    hypervisor: LibvirtHypervisor, libvirt_host: LibvirtHost, guest: Running
) -> None:
    machine, base = guest.machine, top_of(hypervisor, guest.machine)
    overlay = guest.ground.overlay(base)
    guest.inside.write_pattern("/dev/vda", 50, 0, MIB)
    # What libvirt does for a snapshot, without its writing it down.
    storage = {"driver": "file", "filename": str(overlay.path), "node-name": "libvirt-990-storage"}
    qmp(hypervisor, machine, "blockdev-add", **storage)
    layer = {"driver": "qcow2", "file": "libvirt-990-storage", "node-name": "libvirt-990-format"}
    qmp(hypervisor, machine, "blockdev-add", **layer, backing=None)
    top = next(
        device["inserted"]["node-name"]
        for device in qmp(hypervisor, machine, "query-block")
        if "virtio-disk0" in device["qdev"]
    )
    qmp(hypervisor, machine, "blockdev-snapshot", node=top, overlay="libvirt-990-format")
    assert chain_in_qemu(hypervisor, machine)[0] == str(overlay.path)
    guest.inside.write_pattern("/dev/vda", 51, 0, MIB)

    successor = libvirt_host.driver("guests")
    found = seen(successor, machine)
    assert (found.power_state, found.held) == (PowerState.RUNNING, False)
    assert chain_in_qemu(successor, machine)[0] == str(base.path)
    assert guest.inside.verify_pattern("/dev/vda", 51, 0, MIB).matches
    # Newer data below: the overlay must not hide it behind what it once held.
    guest.inside.write_pattern("/dev/vda", 52, 0, MIB)
    successor.snapshot(machine, {"vda": overlay})
    assert chain_in_qemu(successor, machine)[0] == str(overlay.path)
    assert guest.inside.verify_pattern("/dev/vda", 52, 0, MIB).matches
    successor.close()


def test_disks_come_go_and_grow_before_the_guests_eyes(hypervisor: LibvirtHypervisor, guest: Running) -> None:
    for target, bus in (("vdc", Bus.VIRTIO), ("sdc", Bus.SCSI)):
        disk = Disk(target=target, bus=bus, chain=(guest.ground.image(),), serial=f"plugged-{target}")
        hypervisor.attach_disk(guest.machine, disk)
        found = guest.inside.wait_device(f"plugged-{target}")
        guest.inside.write_pattern(found.path, 9, 0, MIB)
        hypervisor.resize_disk(guest.machine, target, size_bytes=2 * GIB)
        guest.inside.rescan()
        guest.inside.wait_device(f"plugged-{target}", size_bytes=2 * GIB)
        hypervisor.detach_disk(guest.machine, target)
        soon(lambda: target not in seen(hypervisor, guest.machine).disks)  # noqa: B023
        guest.inside.wait_no_device(f"plugged-{target}")


def test_a_medium_is_seen_in_its_drive(hypervisor: LibvirtHypervisor, guest: Running) -> None:
    image = guest.ground.image(size_bytes=MIB, form="raw")
    hypervisor.change_medium(guest.machine, "sda", (image,))
    soon(lambda: any(each.kind == "cdrom" and each.medium for each in guest.inside.devices()))
    hypervisor.change_medium(guest.machine, "sda", ())
    soon(lambda: not any(each.kind == "cdrom" and each.medium for each in guest.inside.devices()))


def test_nics_come_and_go_with_their_links(hypervisor: LibvirtHypervisor, guest: Running) -> None:
    tap, mac = "strtap-test", "52:54:00:12:34:56"
    subprocess.run(["ip", "tuntap", "add", tap, "mode", "tap"], check=True)
    try:
        hypervisor.attach_nic(guest.machine, Nic(mac=mac, tap=tap))
        assert guest.inside.wait_nic(mac).driver.startswith("virtio")
        for up in (False, True):
            hypervisor.set_link(guest.machine, mac, up=up)
            assert seen(hypervisor, guest.machine).nics[mac].link_up is up
            soon(lambda: guest.inside.wait_nic(mac).link is up)  # noqa: B023
        hypervisor.detach_nic(guest.machine, mac)
        soon(lambda: mac not in seen(hypervisor, guest.machine).nics)
        assert Path("/sys/class/net", tap).exists(), "the tap is not the machine's"
    finally:
        subprocess.run(["ip", "link", "delete", tap], check=True)


def test_the_agent_answers(hypervisor: LibvirtHypervisor, guest: Running) -> None:
    soon(lambda: seen(hypervisor, guest.machine).agent is AgentState.CONNECTED)
    hypervisor.ping_agent(guest.machine)
    assert not hypervisor.guest_frozen(guest.machine)
    hypervisor.guest_addresses(guest.machine)


def test_a_quiesced_snapshot_leaves_a_clean_file_system_and_a_thawed_guest(
    hypervisor: LibvirtHypervisor, guest: Running
) -> None:
    inside = guest.inside
    inside.make_filesystem("/dev/vdb")
    inside.mount("/dev/vdb", "/data")
    inside.write_file("/data/file", "before")
    frozen = top_of(hypervisor, guest.machine, "vdb")
    snap(hypervisor, guest, quiesce=True)
    assert not hypervisor.guest_frozen(guest.machine)
    assert not inside.frozen("/data")
    inside.write_file("/data/file", "after")
    overlay = guest.ground.overlay(frozen)
    hypervisor.attach_disk(
        guest.machine, Disk(target="vdd", bus=Bus.VIRTIO, chain=(overlay, frozen), serial="then")
    )
    device = inside.wait_device("then").path
    assert inside.check_filesystem(device).code == 0
    inside.mount(device, "/then")
    assert inside.read_file("/then/file") == "before"
    inside.unmount("/then")
    inside.unmount("/data")
    hypervisor.detach_disk(guest.machine, "vdd")
    soon(lambda: "vdd" not in seen(hypervisor, guest.machine).disks)


def test_a_silent_agent_delays_no_longer_than_it_may_and_is_thawed_when_it_is_back(
    hypervisor: LibvirtHypervisor, guest: Running
) -> None:
    chain = seen(hypervisor, guest.machine).disks["vda"].chain
    guest.inside.agent("hang")
    soon(lambda: seen(hypervisor, guest.machine).agent is AgentState.CONNECTED)
    begun = time.monotonic()
    with pytest.raises(AgentUnavailable):
        snap(hypervisor, guest, quiesce=True, seconds=2)
    assert time.monotonic() - begun < 40
    assert seen(hypervisor, guest.machine).disks["vda"].chain == chain
    guest.inside.agent("run")

    def settled() -> bool:
        with suppress(AgentUnavailable):
            hypervisor.settle(guest.machine)
            return not seen(hypervisor, guest.machine).held
        return False

    soon(settled, 60)
    soon(lambda: not hypervisor.guest_frozen(guest.machine))


def test_a_guest_goes_on_from_its_saved_memory(hypervisor: LibvirtHypervisor, guest: Running) -> None:
    memory_file = guest.ground.memory_file()
    before = guest.inside.hello()
    guest.inside.write_file("/only-in-memory", "kept")
    tops = {target: seen(hypervisor, guest.machine).disks[target].chain for target in ("vda", "vdb")}
    snap(hypervisor, guest, memory_file=memory_file)
    guest.inside.write_file("/only-in-memory", "lost")
    guest.inside.write_pattern("/dev/vda", 77, 0, MIB)
    hypervisor.power_off(guest.machine)
    disks = tuple(
        replace(disk, chain=(guest.ground.overlay(tops[disk.target][0]), *tops[disk.target]))  # pyright: ignore
        for disk in guest.definition.disks
    )
    hypervisor.start(replace(guest.definition, disks=disks), memory_file=memory_file)
    assert guest.inside.wait_ready().boot_id == before.boot_id
    assert guest.inside.read_file("/only-in-memory") == "kept"
    assert not guest.inside.verify_pattern("/dev/vda", 77, 0, MIB).matches


def test_a_guest_reboots_when_asked(hypervisor: LibvirtHypervisor, guest: Running) -> None:
    before = guest.inside.hello().boot_id
    hypervisor.reboot(guest.machine, force=True)
    assert guest.inside.wait_ready(after_boot=before).boot_id != before


def test_a_full_disk_stops_the_guest_until_there_is_space_again(
    hypervisor: LibvirtHypervisor, libvirt_host: LibvirtHost, guest: Running, tmp_path: Path
) -> None:
    # Where QEMU sees it: on hosts whose mounts are not shared, its mounts are its own.
    within = ["nsenter", "--mount", "--target", str(libvirt_host.qemu_pid(guest.machine))]
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run([*within, "mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", small], check=True)
    try:
        image = FileImage(path=small / "image.qcow2", format="qcow2")
        subprocess.run([*within, "qemu-img", "create", "-q", "-f", "qcow2", image.path, "1G"], check=True)
        disk = Disk(target="vde", bus=Bus.VIRTIO, chain=(image,), serial="small")
        hypervisor.attach_disk(guest.machine, disk)
        device = guest.inside.wait_device("small").path
        writing = threading.Thread(
            target=guest.inside.write_pattern, args=(device, 5, 0, 8 * MIB), kwargs={"seconds": 120}
        )
        writing.start()
        soon(lambda: seen(hypervisor, guest.machine).cause is Cause.IO_ERROR)
        assert seen(hypervisor, guest.machine).power_state is PowerState.PAUSED
        subprocess.run([*within, "mount", "-o", "remount,size=64m", small], check=True)
        hypervisor.resume(guest.machine)
        writing.join()
        assert guest.inside.verify_pattern(device, 5, 0, 8 * MIB).matches
        hypervisor.detach_disk(guest.machine, "vde")
        soon(lambda: "vde" not in seen(hypervisor, guest.machine).disks)
    finally:
        subprocess.run([*within, "umount", "-l", small], check=True)


def test_the_power_button_stops_a_guest_that_obeys(
    hypervisor: LibvirtHypervisor,
    fast_guest: GuestFiles,  # noqa: F811
    tmp_path: Path,
) -> None:
    with booted(hypervisor, fast_guest, tmp_path) as guest:
        guest.inside.power_button("ignore")
        hypervisor.stop(guest.machine)
        soon(lambda: guest.inside.power_button().presses > 0)
        assert seen(hypervisor, guest.machine).power_state is PowerState.RUNNING
        guest.inside.power_button("obey")
        hypervisor.stop(guest.machine)
        soon(lambda: not seen(hypervisor, guest.machine).alive)
        found = seen(hypervisor, guest.machine)
        assert (found.power_state, found.cause) == (PowerState.STOPPED, Cause.GUEST)


def test_a_guest_that_panics_has_crashed(
    hypervisor: LibvirtHypervisor,
    fast_guest: GuestFiles,  # noqa: F811
    tmp_path: Path,
) -> None:
    with booted(hypervisor, fast_guest, tmp_path) as guest:
        guest.inside.panic()
        soon(lambda: not seen(hypervisor, guest.machine).alive)
        found = seen(hypervisor, guest.machine)
        assert (found.power_state, found.cause) == (PowerState.CRASHED, Cause.CRASH)
