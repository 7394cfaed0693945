"""The declaration of CD-ROM drives. Called by the service, the reconciler and the faces."""

from enum import StrEnum
from typing import Annotated

import msgspec

from stratal.kernel.fields import CreateSpec, Id, Name, Status, TenantSpec, Text, UpdateSpec
from stratal.kernel.kind import Kind, Reference


class DriveBus(StrEnum):
    """What a drive can hang on."""

    SATA = "sata"
    IDE = "ide"


MachineId = Annotated[Id, msgspec.Meta(description="The virtual machine.")]
ImageId = Annotated[Id, msgspec.Meta(description="The ISO image in the tray; null: it is empty.")]
Bus = Annotated[DriveBus, msgspec.Meta(description="What it hangs on in the guest.")]
BootPosition = Annotated[
    int, msgspec.Meta(ge=1, le=64, description="Among the drives of its machine: the lowest is tried first.")
]


class VmCdRomSpec(TenantSpec, kw_only=True, omit_defaults=True):
    """What is wanted of a CD-ROM drive."""

    vm_id: MachineId
    vm_image_id: ImageId | None = None
    bus: Bus
    boot_order: BootPosition | None = None


class VmCdRomPrivate(msgspec.Struct, kw_only=True):
    """What no answer shows."""

    #: its place in the guest, such as sda
    target: str = ""


class VmCdRomStatus(Status, kw_only=True, omit_defaults=True):
    """What is observed of a CD-ROM drive."""

    device: Annotated[str | None, msgspec.Meta(description="Its place in the guest, such as hdc.")] = None
    inserted: Annotated[bool, msgspec.Meta(description="Whether a running guest has an image in it.")] = (
        msgspec.field(default_factory=bool)
    )
    problem: Annotated[str | None, msgspec.Meta(description="What keeps it from being as it shall.")] = None


class NewCdRom(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A CD-ROM drive of a virtual machine that is being created."""

    name: Name | msgspec.UnsetType = msgspec.UNSET
    description: Text = ""
    vm_image_id: ImageId | None = None
    bus: Bus = DriveBus.SATA
    boot_order: BootPosition | None = None


class VmCdRomCreate(CreateSpec, kw_only=True, forbid_unknown_fields=True):
    """What a client says of a new CD-ROM drive."""

    vm_id: MachineId
    vm_image_id: ImageId | None = None
    bus: Bus = DriveBus.SATA
    boot_order: BootPosition | None = None


class VmCdRomUpdate(UpdateSpec, kw_only=True, forbid_unknown_fields=True):
    """What a client may change of a CD-ROM drive: null takes out what is in it."""

    vm_image_id: ImageId | msgspec.UnsetType | None = msgspec.UNSET
    boot_order: BootPosition | msgspec.UnsetType | None = msgspec.UNSET


VM_CD_ROM = Kind(
    name="vm_cd_rom",
    plural="vm-cd-roms",
    type_name="VmCdRom",
    spec=VmCdRomSpec,
    status=VmCdRomStatus,
    private=VmCdRomPrivate,
    references=(
        Reference(field="vm_id", kind="virtual_machine", weak=True),
        Reference(field="vm_image_id", kind="vm_image"),
    ),
)
