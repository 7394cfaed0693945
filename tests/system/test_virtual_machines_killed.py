"""The server is killed at the worst moments: no snapshot, merge or write is lost, and the guest goes on.

`rough_hypervisor_kills` kills libvirtd and QEMU.
"""

# ruff: noqa: F401, F811  # fixtures are imported, and then named by parameters

import time
from collections.abc import Callable, Iterator

import pytest

from guest.built import disk_image, fast_guest
from guest.control import GuestControl
from machine_moments import as_they_were, numbers, of_one_moment, stop_writing, write_in_turn
from machine_server import MachineServer, Vm, image, kill, server

pytestmark = [pytest.mark.timeout(600), pytest.mark.xdist_group("killed virtual machines")]

MIB = 1 << 20


@pytest.fixture(scope="module")
def web(server: MachineServer, image: int) -> Iterator[Vm]:
    """One machine with three disks for all of these tests; in the end it leaves nothing."""
    before, policy = server.layers, server.policy
    lan = server.network(name="lan", vlan_id=0, cidr="10.79.0.0/24")
    vm = server.machine(
        "web",
        vm_disks=[
            {"vm_image_id": image, "boot": True},
            {"name": "a", "size_mb": 64, "bs_policy_id": policy},
            {"name": "b", "size_mb": 64, "bs_policy_id": policy},
        ],
        vm_nics=[{"name": "eth0", "br_net_id": lan}],
    )
    yield vm
    vm.delete()
    server.nothing_left()
    server.delete("br-nets", lan)
    server.kill()
    server.start()  # names that a merge under a guest had to leave go at the start at the latest
    until(lambda: server.layers == before)


@pytest.fixture
def inside(web: Vm) -> Iterator[GuestControl]:
    """The guest, which has ended well when the test has: every guest of these tests has the same files."""
    web.until_running()
    with web.inside() as inside:
        inside.wait_ready()
        yield inside


@pytest.fixture(autouse=True)
def nothing_left_of_snapshots(server: MachineServer, web: Vm) -> Iterator[None]:
    """A test's snapshots go in the end, and with them all layers but those that its machine stands on."""
    yield
    for snapshot in server.find("vm-snaps"):
        id = int(snapshot["metadata"]["id"])
        if snapshot["metadata"]["state"]["state"] != "deleting":
            assert server.client.delete(f"/vm-snaps/{id}").status_code in (202, 404)
        server.client.gone("vm-snaps", id, 90)


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def contents(server: MachineServer) -> int:
    """How many files there are, by whatever names: a merge under a guest leaves it the name that it knows."""
    return len({path.stat().st_ino for path in server.layers if path.suffix == ".qcow2"})


# -- the server ----------------------------------------------------------------------------------------------


def test_a_server_that_is_killed_in_a_snapshot_loses_nothing_and_the_guest_does_not_notice(
    server: MachineServer, web: Vm, inside: GuestControl
) -> None:
    boot, process = inside.hello().boot_id, web.qemu
    write_in_turn(inside)
    made = server.ask("/vm-snaps/", name="cut", vm_id=web.id)["metadata"]["id"]
    server.kill()
    server.start()
    server.active("vm-snaps", made)
    web.until_running()
    stop_writing(inside)
    assert (inside.hello().boot_id, web.qemu) == (boot, process)
    with as_they_were(web, inside, made) as (first, second):
        assert of_one_moment(*numbers(inside, (first, second)))


def test_a_server_that_is_killed_in_a_merge_loses_nothing_and_the_guest_does_not_notice(
    server: MachineServer, web: Vm, inside: GuestControl
) -> None:
    boot, process = inside.hello().boot_id, web.qemu
    before = contents(server)
    first = web.snapshot("first")
    inside.write_pattern("/dev/vdb", 3, 40 * MIB, 16 * MIB)
    made = web.snapshot("second")
    inside.start_beat("beat", "/dev/vdc", offset=40 * MIB, flush=True)
    for snapshot in (made, first):
        assert server.client.delete(f"/vm-snaps/{snapshot}").status_code == 202
    server.kill()
    server.start()
    for snapshot in (made, first):
        server.client.gone("vm-snaps", snapshot, 90)
    until(lambda: contents(server) == before)
    beat = inside.stop_beat("beat")
    assert (beat.error, inside.hello().boot_id, web.qemu) == ("", boot, process)
    assert inside.verify_pattern("/dev/vdb", 3, 40 * MIB, 16 * MIB).matches


def test_snapshots_are_taken_while_those_before_are_merged_away(
    server: MachineServer, web: Vm, inside: GuestControl
) -> None:
    boot, process = inside.hello().boot_id, web.qemu
    web.snapshot("base")
    for number in range(4):
        inside.write_pattern("/dev/vdb", number, 40 * MIB, 8 * MIB)
        passing = web.snapshot(f"passing-{number}")
        assert server.client.delete(f"/vm-snaps/{passing}").status_code == 202
    assert inside.verify_pattern("/dev/vdb", 3, 40 * MIB, 8 * MIB).matches
    assert (inside.hello().boot_id, web.qemu) == (boot, process)
