"""Counts the rooms and the nodes of a data centre. Called by the reconcile engine."""

from stratal.cluster.data_center.model import DATA_CENTER, DataCenterSpec, DataCenterStatus
from stratal.cluster.room.model import ROOM
from stratal.cluster.topology import CountingReconciler


class DataCenterReconciler(CountingReconciler[DataCenterSpec, DataCenterStatus]):
    def __init__(self) -> None:
        super().__init__(DATA_CENTER, child=ROOM, parent_field="data_center_id")
