"""Counts the chassis and the nodes of a rack. Called by the reconcile engine."""

from stratal.cluster.chassis.model import CHASSIS
from stratal.cluster.rack.model import RACK, RackSpec, RackStatus
from stratal.cluster.topology import CountingReconciler


class RackReconciler(CountingReconciler[RackSpec, RackStatus]):
    def __init__(self) -> None:
        super().__init__(RACK, child=CHASSIS, parent_field="rack_id")
