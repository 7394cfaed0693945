"""The declaration of bridged networks. Called by the service, the reconciler and the faces."""

from typing import Annotated

import msgspec

from stratal.kernel.fields import (
    CreateSpec,
    Id,
    Status,
    TenantSpec,
    UpdateSpec,
    count_field,
    list_field,
)
from stratal.kernel.kind import Kind, Reference
from stratal.network.drivers.contract import Attachment
from stratal.network.fields import Mtu, SwitchId, VlanId

Sort = Annotated[
    Attachment,
    msgspec.Meta(
        description="access: guests see no tags, and cannot send any. trunk: tags of the uplinks pass to "
        "guests and back, but for those that other networks of the switch have; without a vlan_id."
    ),
]
Cidr = Annotated[str, msgspec.Meta(max_length=18, description="Its IPv4 subnet, such as 10.1.2.0/24.")]
Gateway = Annotated[
    str, msgspec.Meta(max_length=15, description="What guests leave the subnet by; Stratal makes none.")
]
Dhcp = Annotated[bool, msgspec.Meta(description="Whether guests are handed their addresses.")]
Servers = Annotated[
    list[Annotated[str, msgspec.Meta(max_length=15)]],
    msgspec.Meta(max_length=3, description="DNS servers that guests are told of, by their IPv4 addresses."),
]


class BrNetSpec(TenantSpec, kw_only=True, omit_defaults=True):
    """What is wanted of a network."""

    vsw_id: SwitchId
    vlan_id: VlanId
    type: Sort
    mtu: Mtu
    l3_net_id: Annotated[Id | None, msgspec.Meta(description="Its subnet, as a resource.")] = None
    cidr: Cidr | None = None
    gateway: Gateway | None = None
    dhcp: Dhcp
    dns_servers: Servers = list_field()


class BrNetCoverage(msgspec.Struct, kw_only=True):
    """Which state of the spec its parts were made by."""

    covered_etag: str | None = None


class BrNetStatus(Status, kw_only=True, omit_defaults=True):
    """What is observed of a network."""

    vm_nic_num: Annotated[int, msgspec.Meta(description="Interfaces of guests on it.")] = count_field()
    bridge_num: Annotated[int, msgspec.Meta(description="Nodes on which it is there.")] = count_field()


class BrNetCreate(CreateSpec, kw_only=True, forbid_unknown_fields=True):
    """What a client says of a new network."""

    vsw_id: SwitchId
    vlan_id: VlanId
    type: Sort = Attachment.ACCESS
    mtu: Mtu | msgspec.UnsetType = msgspec.UNSET
    cidr: Cidr | None = None
    gateway: Gateway | None = None
    dhcp: Dhcp = True
    dns_servers: Servers = list_field()


class BrNetUpdate(UpdateSpec, kw_only=True, forbid_unknown_fields=True):
    """What a client may change of a network."""

    vlan_id: VlanId | msgspec.UnsetType = msgspec.UNSET
    mtu: Mtu | msgspec.UnsetType = msgspec.UNSET
    cidr: Cidr | msgspec.UnsetType | None = msgspec.UNSET
    gateway: Gateway | msgspec.UnsetType | None = msgspec.UNSET
    dhcp: Dhcp | msgspec.UnsetType = msgspec.UNSET
    dns_servers: Servers | msgspec.UnsetType = msgspec.UNSET


BR_NET = Kind(
    name="br_net",
    plural="br-nets",
    type_name="BrNet",
    spec=BrNetSpec,
    status=BrNetStatus,
    private=BrNetCoverage,
    references=(
        Reference(field="vsw_id", kind="vsw"),
        Reference(field="l3_net_id", kind="l3_net", weak=True),
    ),
    unique=(("vsw_id", "vlan_id"), ("project_id", "name")),
)
