"""Types of fields that several kinds of this domain have. Called by the models."""

from typing import Annotated

import msgspec

from stratal.kernel.fields import Id

SwitchId = Annotated[Id, msgspec.Meta(description="The virtual switch.")]
NetworkId = Annotated[Id, msgspec.Meta(description="The bridged network.")]
NodeId = Annotated[Id, msgspec.Meta(description="The node.")]
VlanId = Annotated[
    int, msgspec.Meta(ge=0, le=4094, description="The tag of its frames on the uplinks; 0: none.")
]
Mtu = Annotated[int, msgspec.Meta(ge=576, le=9216, description="Bytes of the largest packet that passes.")]
