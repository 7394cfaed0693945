"""Where things stand: data centres, rooms, racks, chassis, and the nodes in them."""

from stratal.cluster.cluster import KINDS, Cluster
from stratal.cluster.node.host import HostFacts

__all__ = ["KINDS", "Cluster", "HostFacts"]
