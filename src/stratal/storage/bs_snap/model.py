"""The declaration of snapshots. Called by the service, the reconciler and the faces."""

from typing import Annotated

import msgspec

from stratal.kernel.fields import CreateSpec, Id, Status, TenantSpec, UpdateSpec, count_field
from stratal.kernel.kind import Kind, Reference

VolumeId = Annotated[Id, msgspec.Meta(description="The volume that it is a snapshot of.")]


class BsSnapSpec(TenantSpec, kw_only=True, omit_defaults=True):
    """What is wanted of a snapshot."""

    bs_volume_id: VolumeId
    bs_policy_id: Annotated[int, msgspec.Meta(description="The volume's policy.")]
    pool_id: Annotated[int | None, msgspec.Meta(description="The storage cluster's pool.")] = None
    size_mb: Annotated[int, msgspec.Meta(description="MiB that the volume had.")]
    vm_snap_id: Annotated[
        int | None, msgspec.Meta(description="The snapshot of a virtual machine that it is a part of.")
    ] = None


class BsSnapStatus(Status, kw_only=True, omit_defaults=True):
    """What is observed of a snapshot."""

    cloned_volume_num: Annotated[
        int, msgspec.Meta(description="Volumes that were cloned from it and not flattened.")
    ] = count_field()
    allocated_size_byte: Annotated[int, msgspec.Meta(description="Bytes that nobody but it needs.")] = (
        count_field()
    )
    shared_size_byte: Annotated[
        int, msgspec.Meta(description="Bytes that it needs together with others.")
    ] = count_field()
    flattened: Annotated[
        bool, msgspec.Meta(description="Whether it shares nothing with what its volume was cloned from.")
    ] = msgspec.field(default_factory=bool)
    problem: Annotated[str | None, msgspec.Meta(description="What keeps it from being as it shall.")] = None


class BsSnapCreate(CreateSpec, kw_only=True, forbid_unknown_fields=True):
    """What a client says of a new snapshot."""

    bs_volume_id: VolumeId


class BsSnapOfMachine(BsSnapCreate, kw_only=True, forbid_unknown_fields=True):
    """What compute says of a snapshot that is a part of a virtual machine's."""

    vm_snap_id: Id


class BsSnapUpdate(UpdateSpec, kw_only=True, forbid_unknown_fields=True):
    """What a client may change of a snapshot."""


BS_SNAP = Kind(
    name="bs_snap",
    plural="bs-snaps",
    type_name="BsSnap",
    spec=BsSnapSpec,
    status=BsSnapStatus,
    references=(
        Reference(field="bs_volume_id", kind="bs_volume"),
        Reference(field="bs_policy_id", kind="bs_policy"),
        # compute looks after its deletion; it is woken when this one is there
        Reference(field="vm_snap_id", kind="vm_snap", weak=True),
    ),
)
