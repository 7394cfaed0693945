"""The declaration of the disks of virtual machines. Called by the service, the reconciler and the faces."""

from typing import Annotated

import msgspec

from stratal.compute.domain import Bus, CacheMode
from stratal.kernel.fields import CreateSpec, Id, Name, Status, TenantSpec, Text, UpdateSpec, count_field
from stratal.kernel.kind import Kind, Reference
from stratal.storage import BytesPerSecond, Iops, SizeMb

MachineId = Annotated[Id, msgspec.Meta(description="The virtual machine.")]
VolumeId = Annotated[Id, msgspec.Meta(description="The volume that it is.")]
PolicyId = Annotated[Id, msgspec.Meta(description="The policy of the volume that is made for it.")]
ImageId = Annotated[Id, msgspec.Meta(description="The image that its volume starts as.")]
DiskBus = Annotated[Bus, msgspec.Meta(description="What it hangs on in the guest.")]
Boot = Annotated[bool, msgspec.Meta(description="Whether it is the disk that the guest boots from.")]
Cache = Annotated[CacheMode, msgspec.Meta(description="Of the host's page cache.")]
DeleteVolume = Annotated[
    bool, msgspec.Meta(description="Whether its volume is deleted when its virtual machine is.")
]


class VmDiskSpec(TenantSpec, kw_only=True, omit_defaults=True):
    """What is wanted of a disk."""

    vm_id: MachineId
    bs_volume_id: VolumeId
    bus: DiskBus
    boot: Boot
    size_mb: SizeMb
    bs_policy_id: PolicyId | None = None
    vm_image_id: ImageId | None = None
    cache_mode: Cache
    max_total_iops: Iops
    max_total_bw_bps: BytesPerSecond
    delete_volume_with_vm: DeleteVolume


class VmDiskPrivate(msgspec.Struct, kw_only=True):
    """What no answer shows."""

    #: its place in the guest, such as vda: given at its creation, and kept whatever comes and goes beside it
    target: str = ""
    #: it is being deleted with its machine, and takes its volume with it
    takes_volume: bool = False


class VmDiskStatus(Status, kw_only=True, omit_defaults=True):
    """What is observed of a disk."""

    device: Annotated[str | None, msgspec.Meta(description="Its place in the guest, such as vda.")] = None
    serial: Annotated[str | None, msgspec.Meta(description="What the guest reads as its serial.")] = None
    size_mb: Annotated[int, msgspec.Meta(description="MiB that the guest sees.")] = count_field()
    attached: Annotated[bool, msgspec.Meta(description="Whether a running guest has it.")] = msgspec.field(
        default_factory=bool
    )
    problem: Annotated[str | None, msgspec.Meta(description="What keeps it from being as it shall.")] = None


class NewDisk(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A disk of a virtual machine that is being created.

    Either a volume that exists (`bs_volume_id`), or a new one: of an image (`vm_image_id`) or empty
    (`size_mb` and `bs_policy_id`).
    """

    name: Name | msgspec.UnsetType = msgspec.UNSET
    description: Text = ""
    bs_volume_id: VolumeId | msgspec.UnsetType = msgspec.UNSET
    vm_image_id: ImageId | msgspec.UnsetType = msgspec.UNSET
    bs_policy_id: PolicyId | msgspec.UnsetType = msgspec.UNSET
    size_mb: SizeMb | msgspec.UnsetType = msgspec.UNSET
    bus: DiskBus = Bus.VIRTIO
    boot: Boot | msgspec.UnsetType = msgspec.UNSET
    cache_mode: Cache = CacheMode.NONE
    max_total_iops: Iops | msgspec.UnsetType = msgspec.UNSET
    max_total_bw_bps: BytesPerSecond | msgspec.UnsetType = msgspec.UNSET
    delete_volume_with_vm: DeleteVolume | msgspec.UnsetType = msgspec.UNSET


class VmDiskCreate(CreateSpec, kw_only=True, forbid_unknown_fields=True):
    """What a client says of a new disk.

    Either a volume that exists (`bs_volume_id`), or a new one: of an image (`vm_image_id`) or empty
    (`size_mb` and `bs_policy_id`).
    """

    vm_id: MachineId
    bs_volume_id: VolumeId | msgspec.UnsetType = msgspec.UNSET
    vm_image_id: ImageId | msgspec.UnsetType = msgspec.UNSET
    bs_policy_id: PolicyId | msgspec.UnsetType = msgspec.UNSET
    size_mb: SizeMb | msgspec.UnsetType = msgspec.UNSET
    bus: DiskBus = Bus.VIRTIO
    boot: Boot | msgspec.UnsetType = msgspec.UNSET
    cache_mode: Cache = CacheMode.NONE
    max_total_iops: Iops | msgspec.UnsetType = msgspec.UNSET
    max_total_bw_bps: BytesPerSecond | msgspec.UnsetType = msgspec.UNSET
    delete_volume_with_vm: DeleteVolume | msgspec.UnsetType = msgspec.UNSET


class VmDiskUpdate(UpdateSpec, kw_only=True, forbid_unknown_fields=True):
    """What a client may change of a disk. Its bus changes only while its machine is stopped."""

    size_mb: SizeMb | msgspec.UnsetType = msgspec.UNSET
    bus: DiskBus | msgspec.UnsetType = msgspec.UNSET
    boot: Boot | msgspec.UnsetType = msgspec.UNSET
    max_total_iops: Iops | msgspec.UnsetType = msgspec.UNSET
    max_total_bw_bps: BytesPerSecond | msgspec.UnsetType = msgspec.UNSET
    delete_volume_with_vm: DeleteVolume | msgspec.UnsetType = msgspec.UNSET


VM_DISK = Kind(
    name="vm_disk",
    plural="vm-disks",
    type_name="VmDisk",
    spec=VmDiskSpec,
    status=VmDiskStatus,
    private=VmDiskPrivate,
    # weak: the services of machines and volumes look after deletions, and say more about why not
    references=(
        Reference(field="vm_id", kind="virtual_machine", weak=True),
        Reference(field="bs_volume_id", kind="bs_volume", weak=True),
    ),
    unique=(("bs_volume_id",),),
)
