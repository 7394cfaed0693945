"""Counts the racks and the nodes of a room. Called by the reconcile engine."""

from stratal.cluster.rack.model import RACK
from stratal.cluster.room.model import ROOM, RoomSpec, RoomStatus
from stratal.cluster.topology import CountingReconciler


class RoomReconciler(CountingReconciler[RoomSpec, RoomStatus]):
    def __init__(self) -> None:
        super().__init__(ROOM, child=RACK, parent_field="room_id")
