"""The declaration of rooms. Called by the service, the reconciler and the faces."""

from typing import Annotated

import msgspec

from stratal.cluster.topology import TopologyStatus
from stratal.kernel.fields import CreateSpec, Id, Spec, UpdateSpec
from stratal.kernel.kind import Kind, Reference

DataCenterId = Annotated[Id, msgspec.Meta(description="The data centre that the room is in.")]


class RoomSpec(Spec, kw_only=True, omit_defaults=True):
    """What is wanted of a room."""

    data_center_id: DataCenterId


class RoomStatus(TopologyStatus, kw_only=True, omit_defaults=True):
    """What is observed of a room. Its children are racks."""


class RoomCreate(CreateSpec, kw_only=True, forbid_unknown_fields=True):
    """What a client says of a new room."""

    data_center_id: DataCenterId


class RoomUpdate(UpdateSpec, kw_only=True, forbid_unknown_fields=True):
    """What a client may change of a room. Another `data_center_id` moves it, with all that is in it."""

    data_center_id: DataCenterId | msgspec.UnsetType = msgspec.UNSET


ROOM = Kind(
    name="room",
    plural="rooms",
    type_name="Room",
    spec=RoomSpec,
    status=RoomStatus,
    references=(Reference(field="data_center_id", kind="data_center"),),
    unique=(("data_center_id", "name"),),
)
