"""A disk that boots the guest by itself, with BIOS and with UEFI, as an image that a user uploads.

    sector 0        partition table, with the boot code of SYSLINUX
    partition 1     FAT: SYSLINUX for BIOS, systemd-boot for UEFI, a kernel for each, the initramfs
    partition 2     ext4, labelled stratal-data: mounted on /data by the guest

No rights of root: the file systems are made in plain files.
"""

import gzip
import os
import shutil
import struct
import subprocess
from pathlib import Path

import quick
from kernel import QUICK_BOOT

PACKAGES = ("syslinux", "syslinux-common", "mtools", "systemd-boot-efi", *quick.PACKAGES)
DATA_LABEL = "stratal-data"

_MIB = 1 << 20
_SECTOR = 512
_BOOT_START, _BOOT_SIZE = 1 * _MIB, 62 * _MIB
_DATA_START, _DATA_SIZE = 64 * _MIB, 64 * _MIB
_DISK_SIZE = 128 * _MIB

_COMMAND_LINE = f"console=tty0 console=ttyS0 {QUICK_BOOT} stratal.data={DATA_LABEL} stratal.shell=tty1"
_SYSLINUX = f"""\
DEFAULT stratal
PROMPT 0
TIMEOUT 0
LABEL stratal
  LINUX /quick
  INITRD /initramfs
  APPEND {_COMMAND_LINE}
"""
_LOADER = "timeout 0\ndefault stratal.conf\neditor no\n"
_ENTRY = f"title Stratal guest\nlinux /vmlinuz\ninitrd /initramfs\noptions {_COMMAND_LINE}\n"

#: 2026-01-01, for everything in the file systems: the same sources make the same disk.
_EPOCH = 1767225600
_UUID = "5ca1ab1e-0000-4000-8000-000000000001"


def build(result: Path, packages: Path, scratch: Path) -> None:
    """Write disk.qcow2 beside the kernel and the initramfs of `result`."""
    raw = scratch / "disk.raw"
    with raw.open("wb") as file:
        file.truncate(_DISK_SIZE)
        file.write(_partition_table((packages / "usr/lib/syslinux/mbr/mbr.bin").read_bytes()))
    _place(_boot_partition(result, packages, scratch), raw, _BOOT_START)
    _place(_data_partition(scratch), raw, _DATA_START)
    command = ["qemu-img", "convert", "-c", "-f", "raw", "-O", "qcow2", raw, result / "disk.qcow2"]
    subprocess.run(command, check=True)


def _partition_table(code: bytes) -> bytes:
    """A PC's master boot record: code, a signature, four entries of 16 bytes, 55 AA."""
    entries = _partition(0x80, 0xEF, _BOOT_START, _BOOT_SIZE) + _partition(0, 0x83, _DATA_START, _DATA_SIZE)
    return code[:440].ljust(440, b"\0") + b"STRA\0\0" + entries.ljust(64, b"\0") + b"\x55\xaa"


def _partition(flags: int, kind: int, start: int, size: int) -> bytes:
    # fe ff ff: beyond what cylinders, heads and sectors can say; everybody reads the sector numbers.
    chs = b"\xfe\xff\xff"
    return struct.pack("<B3sB3sII", flags, chs, kind, chs, start // _SECTOR, size // _SECTOR)


def _boot_partition(result: Path, packages: Path, scratch: Path) -> Path:
    partition = scratch / "boot.fat"
    tree = scratch / "boot"
    _write(tree / "syslinux.cfg", _SYSLINUX)
    _write(tree / "loader/loader.conf", _LOADER)
    _write(tree / "loader/entries/stratal.conf", _ENTRY)
    (tree / "EFI/BOOT").mkdir(parents=True)
    shutil.copyfile(packages / "usr/lib/systemd/boot/efi/systemd-bootx64.efi", tree / "EFI/BOOT/BOOTX64.EFI")
    image = (result / "vmlinuz").read_bytes()
    (tree / "vmlinuz").write_bytes(image)
    (tree / "quick").write_bytes(quick.pack(image, (result / "vmlinux").read_bytes(), packages, scratch))
    # The BIOS reads slower than the kernel unpacks; xz would be the other way round.
    (tree / "initramfs").write_bytes(gzip.compress((result / "initramfs").read_bytes(), 9, mtime=0))
    for path in [*tree.rglob("*"), tree]:
        os.utime(path, (_EPOCH, _EPOCH))
    environment = {
        **os.environ,
        "PATH": f"{packages}/usr/bin:{os.environ['PATH']}",
        "SOURCE_DATE_EPOCH": str(_EPOCH),
        "TZ": "UTC",
        "MTOOLS_SKIP_CHECK": "1",
    }

    def run(*command: str | Path) -> None:
        subprocess.run(command, env=environment, check=True, stdin=subprocess.DEVNULL, capture_output=True)

    geometry = ["-T", str(_BOOT_SIZE // _SECTOR), "-H", str(_BOOT_START // _SECTOR), "-s", "63", "-h", "255"]
    run("mformat", "-C", "-i", partition, *geometry, "-N", "57a7a100", "-v", "STRATAL", "::")
    run("mcopy", "-i", partition, "-s", "-m", *sorted(tree.iterdir()), "::")
    run("syslinux", "--install", partition)
    return partition


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _data_partition(scratch: Path) -> Path:
    image = scratch / "data.ext4"
    with image.open("wb") as file:
        file.truncate(_DATA_SIZE)
    options = f"hash_seed={_UUID},root_owner=0:0,lazy_itable_init=0"
    command = ["mke2fs", "-q", "-F", "-t", "ext4", "-L", DATA_LABEL, "-U", _UUID, "-E", options, str(image)]
    # mke2fs is in /sbin, which is not on everybody's path.
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    subprocess.run(command, env={**os.environ, "PATH": path, "E2FSPROGS_FAKE_TIME": str(_EPOCH)}, check=True)
    return image


def _place(part: Path, disk: Path, offset: int) -> None:
    """Copy a partition into the disk, leaving holes where it has zeros."""
    command = ["dd", f"if={part}", f"of={disk}", "bs=1M", f"seek={offset // _MIB}", "conv=notrunc,sparse"]
    subprocess.run(command, check=True, capture_output=True)
