"""Images as qemu-img makes them, of every kind that is taken."""

import subprocess

from stratal.storage.images import (
    ImageFormat,
)

MIB = 2**20

MADE = {
    "qcow2 v3": ("qcow2", "", ImageFormat.QCOW2, "v3"),
    "qcow2 v2": ("qcow2", "compat=0.10", ImageFormat.QCOW2, "v2"),
    "qcow2 zstd": ("qcow2", "compression_type=zstd", ImageFormat.QCOW2, "v3"),
    "qcow2 extended L2": ("qcow2", "extended_l2=on,cluster_size=128k", ImageFormat.QCOW2, "v3"),
    "qcow2 small clusters": ("qcow2", "cluster_size=512", ImageFormat.QCOW2, "v3"),
    "vmdk sparse": ("vmdk", "", ImageFormat.VMDK, "monolithicSparse"),
    "vmdk stream": ("vmdk", "subformat=streamOptimized", ImageFormat.VMDK, "streamOptimized"),
    "vhdx dynamic": ("vhdx", "", ImageFormat.VHDX, "dynamic"),
    "vhdx fixed": ("vhdx", "subformat=fixed", ImageFormat.VHDX, "fixed"),
}


def qemu_img(*arguments: object) -> None:
    subprocess.run(["qemu-img", *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)
