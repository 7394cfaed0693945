"""Snapshots with memory, and going on from that very instant: over HTTP, on real QEMU, proven from inside."""

# ruff: noqa: F401, F811  # fixtures are imported, and then named by parameters

import re
import time
from pathlib import Path

import pytest

from guest.built import disk_image, fast_guest
from guest.control import GuestControl
from machine_server import PATIENCE_SECONDS, MachineServer, Vm, image, is_active, server

pytestmark = pytest.mark.xdist_group("virtual machines")

MIB = 1 << 20
_PERIOD = 0.05
#: as long as a guest may stand still on a machine that is busy with other tests
_LONGEST_PAUSE = 20.0

_COUNTING = """(
i=0
while :; do
    i=$((i+1))
    echo $i >/run/count.new; mv /run/count.new /run/count
    printf '%-512d' $i | dd of=/dev/vdb bs=512 seek=65536 conv=notrunc,fsync
    sleep 0.05
done ) >/dev/null 2>&1 </dev/null & echo $!"""


@pytest.fixture(scope="module")
def vm(server: MachineServer, image: int) -> Vm:
    """A guest with a counter that lives in its memory alone, and says on a disk how far it is."""
    lan = server.network(name="memory", vlan_id=7, cidr="10.78.0.0/24")
    vm = server.machine(
        "memory",
        vm_disks=[
            {"name": "root", "vm_image_id": image, "boot": True},
            {"name": "data", "size_mb": 64, "bs_policy_id": server.policy},
        ],
        vm_nics=[{"name": "eth0", "br_net_id": lan}],
        vm_cd_roms=[{}],
    )
    with vm.inside() as inside:
        inside.wait_ready()
        assert inside.run("mount -t tmpfs tmpfs /run; true").code == 0
        inside.run(_COUNTING)
        inside.write_pattern("/dev/vdb", 1, 0, 4 * MIB)
        mac = vm.nics()[0]["spec"]["mac_address"]
        inside.wait_nic(mac, 60, address=True)
    for disk in vm.disks():
        server.active("vm-disks", disk["metadata"]["id"])
    return vm


def counter(guest: GuestControl) -> int:
    return int(guest.read_file("/run/count"))


def on_disk(guest: GuestControl) -> int:
    """How far the counter says on its disk that it is."""
    read = guest.run("dd if=/dev/vdb bs=512 skip=65536 count=1 iflag=direct 2>/dev/null")
    return int(re.sub(r"\D", "", read.output) or 0)


def memory_file(server: MachineServer, snapshot: int) -> Path:
    return server.directory / "data" / "machines" / f"{snapshot}.memory"


def until_back(vm: Vm, times: int) -> None:
    vm.until(lambda found: is_active(found) and found["status"]["rollback_num"] == times)
    assert vm.now["status"]["power_state"] == "running"


def test_a_guest_goes_back_to_the_very_instant_and_on_from_there(server: MachineServer, vm: Vm) -> None:
    with vm.inside() as inside:
        boot = inside.hello().boot_id
        inside.start_beat("pause", "/dev/vdb", offset=40 * MIB, echo=True)
        before = counter(inside)
        kept = vm.snapshot("kept", memory=True)
        after = counter(inside)
        assert after > before
        pause = inside.host_gap("pause").largest_gap_seconds
        print(f"the guest stood still for at most {pause:.3f} s while its memory was kept")
        assert pause < _LONGEST_PAUSE
        assert inside.stop_beat("pause").error == ""
        assert inside.hello().boot_id == boot
        # since then it goes wrong
        inside.write_pattern("/dev/vdb", 2, 0, 4 * MIB)
        inside.write_file("/run/since", "wrong")

    shown = server.client.get(f"/vm-snaps/{kept}/memory").json()
    file = memory_file(server, kept)
    assert (shown["state"], shown["size_byte"]) == ("kept", file.stat().st_blocks * 512)
    assert file.stat().st_mode & 0o777 == 0o600

    # back while it runs, and then while it is stopped: it goes on as if nothing had been
    qemu = vm.qemu
    for times in (1, 2):
        if times == 2:
            vm.stop()
        vm.do("rollback", vm_snap_id=kept)
        until_back(vm, times)
        assert vm.qemu != qemu
        qemu = vm.qemu
        with vm.inside() as inside:
            assert inside.wait_ready().boot_id == boot
            now = counter(inside)
            assert inside.run("test -e /run/since").code != 0
            assert inside.verify_pattern("/dev/vdb", 1, 0, 4 * MIB).matches
            # disk and memory are of one instant: what memory counted is what the disk says, or one less
            time.sleep(20 * _PERIOD)
            further = counter(inside)
            assert now >= before
            assert further > now
            assert abs(on_disk(inside) - counter(inside)) <= 40
            mac = vm.nics()[0]["spec"]["mac_address"]
            assert inside.wait_nic(mac, 20, address=True).ipv4
            inside.write_pattern("/dev/vdb", 3, 0, 4 * MIB)

    # the snapshot of disks alone that another one is a child of
    vm.stop()
    vm.do("rollback", vm_snap_id=kept, memory=False)
    vm.until(lambda found: is_active(found) and found["status"]["rollback_num"] == 3)
    assert vm.now["status"]["power_state"] == "stopped"
    vm.start()
    with vm.inside() as inside:
        assert inside.wait_ready().boot_id != boot
        assert inside.verify_pattern("/dev/vdb", 1, 0, 4 * MIB).matches

    server.delete("vm-snaps", kept)
    assert not file.exists()


def test_a_guest_goes_on_after_the_server_was_killed_on_the_way(server: MachineServer, vm: Vm) -> None:
    with vm.inside() as inside:
        boot = inside.wait_ready().boot_id
    times = vm.now["status"]["rollback_num"]
    asked = server.ask("/vm-snaps/", name="killed", vm_id=vm.id, memory=True)
    kept = int(asked["metadata"]["id"])
    time.sleep(0.3)
    server.kill()
    server.start()
    server.active("vm-snaps", kept)
    shown = server.client.get(f"/vm-snaps/{kept}/memory").json()
    assert shown["state"] in ("kept", "lost"), shown
    with vm.inside() as inside:
        assert inside.wait_ready().boot_id == boot
    if shown["state"] == "lost":
        server.delete("vm-snaps", kept)
        kept = vm.snapshot("again", memory=True)
    vm.stop()
    vm.do("rollback", vm_snap_id=kept)
    time.sleep(0.5)
    server.kill()
    server.start()
    until_back(vm, times + 1)
    with vm.inside() as inside:
        assert inside.wait_ready().boot_id == boot
    vm.stop()
    server.delete("vm-snaps", kept)
    vm.delete()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while server.find("vm-nics"):  # they go after their machine
        assert time.monotonic() < deadline
        time.sleep(0.1)
    [lan] = [each for each in server.find("br-nets") if each["spec"]["name"] == "memory"]
    server.delete("br-nets", lan["metadata"]["id"])
    server.nothing_left()
