"""The declaration of networks' namespaces. Called by the service, the reconciler and the faces."""

from typing import Annotated, ClassVar

import msgspec

from stratal.kernel.fields import Spec, Status, list_field
from stratal.kernel.kind import Kind, Reference
from stratal.network.fields import NetworkId, NodeId


class BrNetNsSpec(Spec, kw_only=True, omit_defaults=True):
    """What is wanted of a namespace."""

    br_net_id: NetworkId
    node_id: NodeId


class BrNetNsNumber(msgspec.Struct, kw_only=True):
    """The address that its DHCP service has, with the subnet's prefix."""

    address: str | None = None


class BrNetNsStatus(Status, kw_only=True, omit_defaults=True):
    """What is observed of a namespace."""

    #: the name in the spec is the network's
    not_compared: ClassVar[frozenset[str]] = frozenset({"name"})

    name: Annotated[str | None, msgspec.Meta(description="Its name on the node.")] = None
    bridge_id: Annotated[int | None, msgspec.Meta(description="The bridge that it is joined to.")] = None
    ip_addresses: Annotated[list[str], msgspec.Meta(description="Its own addresses.")] = list_field()
    ready: Annotated[bool, msgspec.Meta(description="Whether addresses are handed out.")] = msgspec.field(
        default_factory=bool
    )


BR_NET_NS = Kind(
    name="br_net_ns",
    plural="br-net-nss",
    type_name="BrNetNs",
    spec=BrNetNsSpec,
    status=BrNetNsStatus,
    private=BrNetNsNumber,
    references=(
        Reference(field="br_net_id", kind="br_net", weak=True),
        Reference(field="node_id", kind="node", weak=True),
    ),
    indexes=(("br_net_id", "node_id"),),
)
