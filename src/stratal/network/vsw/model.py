"""The declaration of virtual switches. Called by the service, the reconciler and the faces."""

from enum import StrEnum
from typing import Annotated

import msgspec

from stratal.kernel.fields import (
    ActionSpec,
    CreateSpec,
    Id,
    Spec,
    Status,
    UpdateSpec,
    count_field,
    list_field,
)
from stratal.kernel.kind import Kind, Profile
from stratal.network.drivers.contract import BondMode
from stratal.network.fields import Mtu


class VswType(StrEnum):
    """What makes a switch real."""

    LINUX_BRIDGE = "linux_bridge"


Bonding = Annotated[BondMode, msgspec.Meta(description="How several uplinks on one node share the work.")]
NicIds = Annotated[
    list[Id], msgspec.Meta(max_length=256, description="Network cards, one or more of each node.")
]


class VswSpec(Spec, kw_only=True, omit_defaults=True):
    """What is wanted of a switch."""

    type: VswType
    bond_mode: Bonding | None = None
    mtu: Mtu
    nic_ids: Annotated[list[int], msgspec.Meta(description="Its uplinks.")] = list_field()
    system: Annotated[bool, msgspec.Meta(description="There from the start; can't be deleted.")]


class VswStatus(Status, kw_only=True, omit_defaults=True):
    """What is observed of a switch."""

    nic_ids: Annotated[list[int], msgspec.Meta(description="The uplinks that really are.")] = list_field()
    node_num: Annotated[int, msgspec.Meta(description="Nodes that it is on.")] = count_field()
    br_net_num: Annotated[int, msgspec.Meta(description="Networks on it.")] = count_field()


class VswCreate(CreateSpec, kw_only=True, forbid_unknown_fields=True):
    """What a client says of a new switch."""

    type: VswType = VswType.LINUX_BRIDGE
    bond_mode: Bonding | None = None
    mtu: Mtu = 1500
    nic_ids: NicIds = list_field()


class VswUpdate(UpdateSpec, kw_only=True, forbid_unknown_fields=True):
    """What a client may change of a switch."""

    bond_mode: Bonding | msgspec.UnsetType | None = msgspec.UNSET
    mtu: Mtu | msgspec.UnsetType = msgspec.UNSET


class SwitchNics(ActionSpec, kw_only=True, forbid_unknown_fields=True):
    """The network cards to attach or to detach."""

    nic_ids: Annotated[list[Id], msgspec.Meta(min_length=1, max_length=256, description="Network cards.")]


VSW = Kind(
    name="vsw",
    plural="vsws",
    type_name="Vsw",
    spec=VswSpec,
    status=VswStatus,
    # whoever makes a network names a switch
    profile=Profile.CATALOGUE,
    unique=(("name",),),
)
