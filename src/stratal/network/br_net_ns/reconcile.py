"""Makes the namespaces of networks on this node, with their DHCP services. Called by the reconcile engine."""

from ipaddress import IPv4Address

import msgspec

from stratal.kernel.errors import Unavailable
from stratal.kernel.reconcile import Gone, Look, Observed, StillRemoving
from stratal.kernel.store import Resource, Store
from stratal.kernel.transaction import Transaction
from stratal.network.br_net.model import BR_NET
from stratal.network.br_net_ns.model import BR_NET_NS, BrNetNsSpec, BrNetNsStatus
from stratal.network.br_net_ns.service import BrNetNsService
from stratal.network.bridge.service import BridgeService
from stratal.network.drivers.contract import DhcpWanted, NetworkDriver
from stratal.network.here import LOOK_AGAIN, PASS_ON, GuestsOf, Here, NodesOf, pass_on

Namespace = Resource[BrNetNsSpec, BrNetNsStatus]


class BrNetNsReconciler:
    """Hands out addresses on the networks of this node."""

    kind = BR_NET_NS
    concurrency = 4

    def __init__(
        self,
        driver: NetworkDriver,
        here: Here,
        namespaces: BrNetNsService,
        bridges: BridgeService,
        nodes_of: NodesOf,
        guests_of: GuestsOf,
    ) -> None:
        self._driver = driver
        self._here = here
        self._namespaces = namespaces
        self._bridges = bridges
        self._nodes_of = nodes_of
        self._guests_of = guests_of
        self._networks = Store(BR_NET)

    def reconcile(self, resource: Namespace, look: Look) -> Observed[BrNetNsStatus]:
        if not self._here.is_mine(resource.spec.node_id):
            return pass_on(resource)
        wanted = look.read(lambda tx: self._wanted(tx, resource))
        if wanted is None:  # on its way out; whoever drops this namespace will ask for a look
            return Observed(status=resource.status, settled=False, again_after=LOOK_AGAIN)
        look.check()
        state = self._driver.ensure_dhcp(resource.spec.br_net_id, wanted)
        status = msgspec.structs.replace(
            resource.status,
            name=state.namespace,
            bridge_id=look.read(lambda tx: self._bridge_of(tx, resource)),
            ip_addresses=list(state.addresses),
            ready=state.running,
        )
        return Observed(status=status, again_after=LOOK_AGAIN)

    def remove(self, resource: Namespace, look: Look) -> Gone | StillRemoving[BrNetNsStatus]:
        if self._here.is_mine(resource.spec.node_id):
            look.check()
            self._driver.remove_dhcp(resource.spec.br_net_id)
        elif resource.spec.node_id in look.read(self._nodes_of):
            return StillRemoving(status=resource.status, again_after=PASS_ON)
        return Gone()

    def _wanted(self, transaction: Transaction, namespace: Namespace) -> DhcpWanted | None:
        network = self._networks.get(transaction, namespace.spec.br_net_id, labels=False)
        if network is None or network.spec.cidr is None or network.spec.deletion_begin is not None:
            return None
        address = self._namespaces.address(transaction, namespace.id)
        if address is None:
            raise Unavailable(reason=f"{network.spec.cidr} has no address left for the DHCP service")
        gateway = network.spec.gateway
        guests = self._guests_of(transaction, network.id)
        return DhcpWanted(
            address=address,
            gateway=None if gateway is None else IPv4Address(gateway),
            dns_servers=tuple(IPv4Address(each) for each in network.spec.dns_servers),
            mtu=network.spec.mtu,
            guests={mac: None if each is None else IPv4Address(each) for mac, each in guests.items()},
        )

    def _bridge_of(self, transaction: Transaction, namespace: Namespace) -> int | None:
        where = {"br_net_id": namespace.spec.br_net_id, "node_id": namespace.spec.node_id}
        return next((bridge.id for bridge in self._bridges.of(transaction, **where)), None)
