"""The declaration of network cards. Called by the service, the reconciler and the faces."""

from typing import Annotated

import msgspec

from stratal.kernel.fields import Spec, Status
from stratal.kernel.kind import Kind, Reference
from stratal.network.drivers.contract import InterfaceType
from stratal.network.fields import NodeId, SwitchId


class NicSpec(Spec, kw_only=True, omit_defaults=True):
    """What is wanted of a network card. Its name is that of the interface on its node."""

    node_id: NodeId
    vsw_id: SwitchId | None = None


class NicStatus(Status, kw_only=True, omit_defaults=True):
    """What is observed of a network card."""

    type: Annotated[InterfaceType | None, msgspec.Meta(description="One card, or a bond of several.")] = None
    mac_address: str | None = None
    operstate: Annotated[str | None, msgspec.Meta(description="up, or down.")] = None
    link_detected: Annotated[bool | None, msgspec.Meta(description="Whether the other side answers.")] = None
    megabits: Annotated[int | None, msgspec.Meta(description="Speed, in 10^6 bits/s.")] = None
    bonding_mode: Annotated[str | None, msgspec.Meta(description="Of a bond.")] = None
    master_nic_id: Annotated[int | None, msgspec.Meta(description="The bond that it is a member of.")] = None
    vf_num: Annotated[int | None, msgspec.Meta(description="Virtual functions (SR-IOV).")] = None
    mtu: int | None = None
    driver: Annotated[str | None, msgspec.Meta(description="Of the kernel.")] = None
    pci_address: str | None = None
    ip_addresses: Annotated[
        list[str] | None, msgspec.Meta(description="By which its node is reached, with their prefix.")
    ] = None


NIC = Kind(
    name="nic",
    plural="nics",
    type_name="Nic",
    spec=NicSpec,
    status=NicStatus,
    references=(Reference(field="node_id", kind="node", weak=True), Reference(field="vsw_id", kind="vsw")),
    unique=(("node_id", "name"),),
)
