"""Machines whose guest agent fails: they are told of, and never frozen."""

# ruff: noqa: F401, F811  # fixtures are imported, and then named by parameters

from collections.abc import Iterator

import pytest

from guest.built import disk_image, fast_guest
from guest.control import GuestControl
from machine_server import MachineServer, Vm, image, server

pytestmark = pytest.mark.xdist_group("guest agents of virtual machines")


@pytest.fixture(scope="module")
def web(server: MachineServer, image: int) -> Iterator[Vm]:
    """One machine with three disks for all of these tests."""
    policy = server.policy
    vm = server.machine(
        "web",
        vm_disks=[
            {"vm_image_id": image, "boot": True},
            {"name": "a", "size_mb": 64, "bs_policy_id": policy},
            {"name": "b", "size_mb": 64, "bs_policy_id": policy},
        ],
    )
    with vm.inside() as inside:
        inside.wait_ready()
    yield vm
    vm.stop()
    for snapshot in server.find("vm-snaps"):
        server.delete("vm-snaps", snapshot["metadata"]["id"])
    vm.delete()
    server.nothing_left()


@pytest.fixture
def inside(web: Vm) -> Iterator[GuestControl]:
    with web.inside() as inside:
        inside.wait_ready()
        yield inside


def test_a_guest_whose_agent_hangs_is_never_frozen(
    server: MachineServer, web: Vm, inside: GuestControl
) -> None:
    web.until(lambda found: found["status"]["guest_agent_state"] == "connected")
    assert inside.run("/sbin/mke2fs -q -F -t ext4 /dev/vdb 16M", 60).code == 0
    inside.mount("/dev/vdb", "/mnt")
    inside.write_file("/mnt/note", "quiet")
    quiet = web.snapshot("quiet", quiesce=True)
    assert not inside.frozen("/mnt", 5)
    inside.agent("hang")
    made = server.ask("/vm-snaps/", name="loud", vm_id=web.id, quiesce=True)["metadata"]["id"]
    told = f'resource_type:virtual_machine AND resource_id:{web.id} AND message:~".*agent.*"'
    server.client.get("/events/").raise_for_status()
    server.until("vm-snaps", made, lambda _: server.find("events", told))
    assert not inside.frozen("/mnt", 5)
    inside.agent("run")
    server.active("vm-snaps", made)
    assert not inside.frozen("/mnt", 5)
    inside.unmount("/mnt")
    for snapshot in (quiet, made):
        server.delete("vm-snaps", snapshot)
