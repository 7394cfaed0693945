"""What comes, goes and changes on a running machine, seen from inside; how it starts, stops and reboots."""

# ruff: noqa: F401, F811  # fixtures are imported, and then named by parameters

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from guest.built import disk_image, fast_guest
from image_files import iso
from machine_server import MachineServer, Vm, image, is_active, server

pytestmark = pytest.mark.xdist_group("devices of virtual machines")

MIB = 1 << 20


@pytest.fixture(scope="module")
def lan(server: MachineServer) -> int:
    return server.network(name="lan", vlan_id=0, cidr="10.78.0.0/24")


@pytest.fixture(scope="module")
def web(server: MachineServer, image: int, lan: int) -> Iterator[Vm]:
    """One machine for all of these tests."""
    vm = server.machine(
        "web",
        vm_disks=[{"name": "root", "vm_image_id": image, "boot": True}],
        vm_nics=[{"name": "eth0", "br_net_id": lan}],
        vm_cd_roms=[{"name": "cd"}],
    )
    with vm.inside() as inside:
        inside.wait_ready()
    yield vm
    vm.delete()
    server.nothing_left()


def test_a_disk_comes_grows_and_goes_while_the_guest_runs(server: MachineServer, web: Vm) -> None:
    with web.inside() as inside:
        boot = inside.wait_ready().boot_id
        disk = server.create("vm-disks", name="data", vm_id=web.id, size_mb=32, bs_policy_id=server.policy)
        serial = server.until("vm-disks", disk, lambda found: found["status"]["attached"])["status"]["serial"]
        volume = server.show("vm-disks", disk)["spec"]["bs_volume_id"]
        path = inside.wait_device(serial, 60, size_bytes=32 * MIB).path
        inside.write_pattern(path, 7, 0, 32 * MIB)
        server.change("vm-disks", disk, size_mb=48)
        inside.wait_device(serial, 60, size_bytes=48 * MIB)
        server.until("vm-disks", disk, lambda found: found["status"]["size_mb"] == 48)
        inside.write_pattern(path, 7, 32 * MIB, 16 * MIB)
        assert inside.verify_pattern(path, 7, 0, 48 * MIB).matches
        server.delete("vm-disks", disk)
        inside.wait_no_device(serial, 60)
        assert inside.hello().boot_id == boot
    server.delete("bs-volumes", volume)  # a disk that is taken out of a machine is still there


def test_an_interface_comes_and_goes_while_the_guest_runs(server: MachineServer, web: Vm, lan: int) -> None:
    with web.inside() as inside:
        inside.wait_ready()
        nic = server.create("vm-nics", name="eth1", vm_id=web.id, br_net_id=lan)
        mac = server.show("vm-nics", nic)["spec"]["mac_address"]
        address = inside.wait_nic(mac, 60, address=True).ipv4[0]
        server.until("vm-nics", nic, lambda found: address in found["status"]["ip_addresses"])
        server.change("vm-nics", nic, link_up=False)
        server.until("vm-nics", nic, lambda found: is_active(found) and not found["status"]["link_up"])
        assert not inside.wait_nic(mac).link
        server.delete("vm-nics", nic)
        assert mac not in [each.mac for each in inside.nics()]


def test_a_disc_is_put_in_and_taken_out_while_the_guest_runs(
    server: MachineServer, web: Vm, tmp_path: Path
) -> None:
    drive = server.find("vm-cd-roms", f"spec.vm_id:{web.id}")[0]["metadata"]["id"]
    disc = server.upload("disc", iso(tmp_path / "disc.iso", sectors=512), type="iso", format="iso")
    with web.inside() as inside:
        inside.wait_ready()
        assert [device.medium for device in inside.devices() if device.kind == "cdrom"] == [False]
        server.change("vm-cd-roms", drive, vm_image_id=disc)
        server.until("vm-cd-roms", drive, lambda found: is_active(found) and found["status"]["inserted"])
        path = next(device.path for device in inside.devices() if device.kind == "cdrom")
        assert inside.run(f"dd if={path} bs=1 skip=32769 count=5 2>/dev/null").output == "CD001"
        server.change("vm-cd-roms", drive, vm_image_id=None)
        server.until("vm-cd-roms", drive, lambda found: is_active(found) and not found["status"]["inserted"])
        assert [device.medium for device in inside.devices() if device.kind == "cdrom"] == [False]
    server.delete("vm-images", disc)


def test_a_template_is_made_of_a_snapshot_and_started_while_its_source_runs(
    server: MachineServer, web: Vm
) -> None:
    with web.inside() as inside:
        boot = inside.wait_ready().boot_id
        moment = web.snapshot("moment")
        kept = server.find("vm-disk-snaps", f"spec.vm_snap_id:{moment}")[0]["spec"]["bs_snap_id"]
        template = server.create("vm-images", name="template", bs_snap_id=kept)
        child = server.machine("child", vm_disks=[{"vm_image_id": template, "boot": True}])
        with child.inside() as its:
            assert its.wait_ready().boot_id != boot
        server.delete("vm-snaps", moment)
        assert inside.hello().boot_id == boot
    child.delete()
    server.delete("vm-images", template)


def test_what_a_running_guest_cannot_follow_waits_for_its_next_boot(server: MachineServer, web: Vm) -> None:
    with web.inside() as inside:
        boot = inside.wait_ready().boot_id
        server.change("virtual-machines", web.id, cpu_num=2)
        waiting = web.until(lambda found: is_active(found) and found["status"]["cpu_num"] == 1)
        assert waiting["spec"]["cpu_num"] == 2
        assert "cpu_num" in str(waiting["metadata"])
        assert inside.machine().cpus == 1
        web.do("stop")  # presses the power button
        web.until_stopped()
        web.start()
        assert inside.wait_ready(after_boot=boot).boot_id != boot
        assert inside.machine().cpus == 2
        assert web.now["status"]["cpu_num"] == 2


def test_a_guest_reboots_by_itself_and_by_force(web: Vm) -> None:
    with web.inside() as inside:
        boot, process = inside.wait_ready().boot_id, web.qemu
        for force in (False, True):
            web.do("reboot", force=force)
            after = inside.wait_ready(after_boot=boot).boot_id
            assert after != boot
            boot = after
        web.until(lambda found: found["status"]["reboot_num"] == 2)
        assert web.qemu == process


def test_a_guest_that_ignores_its_power_button_stops_by_force(web: Vm) -> None:
    with web.inside() as inside:
        inside.wait_ready()
        inside.power_button("ignore")
        web.do("stop")
        web.until(lambda _: inside.power_button().presses)
        assert web.now["status"]["power_state"] != "stopped"
    web.do("stop", force=True)
    web.until_stopped()
    web.start()
    with web.inside() as inside:
        inside.wait_ready()


def test_the_console_asks_for_its_password_and_nobody_shows_it(server: MachineServer, web: Vm) -> None:
    web.stop()
    changed = server.change(
        "virtual-machines", web.id, graphics_auth_enabled=True, graphics_password="sEcret7"
    )
    assert "sEcret7" not in str(changed)
    web.start()
    port = web.now["status"]["graphics_port"]
    assert _vnc_security_types(port) == {2}, "RFB's own password"
    path = f"/virtual-machines/{web.id}/:verify-gpasswd"
    right, wrong = (
        server.client.post(path, json={"spec": {"password": password}}) for password in ("sEcret7", "other")
    )
    assert right.is_success
    assert wrong.status_code == 400
    command_line = Path(f"/proc/{web.qemu}/cmdline").read_bytes()
    assert b"sEcret7" not in command_line
    assert "sEcret7" not in (server.directory / "log").read_text()


def _vnc_security_types(port: int) -> set[int]:
    """What a VNC server asks of who connects (RFC 6143, 7.1.2)."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        stream = connection.makefile("rwb")
        stream.write(stream.read(12))
        stream.flush()
        return set(stream.read(stream.read(1)[0]))
