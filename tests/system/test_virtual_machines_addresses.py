"""Addresses of guests that no network handed out: their agents tell them."""

# ruff: noqa: F401, F811  # fixtures are imported, and then named by parameters

import pytest

from guest.built import disk_image, fast_guest
from machine_server import MachineServer, image, server

pytestmark = pytest.mark.xdist_group("guest agents of virtual machines")


def test_an_address_that_a_guest_gave_itself_is_shown_and_goes_with_it(
    server: MachineServer, image: int
) -> None:
    bare = server.network(name="bare", vlan_id=77)
    vm = server.machine("web", vm_disks=[{"vm_image_id": image}], vm_nics=[{"br_net_id": bare}])
    with vm.inside() as inside:
        inside.wait_ready()
        [nic] = inside.nics()
        assert inside.run(f"ip link set {nic.name} up && ip addr add 10.77.0.9/24 dev {nic.name}").code == 0
    vm.until(lambda found: found["status"]["ip_addresses"] == ["10.77.0.9"], 120)
    [part] = server.find("vm-nics", f"spec.vm_id:{vm.id}")
    server.until(
        "vm-nics", part["metadata"]["id"], lambda found: "10.77.0.9" in found["status"]["ip_addresses"]
    )
    vm.stop()
    vm.until(lambda found: found["status"]["ip_addresses"] == [])
    vm.delete()
    server.delete("br-nets", bare)
    server.nothing_left()
