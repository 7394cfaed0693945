"""The declaration of racks. Called by the service, the reconciler and the faces."""

from typing import Annotated

import msgspec

from stratal.cluster.topology import HeightU, TopologyStatus
from stratal.kernel.fields import CreateSpec, Id, Spec, UpdateSpec
from stratal.kernel.kind import Kind, Reference

RoomId = Annotated[Id, msgspec.Meta(description="The room that the rack stands in.")]


class RackSpec(Spec, kw_only=True, omit_defaults=True):
    """What is wanted of a rack."""

    room_id: RoomId
    height_u: HeightU | None = None


class RackStatus(TopologyStatus, kw_only=True, omit_defaults=True):
    """What is observed of a rack. Its children are chassis."""


class RackCreate(CreateSpec, kw_only=True, forbid_unknown_fields=True):
    """What a client says of a new rack."""

    room_id: RoomId
    height_u: HeightU | None = None


class RackUpdate(UpdateSpec, kw_only=True, forbid_unknown_fields=True):
    """What a client may change of a rack. Another `room_id` moves it, with all that is in it."""

    room_id: RoomId | msgspec.UnsetType = msgspec.UNSET
    height_u: HeightU | msgspec.UnsetType | None = msgspec.UNSET


RACK = Kind(
    name="rack",
    plural="racks",
    type_name="Rack",
    spec=RackSpec,
    status=RackStatus,
    references=(Reference(field="room_id", kind="room"),),
    unique=(("room_id", "name"),),
)
