"""The kernel and its modules, taken out of Debian's package."""

import lzma
import re
import struct
from pathlib import Path

from failure import BuildFailed

#: In the order in which they are loaded, each after what it needs. What a machine lacks costs it little.
MODULES = (
    "crc32c-intel",
    "crc32c_generic",
    "virtio_pci",
    "virtio_console",
    "virtio_blk",
    "virtio_scsi",
    "virtio_net",
    "virtio-rng",
    "sd_mod",
    "sr_mod",
    "ahci",
    "ata_piix",
    "ata_generic",
    "e1000",
    "e1000e",
    "8139cp",
    "button",
    "evdev",
    "pvpanic-pci",
    "pvpanic-mmio",
    "ext4",
    "isofs",
    "nls_cp437",
    "nls_ascii",
    "vfat",
    "efivarfs",
)

#: Words for the command line that leave out what a guest of a few minutes can do without: 0.3 s under TCG.
QUICK_BOOT = "quiet mitigations=off nokaslr cryptomgr.notests audit=0 rcupdate.rcu_expedited=1"

# Offsets in the kernel's first sectors: Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header".
_SETUP_SECTORS = 0x1F1
_PAYLOAD_OFFSET = 0x248
_DEPENDS = re.compile(rb"\0depends=([^\0]*)\0")


def vmlinuz(package_root: Path) -> Path:
    """The kernel as boot loaders and UEFI take it."""
    found = sorted((package_root / "boot").glob("vmlinuz-*"))
    if len(found) != 1:
        raise BuildFailed(f"expected one kernel in {package_root}/boot, found {len(found)}")
    return found[0]


def vmlinux(image: bytes) -> bytes:
    """The kernel uncompressed, for its PVH entry: unpacking it in the guest takes 3 s under TCG."""
    offset, length = struct.unpack_from("<II", image, _PAYLOAD_OFFSET)
    start = (image[_SETUP_SECTORS] + 1) * 512 + offset
    payload = image[start : start + length]
    if not payload.startswith(b"\xfd7zXZ"):
        raise BuildFailed("the kernel is not compressed by xz, as Debian 12's is")
    # Four bytes with the size follow the xz stream, which is why lzma.decompress() would not do.
    return lzma.LZMADecompressor(lzma.FORMAT_XZ).decompress(payload)


def unsigned(module: bytes) -> bytes:
    """A module without its signature, which the kernel can do without: all take 0.4 s to verify under TCG.

    The signature's length is in the twelve bytes before the mark: struct module_signature of the kernel.
    """
    mark = b"~Module signature appended~\n"
    if not module.endswith(mark):
        return module
    (length,) = struct.unpack(">8xI", module[-len(mark) - 12 : -len(mark)])
    return module[: -len(mark) - 12 - length]


def module_files(package_root: Path) -> list[Path]:
    """MODULES and all that they need, in an order in which they can be loaded."""
    files = {_name(file.stem): file for file in (package_root / "lib/modules").rglob("*.ko")}
    ordered: dict[str, Path] = {}

    def add(name: str) -> None:
        if name in ordered:
            return
        if name not in files:
            raise BuildFailed(f"the kernel has no module {name}")
        depends = _DEPENDS.search(files[name].read_bytes())
        for needed in filter(None, depends[1].decode().split(",") if depends else []):
            add(_name(needed))
        ordered[name] = files[name]

    for module in MODULES:
        add(_name(module))
    return list(ordered.values())


def _name(module: str) -> str:
    """Modules are told apart with - and _ taken for the same."""
    return module.replace("-", "_")
