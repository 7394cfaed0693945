"""The guest on a disk: it boots by itself, whatever the firmware and the bus, and keeps what is written."""

import filecmp
import subprocess
import time
from pathlib import Path

import pytest

from guest import built, qemu
from guest.built import disk_image, fast_guest  # noqa: F401

pytestmark = pytest.mark.xdist_group("guest")

FIRMWARE = Path("/usr/share/OVMF/OVMF_CODE.fd")


@pytest.fixture
def overlay(disk_image: Path, tmp_path: Path) -> Path:  # noqa: F811
    """A disk of its own for the test."""
    reason = qemu.why_not()
    if reason is not None:
        pytest.skip(reason)
    path = tmp_path / "disk.qcow2"
    command = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", str(disk_image), str(path)]
    subprocess.run(command, check=True)
    return path


def _disk(path: Path, device: str = "virtio-blk-pci") -> list[str]:
    return ["-drive", f"if=none,id=d,file={path},format=qcow2", "-device", f"{device},drive=d,serial=root"]


def test_it_boots_and_keeps_its_data_and_has_an_agent(overlay: Path, tmp_path: Path) -> None:
    with qemu.Qemu(tmp_path / "q", *_disk(overlay)) as machine:
        guest = machine.control
        guest.wait_ready()
        assert guest.wait_device("root").size_bytes == 128 << 20
        guest.write_file("/data/note", "kept")
        with machine.agent() as agent:
            assert agent.call("guest-fsfreeze-freeze") == 1
            assert guest.frozen("/data")
            assert agent.call("guest-fsfreeze-thaw") == 1
        guest.reboot()
        guest.wait_ready(after_boot=guest.hello().boot_id)
        assert guest.read_file("/data/note") == "kept"
        guest.poweroff()
        assert machine.wait_end() == 0


def test_it_boots_with_uefi(overlay: Path, tmp_path: Path) -> None:
    if not FIRMWARE.exists():
        pytest.skip("ovmf is not installed; tools/setup test installs it")
    firmware = ["-machine", "q35", "-drive", f"if=pflash,format=raw,readonly=on,file={FIRMWARE}"]
    with qemu.Qemu(tmp_path / "q", *firmware, *_disk(overlay)) as machine:
        machine.control.wait_ready()

        assert machine.control.machine().firmware == "uefi"
        assert "stratal-data" in machine.control.run("cat /proc/cmdline; mount | grep /data").output


@pytest.mark.parametrize(
    ("board", "device", "bus"),
    [("pc", "ide-hd", "ata"), ("q35", "ide-hd,bus=ide.0", "ata"), ("pc", "scsi-hd", "scsi")],
)
def test_it_boots_from_ide_sata_and_scsi(
    overlay: Path, tmp_path: Path, board: str, device: str, bus: str
) -> None:
    arguments = ["-machine", board, "-device", "virtio-scsi-pci"]
    with qemu.Qemu(tmp_path / "q", *arguments, *_disk(overlay, device)) as machine:
        guest = machine.control
        guest.wait_ready()
        (disk,) = (disk for disk in guest.devices() if disk.kind == "disk")

        assert (disk.bus, disk.serial) == (bus, "root")
        assert guest.run("grep -c ' /data ext4' /proc/mounts").output == "1\n"


def test_what_a_crash_leaves_behind_is_a_file_system_that_mounts_again(overlay: Path, tmp_path: Path) -> None:
    with qemu.Qemu(tmp_path / "first", *_disk(overlay)) as machine:
        machine.control.wait_ready()
        machine.control.start_beat("b", "/data/beats", flush=True, interval_seconds=0.01)
        machine.control.write_file("/data/note", "durable")
        durable = machine.control.beat("b").written

    with qemu.Qemu(tmp_path / "second", *_disk(overlay)) as machine:
        machine.control.wait_ready()
        assert machine.control.read_file("/data/note") == "durable"
        size = int(machine.control.run("stat -c %s /data/beats").output)
        found = machine.control.read_beats("/data/beats", length=size // 4096 * 4096)
        assert found.first == 0
        assert found.last >= durable - 1
        assert (found.missing, found.torn) == (0, 0)


def test_its_screen_has_a_shell_that_takes_keys(overlay: Path, tmp_path: Path) -> None:
    with qemu.Qemu(tmp_path / "q", "-device", "VGA", *_disk(overlay)) as machine:
        machine.control.wait_ready()
        for key in [*"id", "shift-dot", "slash", *"data", "slash", "x", "ret"]:
            keys = [{"type": "qcode", "data": part} for part in key.split("-")]
            machine.monitor.call("send-key", keys=keys)
            time.sleep(0.2)
        time.sleep(1)

        assert "uid=0" in machine.control.run("cat /data/x").output


def test_two_builds_give_the_same_bytes(fast_guest: built.GuestFiles, tmp_path: Path) -> None:  # noqa: F811
    (tmp_path / "packages").symlink_to(fast_guest.disk.parents[1] / "packages")

    again = built.build(tmp_path)

    for name in ("vmlinux", "vmlinuz", "initramfs", "disk"):
        one, other = getattr(fast_guest, name), getattr(again, name)
        assert one != other
        assert filecmp.cmp(one, other, shallow=False), f"{name} differs"


def test_what_is_built_is_not_built_again(fast_guest: built.GuestFiles) -> None:  # noqa: F811
    begun = time.monotonic()

    assert built.build() == fast_guest
    assert time.monotonic() - begun < 5
