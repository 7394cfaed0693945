"""The declaration of the CD-ROM drives in snapshots. Called by the service of snapshots."""

from typing import Annotated

import msgspec

from stratal.compute.vm_cd_rom.model import DriveBus
from stratal.kernel.fields import Status, TenantSpec
from stratal.kernel.kind import Kind, Reference


class VmCdRomSnapSpec(TenantSpec, kw_only=True, omit_defaults=True):
    """A CD-ROM drive as it was when the snapshot was taken."""

    vm_snap_id: Annotated[int, msgspec.Meta(description="The snapshot that it is a part of.")]
    vm_cd_rom_id: Annotated[int, msgspec.Meta(description="The drive, which may be gone.")]
    vm_image_id: Annotated[int | None, msgspec.Meta(description="The image in it, which may be gone.")] = None
    bus: DriveBus


class VmCdRomSnapPrivate(msgspec.Struct, kw_only=True):
    """What a rollback or a clone needs beside that."""

    target: str = ""
    boot_order: int | None = None


class VmCdRomSnapStatus(Status, kw_only=True, omit_defaults=True):
    """There is nothing to be observed."""


VM_CD_ROM_SNAP = Kind(
    name="vm_cd_rom_snap",
    plural="vm-cd-rom-snaps",
    type_name="VmCdRomSnap",
    spec=VmCdRomSnapSpec,
    status=VmCdRomSnapStatus,
    private=VmCdRomSnapPrivate,
    references=(Reference(field="vm_snap_id", kind="vm_snap", weak=True),),
)
