"""The main story, as a new user lives it: one machine, its past, its twins and its templates.

Everything is asked for over HTTP, runs on real QEMU, and is proven from inside the guests.
"""

# ruff: noqa: F401, F811  # fixtures are imported, and then named by parameters

import pytest

from guest.built import disk_image, fast_guest
from machine_moments import numbers, of_one_moment, write_in_turn
from machine_server import MachineServer, image, server

pytestmark = pytest.mark.xdist_group("virtual machines")

MIB = 1 << 20


def test_the_story_of_a_machine(server: MachineServer, image: int) -> None:
    before = server.layers
    policy = server.policy
    lan = server.network(name="lan", vlan_id=0, cidr="10.77.0.0/24")
    web = server.machine(
        "web",
        vm_disks=[
            {"name": "root", "vm_image_id": image, "boot": True},
            {"name": "a", "size_mb": 64, "bs_policy_id": policy},
            {"name": "b", "size_mb": 64, "bs_policy_id": policy},
        ],
        vm_nics=[{"name": "eth0", "br_net_id": lan}],
    )
    with web.inside() as inside:
        boot = inside.wait_ready().boot_id
        assert inside.machine().uuid.lower() == web.uuid
        mac = web.nics()[0]["spec"]["mac_address"]
        address = inside.wait_nic(mac, 60, address=True).ipv4[0]
        assert address.startswith("10.77.0.")
        web.until(lambda found: address in found["status"]["ip_addresses"])
        inside.write_pattern("/dev/vdb", 1, 0, 8 * MIB)
        write_in_turn(inside)
        inside.start_beat("beat", "/dev/vdc", offset=40 * MIB, flush=True)
        good = web.snapshot("good")
        later = web.snapshot("later")
        inside.write_pattern("/dev/vdb", 2, 0, 8 * MIB)  # it breaks
        beat = inside.beat("beat")
        assert (beat.running, beat.error) == (True, "")
        assert inside.hello().boot_id == boot

    # two twins of the snapshot, while their source goes on
    twins = [server.clone(f"twin-{number}", vm_snap_id=good) for number in (1, 2)]
    assert server.show("vm-snaps", good)["status"]["cloned_vm_num"] == 2
    identities = {(vm.uuid, vm.nics()[0]["spec"]["mac_address"]) for vm in (web, *twins)}
    assert len({uuid for uuid, _ in identities}) == len({mac for _, mac in identities}) == 3
    for twin in twins:
        with twin.inside() as inside:
            inside.wait_ready()
            assert inside.machine().uuid.lower() == twin.uuid
            assert [nic.mac for nic in inside.nics()] == [twin.nics()[0]["spec"]["mac_address"]]
            assert inside.verify_pattern("/dev/vdb", 1, 0, 8 * MIB).matches
            assert of_one_moment(*numbers(inside))

    # one of them is made to share nothing, and a snapshot in the middle goes, while all of them run
    with web.inside() as inside, twins[0].inside() as twin:
        assert inside.hello().boot_id == boot
        running = twin.hello().boot_id
        twin.start_beat("beat", "/dev/vdc", offset=40 * MIB, flush=True)
        twins[0].do("flatten")
        twins[0].until(lambda found: found["status"]["flattened"])
        assert twin.verify_pattern("/dev/vdb", 1, 0, 8 * MIB).matches
        server.delete("vm-snaps", later)
        assert inside.verify_pattern("/dev/vdb", 2, 0, 8 * MIB).matches
        assert (inside.hello().boot_id, inside.beat("beat").error) == (boot, "")
        assert (twin.hello().boot_id, twin.stop_beat("beat").error) == (running, "")

    # back to the snapshot
    web.stop()
    web.do("rollback", vm_snap_id=good)
    web.until(lambda found: found["status"]["rollback_num"] == 1)
    web.start()
    with web.inside() as inside:
        inside.wait_ready()
        assert inside.verify_pattern("/dev/vdb", 1, 0, 8 * MIB).matches
        assert of_one_moment(*numbers(inside))
        boot = inside.hello().boot_id

        # a template of a disk as it was then, and a machine that starts from it
        kept = server.find("vm-disk-snaps", f"spec.vm_snap_id:{good} AND spec.boot:true")
        template = server.create("vm-images", name="template", bs_snap_id=kept[0]["spec"]["bs_snap_id"])
        assert inside.hello().boot_id == boot
    child = server.machine("child", vm_disks=[{"name": "root", "vm_image_id": template, "boot": True}])
    with child.inside() as inside:
        inside.wait_ready()

    # and nothing is left
    for vm in (child, *twins, web):
        if vm is web:
            vm.stop()
            server.delete("vm-snaps", good)
        vm.delete()
    server.delete("vm-images", template)
    server.delete("br-nets", lan)
    server.nothing_left()
    assert server.layers == before
