"""libvirtd or QEMU is killed at the worst moments: what should hold then, and does not always.

Not part of `make test`: runs have ended in a snapshot that was never made or a guest that was not started
again, once libvirtd had come back with another idea of its machines than QEMU has. Run it by name:

    .venv/bin/python -m pytest tests/system/rough_hypervisor_kills.py
"""

# ruff: noqa: F401, F811  # fixtures are imported, and then named by parameters

import time

import pytest
from test_virtual_machines_killed import MIB, contents, inside, nothing_left_of_snapshots, until, web

from guest.built import disk_image, fast_guest
from guest.control import GuestControl
from machine_moments import as_they_were, numbers, of_one_moment, stop_writing, write_in_turn
from machine_server import MachineServer, Vm, image, kill, server

pytestmark = [pytest.mark.timeout(600), pytest.mark.xdist_group("killed hypervisors")]


# -- libvirtd ------------------------------------------------------------------------------------------------


def test_a_libvirtd_that_is_killed_comes_back_and_the_guest_does_not_notice(
    server: MachineServer, web: Vm, inside: GuestControl
) -> None:
    boot, process, daemon = inside.hello().boot_id, web.qemu, server.libvirtd
    assert daemon is not None
    inside.start_beat("beat", "/dev/vdc", offset=40 * MIB, flush=True)
    kill(daemon)
    web.snapshot("without")
    assert server.libvirtd != daemon
    beat = inside.stop_beat("beat")
    assert (beat.error, inside.hello().boot_id, web.qemu) == ("", boot, process)


@pytest.mark.parametrize("milliseconds", [10, 60])
def test_a_libvirtd_that_is_killed_in_a_snapshot_and_in_the_merge_after_it_loses_nothing(
    server: MachineServer, web: Vm, inside: GuestControl, milliseconds: int
) -> None:
    inside.write_pattern("/dev/vdb", 20, 0, 16 * MIB)
    before = len(server.layers)
    made = server.ask("/vm-snaps/", name="cut", vm_id=web.id)["metadata"]["id"]
    until(lambda: len(server.layers) > before)
    time.sleep(milliseconds / 1000)
    kill_libvirtd(server)
    server.active("vm-snaps", made)
    inside.wait_ready()
    inside.write_pattern("/dev/vdb", 21, 0, 16 * MIB)
    with as_they_were(web, inside, made) as (then, _):
        assert inside.verify_pattern(then, 20, 0, 16 * MIB).matches
    assert server.client.delete(f"/vm-snaps/{made}").status_code == 202
    time.sleep(milliseconds / 1000)
    kill_libvirtd(server)
    server.client.gone("vm-snaps", made, 90)
    # QEMU 7.2 itself may crash when its monitor goes away in a merge: then the guest has booted again
    web.until_running()
    inside.wait_ready()
    assert inside.verify_pattern("/dev/vdb", 21, 0, 16 * MIB).matches


def kill_libvirtd(server: MachineServer) -> None:
    daemon = server.libvirtd
    assert daemon is not None
    kill(daemon)


# -- QEMU ----------------------------------------------------------------------------------------------------


def test_a_guest_whose_qemu_is_killed_in_a_snapshot_is_started_again_and_the_snapshot_is_there(
    server: MachineServer, web: Vm, inside: GuestControl
) -> None:
    boot, process, before = inside.hello().boot_id, web.qemu, len(server.layers)
    inside.write_pattern("/dev/vdb", 4, 0, 8 * MIB)
    made = server.ask("/vm-snaps/", name="cut", vm_id=web.id)["metadata"]["id"]
    until(lambda: len(server.layers) > before)  # an overlay is there: it is about to be switched to
    kill(process)
    server.active("vm-snaps", made)
    inside.wait_ready(after_boot=boot)
    web.until_running()
    assert web.qemu != process
    assert inside.verify_pattern("/dev/vdb", 4, 0, 8 * MIB).matches
    inside.write_pattern("/dev/vdb", 5, 0, 8 * MIB)
    with as_they_were(web, inside, made) as (then, _):
        assert inside.verify_pattern(then, 4, 0, 8 * MIB).matches


@pytest.mark.parametrize("in_use", [False, True], ids=["into the one below", "into the one above"])
def test_a_merge_in_which_qemu_is_killed_is_brought_to_its_end(
    server: MachineServer, web: Vm, inside: GuestControl, in_use: bool
) -> None:
    boot, process = inside.hello().boot_id, web.qemu
    inside.write_pattern("/dev/vdb", 6, 0, 32 * MIB)
    first = web.snapshot("first")
    inside.write_pattern("/dev/vdb", 7, 0, 16 * MIB)
    second = web.snapshot("second")
    inside.write_pattern("/dev/vdb", 8, 0, 4 * MIB)
    marked = marks(server)
    gone = second if in_use else first
    assert server.client.delete(f"/vm-snaps/{gone}").status_code == 202
    until(lambda: marks(server) - marked)  # a layer has begun to go away
    kill(process)
    server.client.gone("vm-snaps", gone, 90)
    inside.wait_ready(after_boot=boot)
    web.until_running()
    assert inside.verify_pattern("/dev/vdb", 8, 0, 4 * MIB).matches
    assert inside.verify_pattern("/dev/vdb", 7, 4 * MIB, 12 * MIB).matches
    assert inside.verify_pattern("/dev/vdb", 6, 16 * MIB, 16 * MIB).matches
    with as_they_were(web, inside, first if in_use else second) as (then, _):
        seed = 6 if in_use else 7
        assert inside.verify_pattern(then, seed, 0, 16 * MIB).matches
        assert inside.verify_pattern(then, 6, 16 * MIB, 16 * MIB).matches


def marks(server: MachineServer) -> set[str]:
    """The layers that are on their way into others."""
    return {path.name for path in server.layers if path.suffix == ".absorbed"}


def test_a_flattening_in_which_qemu_is_killed_is_brought_to_its_end(
    server: MachineServer, web: Vm, inside: GuestControl
) -> None:
    boot, process = inside.hello().boot_id, web.qemu
    root = web.volumes()[0]
    occupied = sum(path.stat().st_blocks for path in server.layers)
    web.do("flatten")
    until(lambda: sum(path.stat().st_blocks for path in server.layers) > occupied + 4 * MIB // 512)
    kill(process)
    inside.wait_ready(after_boot=boot)
    web.until(lambda found: found["status"]["flattened"])
    assert server.show("bs-volumes", root)["status"]["flattened"]
    web.until_running()
    boot = inside.hello().boot_id
    web.stop()
    web.start()  # from what was copied
    assert inside.wait_ready(after_boot=boot).boot_id != boot
