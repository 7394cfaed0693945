"""The declaration of network interfaces. Called by the service, the reconciler and the faces."""

from typing import Annotated, ClassVar, Final

import msgspec

from stratal.compute.domain import NicModel
from stratal.kernel.fields import CreateSpec, Id, Name, Status, TenantSpec, Text, UpdateSpec, list_field
from stratal.kernel.kind import Kind, Reference

MOST_QUEUES: Final = 64
MOST_KBPS: Final = 400_000_000
"""400 Gbit/s."""

MachineId = Annotated[Id, msgspec.Meta(description="The virtual machine.")]
NetworkId = Annotated[Id, msgspec.Meta(description="The bridged network that it is on.")]
Mac = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}$(?!\n)",
        description="Six octets in hex digits, parted by colons; made up where it is not given.",
    ),
]
Model = Annotated[NicModel, msgspec.Meta(description="What the guest sees.")]
LinkUp = Annotated[bool, msgspec.Meta(description="Whether the cable is plugged in.")]
QueueNum = Annotated[int, msgspec.Meta(ge=1, le=MOST_QUEUES, description="Pairs of queues, of virtio.")]
IpAddress = Annotated[
    str, msgspec.Meta(max_length=45, description="An address that the network is to keep for it.")
]
Kbps = Annotated[int, msgspec.Meta(ge=0, le=MOST_KBPS, description="kbit/s; 0 for no limit.")]


class VmNicSpec(TenantSpec, kw_only=True, omit_defaults=True):
    """What is wanted of a network interface."""

    vm_id: MachineId
    br_net_id: NetworkId
    mac_address: str
    model: Model
    link_up: LinkUp
    queue_num: QueueNum
    ip_address: IpAddress | None = None
    in_bw_kbps: Kbps
    out_bw_kbps: Kbps


class VmNicStatus(Status, kw_only=True, omit_defaults=True):
    """What is observed of a network interface."""

    #: the interface of a stopped guest has no link, whatever is wanted
    not_compared: ClassVar[frozenset[str]] = frozenset({"link_up"})

    device: Annotated[str | None, msgspec.Meta(description="Its tap device on the host.")] = None
    bridge_id: Annotated[int | None, msgspec.Meta(description="The bridge that it is plugged into.")] = None
    ip_addresses: Annotated[list[str], msgspec.Meta(description="Addresses that were learnt.")] = list_field()
    link_up: Annotated[bool, msgspec.Meta(description="Whether it has a link.")] = msgspec.field(
        default_factory=bool
    )
    problem: Annotated[str | None, msgspec.Meta(description="What keeps it from being as it shall.")] = None


class NewNic(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A network interface of a virtual machine that is being created."""

    name: Name | msgspec.UnsetType = msgspec.UNSET
    description: Text = ""
    br_net_id: NetworkId
    mac_address: Mac | msgspec.UnsetType = msgspec.UNSET
    model: Model = NicModel.VIRTIO
    link_up: LinkUp = True
    queue_num: QueueNum = 1
    ip_address: IpAddress | None = None
    in_bw_kbps: Kbps = 0
    out_bw_kbps: Kbps = 0


class VmNicCreate(CreateSpec, kw_only=True, forbid_unknown_fields=True):
    """What a client says of a new network interface."""

    vm_id: MachineId
    br_net_id: NetworkId
    mac_address: Mac | msgspec.UnsetType = msgspec.UNSET
    model: Model = NicModel.VIRTIO
    link_up: LinkUp = True
    queue_num: QueueNum = 1
    ip_address: IpAddress | None = None
    in_bw_kbps: Kbps = 0
    out_bw_kbps: Kbps = 0


class VmNicUpdate(UpdateSpec, kw_only=True, forbid_unknown_fields=True):
    """What a client may change of a network interface."""

    br_net_id: NetworkId | msgspec.UnsetType = msgspec.UNSET
    model: Model | msgspec.UnsetType = msgspec.UNSET
    link_up: LinkUp | msgspec.UnsetType = msgspec.UNSET
    queue_num: QueueNum | msgspec.UnsetType = msgspec.UNSET
    ip_address: IpAddress | msgspec.UnsetType | None = msgspec.UNSET
    in_bw_kbps: Kbps | msgspec.UnsetType = msgspec.UNSET
    out_bw_kbps: Kbps | msgspec.UnsetType = msgspec.UNSET


VM_NIC = Kind(
    name="vm_nic",
    plural="vm-nics",
    type_name="VmNic",
    spec=VmNicSpec,
    status=VmNicStatus,
    references=(
        Reference(field="vm_id", kind="virtual_machine", weak=True),
        Reference(field="br_net_id", kind="br_net"),
    ),
    unique=(("mac_address",),),
)
