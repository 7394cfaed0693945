"""Networks: switches, the networks on them, and what makes them real on each node.

A network is a bridge on every node, of its own; it leaves the node by the uplinks of its switch. Where it has
a subnet, a DHCP service in a namespace hands out addresses. `Ports` is where compute plugs guests in.
"""

from stratal.network.here import GuestsOf, NodesOf, PortsOf
from stratal.network.network import KINDS, Network
from stratal.network.ports import Port, Ports

__all__ = ["KINDS", "GuestsOf", "Network", "NodesOf", "Port", "Ports", "PortsOf"]
