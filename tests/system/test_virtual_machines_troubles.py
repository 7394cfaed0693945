"""What happens to machines beside what is asked of them: a full disk, somebody else's hand on the host, what
is left of guests that are no more. And a guest that is copied while it runs."""

# ruff: noqa: F401, F811  # fixtures are imported, and then named by parameters

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from guest.built import disk_image, fast_guest
from guest.control import GuestControl
from machine_server import MachineServer, Resource, Vm, image, is_active, server
from stratal.network.drivers.linux.netlink import netlink
from stratal.network.drivers.linux.tap import make_tap

pytestmark = [pytest.mark.timeout(600), pytest.mark.xdist_group("troubles of virtual machines")]

MIB = 1 << 20


@pytest.fixture(scope="module")
def small(server: MachineServer) -> Path:
    """A file system of its own, with little room. Mounted before libvirtd starts, so that QEMU has it too."""
    folder = server.directory / "data" / "layers" / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", folder], check=True)
    return folder


@pytest.fixture(scope="module")
def lan(server: MachineServer, small: Path) -> int:
    return server.network(name="lan", vlan_id=0, cidr="10.80.0.0/24")


@pytest.fixture(scope="module")
def web(server: MachineServer, image: int, lan: int) -> Iterator[Vm]:
    """One machine for all of these tests; in the end it leaves nothing."""
    vm = server.machine(
        "web",
        vm_disks=[
            {"vm_image_id": image, "boot": True},
            {"name": "a", "size_mb": 64, "bs_policy_id": server.policy},
        ],
        vm_nics=[{"name": "eth0", "br_net_id": lan}],
    )
    yield vm
    vm.delete()
    server.nothing_left()


@pytest.fixture
def inside(web: Vm) -> Iterator[GuestControl]:
    web.until_running()
    with web.inside() as inside:
        inside.wait_ready()
        yield inside


def virsh(server: MachineServer, *arguments: str) -> str:
    """As an administrator of the host would, behind our back."""
    uri = f"qemu+unix:///system?socket={server.directory}/data/libvirt/run/libvirt-sock"
    command = ["virsh", "--quiet", "-c", uri, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


# -- a copy --------------------------------------------------------------------------------------------------


def test_a_running_guest_is_cloned_and_does_not_notice(
    server: MachineServer, web: Vm, inside: GuestControl
) -> None:
    boot, process = inside.hello().boot_id, web.qemu
    inside.write_pattern("/dev/vdb", 1, 0, 8 * MIB)
    inside.start_beat("beat", "/dev/vdb", offset=40 * MIB, flush=True)
    twin = server.clone("twin", vm_id=web.id)
    inside.write_pattern("/dev/vdb", 2, 0, 8 * MIB)
    with twin.inside() as its:
        hello = its.wait_ready()
        assert its.machine().uuid.lower() == twin.uuid != web.uuid
        mac = twin.nics()[0]["spec"]["mac_address"]
        assert [nic.mac for nic in its.nics()] == [mac] != [nic.mac for nic in inside.nics()]
        address = its.wait_nic(mac, 60, address=True).ipv4
        assert address != inside.wait_nic(web.nics()[0]["spec"]["mac_address"], 60, address=True).ipv4
        assert its.verify_pattern("/dev/vdb", 1, 0, 8 * MIB).matches
        kept = its.read_beats("/dev/vdb", offset=40 * MIB)
        assert (kept.missing, kept.torn) == (0, 0)
        its.write_pattern("/dev/vdb", 3, 0, 8 * MIB)
    beat = inside.stop_beat("beat")
    assert (beat.error, hello.boot_id != boot) == ("", True)
    assert beat.written > kept.count
    assert (inside.hello().boot_id, web.qemu) == (boot, process)
    assert inside.verify_pattern("/dev/vdb", 2, 0, 8 * MIB).matches
    twin.delete()


# -- somebody else's hand ------------------------------------------------------------------------------------


_OTHERS = """
<domain type='qemu'><name>{name}</name><uuid>{uuid}</uuid><memory unit='MiB'>16</memory>
<os><type arch='x86_64'>hvm</type></os></domain>
"""


def test_a_machine_that_was_removed_behind_our_back_is_there_again_and_that_of_others_is_left_alone(
    server: MachineServer, web: Vm, inside: GuestControl, tmp_path: Path
) -> None:
    boot = inside.hello().boot_id
    inside.write_pattern("/dev/vdb", 4, 0, 8 * MIB)
    other = tmp_path / "other.xml"
    # with a name like ours, but not our mark
    other.write_text(_OTHERS.format(name="stratal-other", uuid=uuid4()))
    virsh(server, "create", str(other))
    virsh(server, "undefine", web.uuid)
    virsh(server, "destroy", web.uuid)
    inside.wait_ready(after_boot=boot)
    web.until_running()
    assert inside.verify_pattern("/dev/vdb", 4, 0, 8 * MIB).matches
    assert web.uuid in virsh(server, "list", "--uuid", "--persistent")
    assert "stratal-other" in virsh(server, "list", "--name", "--state-running")
    virsh(server, "destroy", "stratal-other")


def test_a_guest_that_somebody_pauses_is_shown_so(
    server: MachineServer, web: Vm, inside: GuestControl
) -> None:
    virsh(server, "suspend", web.uuid)
    web.until(lambda found: found["status"]["power_state"] == "paused")
    virsh(server, "resume", web.uuid)
    web.until(lambda found: found["status"]["power_state"] == "running")
    assert inside.hello().boot_id


def test_taps_of_guests_that_are_no_more_are_removed_at_the_start_and_those_of_others_stay(
    server: MachineServer, web: Vm, inside: GuestControl
) -> None:
    mac = web.nics()[0]["spec"]["mac_address"]
    tap = web.nics()[0]["status"]["device"]
    boot = inside.hello().boot_id
    stray = tap.removesuffix(str(web.nics()[0]["metadata"]["id"])) + "4711"
    for name in (stray, "theirs0"):
        make_tap(name, multi_queue=False, owner_uid=0)
    server.kill()
    server.start()
    deadline = time.monotonic() + 60
    while stray in (names := devices()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert {tap, "theirs0"} <= names
    subprocess.run(["ip", "link", "delete", "theirs0"], check=True)
    assert (inside.hello().boot_id, inside.wait_nic(mac).link) == (boot, True)


def devices() -> set[str]:
    with netlink() as kernel:
        return {link.name for link in kernel.links()}


# -- a full disk ---------------------------------------------------------------------------------------------


def test_a_guest_on_a_full_disk_waits_says_why_and_loses_nothing(
    server: MachineServer, web: Vm, inside: GuestControl, small: Path
) -> None:
    boot = inside.hello().boot_id
    policy = server.create("bs-policies", name="small", driver="qcow2", place=str(small))
    disk = server.create(
        "vm-disks", name="small", vm_id=web.id, size_mb=64, bs_policy_id=policy, cache_mode="writeback"
    )
    plugged = server.until("vm-disks", disk, lambda found: found["status"]["attached"])
    path = inside.wait_device(plugged["status"]["serial"], 60).path
    inside.write_pattern(path, 5, 0, 4 * MIB)
    # more than there is room for: the guest asks, and stands still before it gets an answer
    started = inside.run(
        f"dd if={path} of={path} bs=1M count=4 seek=8 conv=notrunc,fsync && "
        f"(dd if={path} of={path} bs=1M count=4 seek=16 conv=notrunc,fsync; "
        f"echo done $? >/filled) </dev/null >/dev/null 2>&1 &"
    )
    assert started.code == 0
    full = web.until(lambda found: found["status"].get("problem"))
    assert "storage is full" in full["status"]["problem"]
    web.until(lambda found: found["status"]["power_state"] == "paused")

    # a snapshot now can't be made, and says why
    made = server.ask("/vm-snaps/", name="full", vm_id=web.id)["metadata"]["id"]
    told = f'resource_type:virtual_machine AND resource_id:{web.id} AND message:~".*space.*"'
    server.until("vm-snaps", made, lambda found: is_active(found) or server.find("events", told))

    subprocess.run(["mount", "-o", "remount,size=64m", small], check=True)
    web.until(
        lambda found: found["status"]["power_state"] == "running" and not found["status"].get("problem")
    )
    server.active("vm-snaps", made)
    assert inside.hello().boot_id == boot
    deadline = time.monotonic() + 60
    while inside.run("cat /filled").code:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert inside.read_file("/filled") == "done 0\n"
    assert inside.verify_pattern(path, 5, 0, 4 * MIB).matches
    wanted = inside.sha256(path, 0, 4 * MIB)
    assert inside.sha256(path, 8 * MIB, 4 * MIB) == wanted == inside.sha256(path, 16 * MIB, 4 * MIB)
    server.delete("vm-snaps", made)
    server.delete("vm-disks", disk)
    server.delete("bs-volumes", plugged["spec"]["bs_volume_id"])
    server.delete("bs-policies", policy)
