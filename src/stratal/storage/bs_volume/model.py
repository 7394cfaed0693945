"""The declaration of volumes. Called by the service, the reconciler and the faces."""

from enum import StrEnum
from typing import Annotated, Final

import msgspec

from stratal.kernel.fields import (
    ActionSpec,
    CreateSpec,
    Id,
    Status,
    TenantSpec,
    Text,
    UpdateSpec,
    count_field,
)
from stratal.kernel.kind import Kind, Reference
from stratal.storage.bs_policy.model import BytesPerSecond, Iops
from stratal.storage.foreign import ImportPath, InPlace, RbdImage

MIB: Final = 2**20
LARGEST_MB: Final = 64 * 2**20
"""64 TiB: what the least capable of the drivers can hold in one layer."""


class DiskFormat(StrEnum):
    QCOW2 = "qcow2"
    RAW = "raw"


SourceFormat = Annotated[DiskFormat, msgspec.Meta(description="Of the file that it is made of.")]
PolicyId = Annotated[Id, msgspec.Meta(description="The policy that says where it is kept.")]
SnapshotId = Annotated[Id, msgspec.Meta(description="A snapshot.")]
SizeMb = Annotated[int, msgspec.Meta(ge=1, le=LARGEST_MB, description="MiB; only ever grows.")]
Creator = Annotated[
    str, msgspec.Meta(max_length=255, pattern=r"^[^\x00-\x1f\x7f]*$(?!\n)", description="Who made it.")
]


class BsVolumeSpec(TenantSpec, kw_only=True, omit_defaults=True):
    """What is wanted of a volume."""

    bs_policy_id: PolicyId
    bs_snap_id: Annotated[
        int | None, msgspec.Meta(description="The snapshot that it was cloned from, which may be gone.")
    ] = None
    vm_image_id: Annotated[
        int | None, msgspec.Meta(description="The image that it was made of, which may be gone.")
    ] = None
    size_mb: SizeMb
    loaded: Annotated[bool, msgspec.Meta(description="Whether somebody is to have it open.")]
    flattened: Annotated[bool, msgspec.Meta(description="Whether it shares nothing with what it came from.")]
    serial: Annotated[str, msgspec.Meta(description="What a guest sees, for good.")]
    pool_id: Annotated[int | None, msgspec.Meta(description="The storage cluster's pool.")] = None
    max_total_iops: Iops
    max_total_bw_bps: BytesPerSecond
    creator: Creator | None = None
    rollback_bs_snap_id: Annotated[
        int | None, msgspec.Meta(description="The snapshot that it was rolled back to last.")
    ] = None
    rollback_num: Annotated[int, msgspec.Meta(description="How often it was to be rolled back.")]


class BsVolumeStatus(Status, kw_only=True, omit_defaults=True):
    """What is observed of a volume."""

    size_mb: int = count_field()
    allocated_size_byte: Annotated[
        int, msgspec.Meta(description="Bytes of all layers that it needs, shared ones too.")
    ] = count_field()
    exclusive_size_byte: Annotated[
        int, msgspec.Meta(description="Of those, the bytes that go away with it.")
    ] = count_field()
    loaded: bool = msgspec.field(default_factory=bool)
    flattened: Annotated[
        bool, msgspec.Meta(description="Whether the flattening that is wanted was done.")
    ] = msgspec.field(default_factory=bool)
    rollback_num: Annotated[int, msgspec.Meta(description="How often it was rolled back.")] = count_field()
    mapping_num: Annotated[int, msgspec.Meta(description="By how many it is open.")] = count_field()
    protocol: Annotated[str | None, msgspec.Meta(description="How it is reached while it is open.")] = None
    vm_disk_id: Annotated[int | None, msgspec.Meta(description="The virtual disk that it is.")] = None
    bs_snap_num: Annotated[int, msgspec.Meta(description="Snapshots of it.")] = count_field()
    problem: Annotated[str | None, msgspec.Meta(description="What keeps it from being as it shall.")] = None


class BsVolumeCreate(CreateSpec, kw_only=True, forbid_unknown_fields=True):
    """What a client says of a new volume."""

    bs_policy_id: PolicyId
    size_mb: SizeMb
    vm_image_id: Annotated[Id, msgspec.Meta(description="The image that it starts as.")] | None = None
    path: ImportPath | None = None
    format: SourceFormat | msgspec.UnsetType = msgspec.UNSET
    rbd_image: RbdImage | None = None
    in_place: InPlace = False
    max_total_iops: Iops | msgspec.UnsetType = msgspec.UNSET
    max_total_bw_bps: BytesPerSecond | msgspec.UnsetType = msgspec.UNSET
    creator: Creator | None = None


class BsVolumeUpdate(UpdateSpec, kw_only=True, forbid_unknown_fields=True):
    """What a client may change of a volume."""

    size_mb: SizeMb | msgspec.UnsetType = msgspec.UNSET
    max_total_iops: Iops | msgspec.UnsetType = msgspec.UNSET
    max_total_bw_bps: BytesPerSecond | msgspec.UnsetType = msgspec.UNSET


class BsVolumeClone(CreateSpec, kw_only=True, forbid_unknown_fields=True):
    """What a client says of a volume that starts as a snapshot is."""

    bs_snap_id: SnapshotId
    flatten: Annotated[bool, msgspec.Meta(description="Whether to copy, so that nothing stays shared.")]
    description: Text = ""
    creator: Creator | None = None


class BsVolumeFlatten(ActionSpec, kw_only=True, forbid_unknown_fields=True):
    """Nothing is needed."""


class BsVolumeRollback(ActionSpec, kw_only=True, forbid_unknown_fields=True):
    """Where a volume goes back to."""

    bs_snap_id: SnapshotId


BS_VOLUME = Kind(
    name="bs_volume",
    plural="bs-volumes",
    type_name="BsVolume",
    spec=BsVolumeSpec,
    status=BsVolumeStatus,
    references=(
        Reference(field="bs_policy_id", kind="bs_policy"),
        Reference(field="bs_snap_id", kind="bs_snap", weak=True),
        Reference(field="vm_image_id", kind="vm_image", weak=True),
    ),
)
