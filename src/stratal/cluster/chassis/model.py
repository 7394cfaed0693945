"""The declaration of chassis. Called by the service, the reconciler and the faces."""

from typing import Annotated

import msgspec

from stratal.cluster.topology import HeightU, TopologyStatus
from stratal.kernel.fields import ActionSpec, CreateSpec, Id, Spec, UpdateSpec
from stratal.kernel.kind import Kind, Reference

RackId = Annotated[Id, msgspec.Meta(description="The rack that the chassis is mounted in.")]


class ChassisSpec(Spec, kw_only=True, omit_defaults=True):
    """What is wanted of a chassis."""

    rack_id: RackId
    height_u: HeightU | None = None


class ChassisStatus(TopologyStatus, kw_only=True, omit_defaults=True):
    """What is observed of a chassis. Its children are nodes, so both numbers are the same."""


class ChassisCreate(CreateSpec, kw_only=True, forbid_unknown_fields=True):
    """What a client says of a new chassis."""

    rack_id: RackId
    height_u: HeightU | None = None


class ChassisUpdate(UpdateSpec, kw_only=True, forbid_unknown_fields=True):
    """What a client may change of a chassis."""

    height_u: HeightU | msgspec.UnsetType | None = msgspec.UNSET


class SwitchChassis(ActionSpec, kw_only=True, forbid_unknown_fields=True):
    """Which nodes of a chassis go to which other one."""

    node_ids: Annotated[
        list[Id],
        msgspec.Meta(min_length=1, max_length=1000, description="Nodes of this chassis, each named once."),
    ]
    chassis_id: Annotated[Id, msgspec.Meta(description="The chassis that they go to.")]


CHASSIS = Kind(
    name="chassis",
    plural="chassises",
    type_name="Chassis",
    spec=ChassisSpec,
    status=ChassisStatus,
    references=(Reference(field="rack_id", kind="rack"),),
    unique=(("rack_id", "name"),),
)
