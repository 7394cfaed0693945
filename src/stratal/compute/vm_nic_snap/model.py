"""The declaration of the network interfaces in snapshots. Called by the service of snapshots."""

from typing import Annotated

import msgspec

from stratal.compute.domain import NicModel
from stratal.kernel.fields import Status, TenantSpec
from stratal.kernel.kind import Kind, Reference


class VmNicSnapSpec(TenantSpec, kw_only=True, omit_defaults=True):
    """A network interface as it was when the snapshot was taken."""

    vm_snap_id: Annotated[int, msgspec.Meta(description="The snapshot that it is a part of.")]
    vm_nic_id: Annotated[int, msgspec.Meta(description="The network interface, which may be gone.")]
    br_net_id: Annotated[int, msgspec.Meta(description="The network that it was on, which may be gone.")]
    mac_address: str
    model: NicModel


class VmNicSnapPrivate(msgspec.Struct, kw_only=True):
    """What a rollback or a clone needs beside that."""

    link_up: bool = True
    queue_num: int = 1
    ip_address: str | None = None
    in_bw_kbps: int = 0
    out_bw_kbps: int = 0


class VmNicSnapStatus(Status, kw_only=True, omit_defaults=True):
    """There is nothing to be observed."""


VM_NIC_SNAP = Kind(
    name="vm_nic_snap",
    plural="vm-nic-snaps",
    type_name="VmNicSnap",
    spec=VmNicSnapSpec,
    status=VmNicSnapStatus,
    private=VmNicSnapPrivate,
    references=(Reference(field="vm_snap_id", kind="vm_snap", weak=True),),
)
