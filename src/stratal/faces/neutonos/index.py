"""Every endpoint of this face. A new kind is one line here."""

from stratal.cluster import Cluster
from stratal.compute import Compute
from stratal.faces.neutonos.compute import compute_endpoints
from stratal.faces.neutonos.endpoint import Endpoint
from stratal.faces.neutonos.identity import identity_endpoints
from stratal.faces.neutonos.images import image_endpoints
from stratal.faces.neutonos.network import network_endpoints
from stratal.faces.neutonos.operations import operations_endpoints
from stratal.faces.neutonos.resources import resource
from stratal.faces.neutonos.storage import storage_endpoints
from stratal.identity import Identity
from stratal.network import Network
from stratal.operations import Operations
from stratal.storage import Storage

TOPOLOGY = "Cluster topology"


def endpoints(
    identity: Identity,
    cluster: Cluster,
    network: Network,
    storage: Storage,
    compute: Compute,
    operations: Operations,
) -> list[Endpoint]:
    return [
        *identity_endpoints(identity),
        *resource(cluster.data_centers, TOPOLOGY),
        *resource(cluster.rooms, TOPOLOGY),
        *resource(cluster.racks, TOPOLOGY),
        *resource(cluster.chassises, TOPOLOGY),
        *resource(cluster.nodes, "Cluster nodes"),
        *network_endpoints(network),
        *storage_endpoints(storage),
        *image_endpoints(storage),
        *compute_endpoints(compute),
        *operations_endpoints(operations),
    ]
