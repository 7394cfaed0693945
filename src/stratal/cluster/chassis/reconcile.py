"""Counts the nodes of a chassis. Called by the reconcile engine."""

from stratal.cluster.chassis.model import CHASSIS, ChassisSpec, ChassisStatus
from stratal.cluster.node.model import NODE
from stratal.cluster.topology import CountingReconciler


class ChassisReconciler(CountingReconciler[ChassisSpec, ChassisStatus]):
    def __init__(self) -> None:
        super().__init__(CHASSIS, child=NODE, parent_field="chassis_id")
