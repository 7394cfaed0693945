"""The declaration of the disks in snapshots. Called by the reconciler, and by the service of snapshots."""

from typing import Annotated

import msgspec

from stratal.compute.domain import Bus, CacheMode
from stratal.kernel.fields import Status, TenantSpec, count_field
from stratal.kernel.kind import Kind, Reference


class VmDiskSnapSpec(TenantSpec, kw_only=True, omit_defaults=True):
    """A disk as it was when the snapshot was taken."""

    vm_snap_id: Annotated[int, msgspec.Meta(description="The snapshot that it is a part of.")]
    vm_disk_id: Annotated[int, msgspec.Meta(description="The disk, which may be gone.")]
    bs_snap_id: Annotated[int, msgspec.Meta(description="The snapshot of its volume.")]
    bs_volume_id: Annotated[int, msgspec.Meta(description="Its volume.")]
    bus: Bus
    boot: bool
    size_mb: Annotated[int, msgspec.Meta(description="MiB that it had.")]


class VmDiskSnapPrivate(msgspec.Struct, kw_only=True):
    """What a rollback or a clone needs beside that."""

    target: str = ""
    cache_mode: CacheMode = CacheMode.NONE
    delete_volume_with_vm: bool = False


class VmDiskSnapStatus(Status, kw_only=True, omit_defaults=True):
    """What is observed of a disk in a snapshot."""

    allocated_size_byte: Annotated[int, msgspec.Meta(description="Bytes that nobody but it needs.")] = (
        count_field()
    )


VM_DISK_SNAP = Kind(
    name="vm_disk_snap",
    plural="vm-disk-snaps",
    type_name="VmDiskSnap",
    spec=VmDiskSnapSpec,
    status=VmDiskSnapStatus,
    private=VmDiskSnapPrivate,
    references=(
        Reference(field="vm_snap_id", kind="vm_snap", weak=True),
        Reference(field="bs_snap_id", kind="bs_snap", weak=True),
    ),
)
