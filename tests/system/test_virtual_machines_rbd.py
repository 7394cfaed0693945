"""A machine whose disks are images of a real Ceph, over HTTP and from inside."""

# ruff: noqa: F401, F811  # fixtures are imported, and then named by parameters

from collections.abc import Iterator
from pathlib import Path

import pytest

from ceph import Cluster, ceph_pool, shared_ceph
from guest.built import disk_image, fast_guest
from machine_moments import as_they_were
from machine_server import MachineServer, image, machine_server, why_not

pytestmark = [pytest.mark.timeout(900), pytest.mark.xdist_group("ceph")]

MIB = 1 << 20


@pytest.fixture(scope="module")
def server(shared_ceph: Cluster, disk_image: Path) -> Iterator[MachineServer]:
    """In the network of its Ceph."""
    reason = why_not()
    if reason is not None:
        pytest.skip(reason)
    with machine_server({"STRATAL_STORAGE__CEPH_CONF": str(shared_ceph.conf)}, apart=False) as server:
        yield server
        assert server.complaints() == []


@pytest.fixture(scope="module")
def policy(server: MachineServer, ceph_pool: str) -> int:
    return server.create("bs-policies", name="ceph", driver="rbd", place=ceph_pool)


def test_the_story_of_a_machine_on_ceph(
    server: MachineServer, policy: int, ceph_pool: str, shared_ceph: Cluster, disk_image: Path
) -> None:
    root = server.upload("linux", disk_image, format="qcow2", bs_policy_id=policy)
    web = server.machine(
        "web",
        vm_disks=[
            {"name": "root", "vm_image_id": root, "bs_policy_id": policy, "boot": True},
            {"name": "a", "size_mb": 64, "bs_policy_id": policy},
            {"name": "b", "size_mb": 64, "bs_policy_id": policy},
        ],
    )
    with web.inside() as inside:
        boot = inside.wait_ready().boot_id
        inside.write_pattern("/dev/vdb", 1, 0, 8 * MIB)
        inside.start_beat("beat", "/dev/vdc", offset=40 * MIB, flush=True)
        good = web.snapshot("good")
        inside.write_pattern("/dev/vdb", 2, 0, 8 * MIB)  # it breaks
        later = web.snapshot("later")
        with as_they_were(web, inside, good) as (first, second):
            assert inside.verify_pattern(first, 1, 0, 8 * MIB).matches
            beats = inside.read_beats(second, offset=40 * MIB)
            assert (beats.missing, beats.torn) == (0, 0)
        server.delete("vm-snaps", later)
        disk = web.disks()[1]["metadata"]["id"]
        server.change("vm-disks", disk, size_mb=96)
        inside.wait_device(web.disks()[1]["status"]["serial"], 60, size_bytes=96 * MIB)
        beat = inside.stop_beat("beat")
        assert (beat.error, inside.hello().boot_id) == ("", boot)
        assert inside.verify_pattern("/dev/vdb", 2, 0, 8 * MIB).matches

    twin = server.clone("twin", vm_snap_id=good)
    with twin.inside() as its:
        its.wait_ready()
        assert its.verify_pattern("/dev/vdb", 1, 0, 8 * MIB).matches
        twin.do("flatten")
        twin.until(lambda found: found["status"]["flattened"])
        assert its.verify_pattern("/dev/vdb", 1, 0, 8 * MIB).matches

    web.stop()
    web.do("rollback", vm_snap_id=good)
    web.until(lambda found: found["status"]["rollback_num"] == 1)
    web.start()
    with web.inside() as inside:
        inside.wait_ready(after_boot=boot)
        assert inside.verify_pattern("/dev/vdb", 1, 0, 8 * MIB).matches

    web.stop()
    server.delete("vm-snaps", good)  # the twin shares nothing with it any more
    with twin.inside() as its:
        assert its.verify_pattern("/dev/vdb", 1, 0, 8 * MIB).matches
    for vm in (web, twin):
        vm.delete()
    server.delete("vm-images", root)
    server.nothing_left()
    server.delete("bs-policies", policy)


def test_a_machine_boots_by_uefi(server: MachineServer, image: int) -> None:
    # its firmware and the guest's kernel and files do not fit into less memory together
    disks = [{"vm_image_id": image, "boot": True}]
    vm = server.machine("modern", bios="uefi", memory_mb=256, vm_disks=disks)
    with vm.inside() as inside:
        inside.wait_ready()
        assert inside.machine().firmware == "uefi"
    vm.delete()
    server.nothing_left()
