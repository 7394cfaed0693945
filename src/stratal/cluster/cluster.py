"""The cluster domain put together. Called by the composition root and by faces."""

from collections.abc import Callable

from stratal.cluster.chassis.model import CHASSIS
from stratal.cluster.chassis.reconcile import ChassisReconciler
from stratal.cluster.chassis.service import ChassisService
from stratal.cluster.data_center.model import DATA_CENTER
from stratal.cluster.data_center.reconcile import DataCenterReconciler
from stratal.cluster.data_center.service import DataCenterService
from stratal.cluster.node.host import HostFacts, read_host
from stratal.cluster.node.model import NODE
from stratal.cluster.node.reconcile import NodeReconciler
from stratal.cluster.node.service import NodeService
from stratal.cluster.rack.model import RACK
from stratal.cluster.rack.reconcile import RackReconciler
from stratal.cluster.rack.service import RackService
from stratal.cluster.room.model import ROOM
from stratal.cluster.room.reconcile import RoomReconciler
from stratal.cluster.room.service import RoomService
from stratal.kernel.kind import AnyKind, Catalogue
from stratal.kernel.reconcile import AnyReconciler

KINDS: tuple[AnyKind, ...] = (DATA_CENTER, ROOM, RACK, CHASSIS, NODE)


class Cluster:
    """The services and reconcilers of the topology and its nodes.

    `node_name` is the name that this process registers its node under.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        *,
        node_name: str,
        read_host: Callable[[], HostFacts] = read_host,
    ) -> None:
        self.data_centers = DataCenterService(catalogue)
        self.rooms = RoomService(catalogue)
        self.racks = RackService(catalogue)
        self.nodes = NodeService(catalogue)
        self.chassises = ChassisService(catalogue, self.nodes)
        self.reconcilers: list[AnyReconciler] = [
            DataCenterReconciler(),
            RoomReconciler(),
            RackReconciler(),
            ChassisReconciler(),
            NodeReconciler(node_name, read_host),
        ]
