"""A machine that is deleted while its guest runs, with the snapshots that it has."""

# ruff: noqa: F401, F811  # fixtures are imported, and then named by parameters

import pytest

from guest.built import disk_image, fast_guest
from machine_server import MachineServer, image, server

pytestmark = pytest.mark.xdist_group("guest agents of virtual machines")


def test_a_running_machine_goes_with_its_snapshots_and_leaves_nothing(
    server: MachineServer, image: int
) -> None:
    policy = server.policy
    vm = server.machine("web", vm_disks=[{"vm_image_id": image}, {"size_mb": 16, "bs_policy_id": policy}])
    for name in ("one", "two"):
        vm.snapshot(name)
    server.delete("virtual-machines", vm.id)
    for kind in ("vm-snaps", "bs-snaps", "bs-volumes"):
        assert server.find(kind) == []
    server.nothing_left()
