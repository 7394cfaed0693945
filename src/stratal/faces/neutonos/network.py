"""The endpoints of networks."""

from stratal.faces.neutonos.endpoint import Endpoint
from stratal.faces.neutonos.resources import resource
from stratal.network import Network

SWITCHES = "Virtual switches"
NETWORKS = "Bridged networks"


def network_endpoints(network: Network) -> list[Endpoint]:
    return [
        *resource(network.nics, SWITCHES),
        *resource(network.vsws, SWITCHES),
        *resource(network.br_nets, NETWORKS),
        *resource(network.br_net_nss, NETWORKS),
        *resource(network.bridges, NETWORKS),
        *resource(network.l3_nets, NETWORKS),
    ]
