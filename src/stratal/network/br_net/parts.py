"""What a network consists of: a bridge on each node, a namespace where it hands out addresses, a subnet.

These follow from the network and from the nodes there are. Called by the reconciler of networks.
"""

from collections.abc import Sequence
from typing import Any

from stratal.kernel import work
from stratal.kernel.derived import DerivedService
from stratal.kernel.store import Resource
from stratal.kernel.transaction import Transaction
from stratal.network.br_net.model import BrNetSpec, BrNetStatus
from stratal.network.br_net.service import BrNetService
from stratal.network.br_net_ns.model import BrNetNsSpec, BrNetNsStatus
from stratal.network.br_net_ns.service import BrNetNsService
from stratal.network.bridge.model import BridgeSpec, BridgeStatus
from stratal.network.bridge.service import BridgeService
from stratal.network.here import NodesOf
from stratal.network.l3_net.model import Usage
from stratal.network.l3_net.service import L3NetService

BrNet = Resource[BrNetSpec, BrNetStatus]
Bridge = Resource[BridgeSpec, BridgeStatus]
Namespace = Resource[BrNetNsSpec, BrNetNsStatus]


class Parts:
    """Keeps the rows of the parts in step with networks."""

    def __init__(
        self,
        networks: BrNetService,
        bridges: BridgeService,
        namespaces: BrNetNsService,
        l3_nets: L3NetService,
        nodes_of: NodesOf,
    ) -> None:
        self._networks = networks
        self._bridges = bridges
        self._namespaces = namespaces
        self._l3_nets = l3_nets
        self._services: tuple[DerivedService[Any, Any], ...] = (namespaces, bridges, l3_nets)
        self._nodes_of = nodes_of

    def covered(self, transaction: Transaction, network: BrNet) -> bool:
        """Whether there is nothing for `cover` to do."""
        nodes = set(self._nodes_of(transaction))
        hosts = nodes if _hands_out(network) else set[int]()
        etag = self._networks.store.private(transaction, network.id, "covered_etag")
        return (
            etag == network.spec.etag
            and {each.spec.node_id for each in self.bridges(transaction, network.id)} == nodes
            and {each.spec.node_id for each in self.namespaces(transaction, network.id)} == hosts
        )

    def cover(self, transaction: Transaction, network_id: int) -> None:
        """Make the parts that are missing, drop those that are too many, and look at all. Idempotent."""
        network = self._networks.store.get(transaction, network_id, lock=True, labels=False)
        if network is None or network.spec.deletion_begin is not None:
            return
        nodes = self._nodes_of(transaction)
        self._cover_bridges(transaction, network, nodes)
        self._cover_namespaces(transaction, network, nodes if _hands_out(network) else ())
        values: dict[str, object] = {"covered_etag": network.spec.etag}
        values["l3_net_id"] = self._cover_subnet(transaction, network)
        self._networks.store.mark(transaction, network.id, values)

    def withdraw(self, transaction: Transaction, network_id: int) -> None:
        """Drop all parts. Idempotent."""
        for service in self._services:
            for part in service.of(transaction, br_net_id=network_id):
                service.drop(transaction, part.id)

    def remaining(self, transaction: Transaction, network_id: int) -> int:
        """How many parts there still are, on their way out or not."""
        return sum(
            service.store.count(transaction, service.columns.br_net_id == network_id)
            for service in self._services
        )

    def bridges(self, transaction: Transaction, network_id: int) -> list[Bridge]:
        return self._bridges.of(transaction, br_net_id=network_id)

    def namespaces(self, transaction: Transaction, network_id: int) -> list[Namespace]:
        return self._namespaces.of(transaction, br_net_id=network_id)

    def tell_namespaces(self, transaction: Transaction, network_id: int) -> None:
        """Guests may have come or gone."""
        for namespace in self.namespaces(transaction, network_id):
            work.ask(transaction, namespace.kind.name, namespace.id)

    # -- one sort after the other --------------------------------------------------------------------

    def _cover_bridges(self, transaction: Transaction, network: BrNet, nodes: Sequence[int]) -> None:
        spec = network.spec
        present = {each.spec.node_id: each for each in self.bridges(transaction, network.id)}
        for node_id in nodes:
            bridge = present.pop(node_id, None)
            wanted = {"vsw_id": spec.vsw_id, "vlan_id": spec.vlan_id, "name": spec.name}
            if bridge is None:
                self._bridges.add(transaction, {"br_net_id": network.id, "node_id": node_id, **wanted})
            else:
                self._bridges.follow(transaction, bridge, **wanted)
        for bridge in present.values():
            self._bridges.drop(transaction, bridge.id)

    def _cover_namespaces(self, transaction: Transaction, network: BrNet, nodes: Sequence[int]) -> None:
        present = {each.spec.node_id: each for each in self.namespaces(transaction, network.id)}
        for node_id in nodes:
            namespace = present.pop(node_id, None)
            if namespace is None:
                values = {"br_net_id": network.id, "node_id": node_id, "name": network.spec.name}
                self._namespaces.add(transaction, values)
            else:
                self._namespaces.follow(transaction, namespace, name=network.spec.name)
        for namespace in present.values():
            self._namespaces.drop(transaction, namespace.id)
        self._namespaces.number(transaction, network)

    def _cover_subnet(self, transaction: Transaction, network: BrNet) -> int | None:
        spec = network.spec
        present = self._l3_nets.of(transaction, br_net_id=network.id)
        if spec.cidr is None:
            for l3_net in present:
                self._l3_nets.drop(transaction, l3_net.id)
            return None
        wanted = {"cidr": spec.cidr, "gateway": spec.gateway, "name": spec.name}
        for l3_net in present:
            self._l3_nets.follow(transaction, l3_net, **wanted)
            return l3_net.id
        return self._l3_nets.add(transaction, {"br_net_id": network.id, "usage": Usage.VM, **wanted})


def _hands_out(network: BrNet) -> bool:
    return network.spec.cidr is not None and network.spec.dhcp
