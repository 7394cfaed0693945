"""The declaration of subnets. Called by the service, the reconciler and the faces."""

from enum import StrEnum
from typing import Annotated

import msgspec

from stratal.kernel.fields import Id, Spec, Status, count_field
from stratal.kernel.kind import Kind, Reference


class Usage(StrEnum):
    """Who talks in a subnet."""

    VM = "vm"


class L3NetSpec(Spec, kw_only=True, omit_defaults=True):
    """What is known of a subnet."""

    br_net_id: Annotated[Id | None, msgspec.Meta(description="The network that it is on.")] = None
    cidr: Annotated[str, msgspec.Meta(description="Such as 10.1.2.0/24.")]
    gateway: Annotated[str | None, msgspec.Meta(description="The way out of it.")] = None
    usage: Annotated[Usage, msgspec.Meta(description="Who talks in it.")]


class L3NetStatus(Status, kw_only=True, omit_defaults=True):
    """What is observed of a subnet."""

    used_ip_num: Annotated[
        int, msgspec.Meta(description="Addresses that somebody has, or that are kept for somebody.")
    ] = count_field()


L3_NET = Kind(
    name="l3_net",
    plural="l3-nets",
    type_name="L3Net",
    spec=L3NetSpec,
    status=L3NetStatus,
    references=(Reference(field="br_net_id", kind="br_net", weak=True),),
)
