"""The declaration of bridges. Called by the service, the reconciler and the faces."""

from typing import Annotated

import msgspec

from stratal.kernel.fields import Spec, Status, count_field
from stratal.kernel.kind import Kind, Reference
from stratal.network.fields import NetworkId, NodeId, SwitchId, VlanId


class BridgeSpec(Spec, kw_only=True, omit_defaults=True):
    """What is wanted of a bridge."""

    br_net_id: NetworkId
    node_id: NodeId
    vsw_id: SwitchId
    vlan_id: VlanId


class BridgeStatus(Status, kw_only=True, omit_defaults=True):
    """What is observed of a bridge."""

    device: Annotated[str | None, msgspec.Meta(description="Its name on the node.")] = None
    operstate: Annotated[str | None, msgspec.Meta(description="up, or down.")] = None
    mac_address: str | None = None
    port_num: Annotated[int, msgspec.Meta(description="Guests, uplinks and DHCP services.")] = count_field()


BRIDGE = Kind(
    name="bridge",
    plural="bridges",
    type_name="Bridge",
    spec=BridgeSpec,
    status=BridgeStatus,
    references=(
        Reference(field="br_net_id", kind="br_net", weak=True),
        Reference(field="node_id", kind="node", weak=True),
        Reference(field="vsw_id", kind="vsw", weak=True),
    ),
    indexes=(("br_net_id", "node_id"),),
)
