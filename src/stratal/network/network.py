"""The network domain put together. Called by the composition root, by compute and by faces."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

from structlog import get_logger

from stratal.kernel import work
from stratal.kernel.database import Database
from stratal.kernel.errors import StratalError
from stratal.kernel.kind import AnyKind, Catalogue
from stratal.kernel.reconcile import AnyReconciler
from stratal.kernel.transaction import Transaction
from stratal.network.br_net.model import BR_NET
from stratal.network.br_net.parts import Parts
from stratal.network.br_net.reconcile import BrNetReconciler
from stratal.network.br_net.service import BrNetService
from stratal.network.br_net_ns.model import BR_NET_NS
from stratal.network.br_net_ns.reconcile import BrNetNsReconciler
from stratal.network.br_net_ns.service import BrNetNsService
from stratal.network.bridge.model import BRIDGE
from stratal.network.bridge.reconcile import BridgeReconciler
from stratal.network.bridge.service import BridgeService
from stratal.network.drivers.contract import NetworkDriver
from stratal.network.here import GuestsOf, Here, NodesOf, PortsOf, all_of, nobody
from stratal.network.l3_net.model import L3_NET
from stratal.network.l3_net.reconcile import L3NetReconciler
from stratal.network.l3_net.service import L3NetService
from stratal.network.nic.model import NIC
from stratal.network.nic.reconcile import NicReconciler
from stratal.network.nic.service import NicService
from stratal.network.ports import Ports
from stratal.network.vsw.model import VSW
from stratal.network.vsw.reconcile import VswReconciler
from stratal.network.vsw.service import VswService

log: Any = get_logger(__name__)

KINDS: tuple[AnyKind, ...] = (NIC, VSW, BR_NET, BRIDGE, BR_NET_NS, L3_NET)


class Network:
    """The services and reconcilers of networks, and the ports that compute plugs guests into.

    `nodes_of` tells which nodes networks are to be on, `guests_of` who is on a network, `ports_of` which
    interfaces of guests there are; `owner_uid` is the user that opens taps.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        database: Database,
        driver: NetworkDriver,
        *,
        nodes_of: NodesOf,
        guests_of: GuestsOf = nobody,
        ports_of: PortsOf = all_of,
        owner_uid: int = 0,
    ) -> None:
        self._database = database
        self._driver = driver
        self._ports_of = ports_of
        self._here = Here()
        self._first_look = threading.Thread(target=self._look_around, name="network", daemon=True)
        self.nics = NicService(catalogue)
        self.vsws = VswService(catalogue, self.nics)
        self.br_nets = BrNetService(catalogue, guests_of)
        self.bridges = BridgeService(catalogue)
        self.br_net_nss = BrNetNsService(catalogue, guests_of)
        self.l3_nets = L3NetService(catalogue)
        self.ports = Ports(driver, self._here, self.bridges, owner_uid)
        parts = Parts(self.br_nets, self.bridges, self.br_net_nss, self.l3_nets, nodes_of)
        self.reconcilers: list[AnyReconciler] = [
            NicReconciler(driver, self._here, self.nics),
            VswReconciler(driver, self._here, self.nics, nodes_of),
            BrNetReconciler(catalogue, parts),
            BridgeReconciler(driver, self._here, self.nics, nodes_of),
            BrNetNsReconciler(driver, self._here, self.br_net_nss, self.bridges, nodes_of, guests_of),
            L3NetReconciler(driver, self.br_net_nss, guests_of),
        ]

    def start(self, node_id: int) -> None:
        """Seed what every installation has, and ask for a look at everything: the host may have been
        started anew. Before the engine starts. `node_id` is this process's own node.
        """
        self._here.node_id = node_id

        def write(transaction: Transaction) -> None:
            self.vsws.seed(transaction)
            self.br_nets.ask(transaction)
            for service in (self.nics, self.vsws, self.bridges, self.br_net_nss):
                for resource in service.store.find(transaction, labels=False):
                    work.ask(transaction, service.kind.name, resource.id)

        self._database.write(write)
        # in a thread of its own, since pyroute2 takes half a second to be imported
        self._first_look.start()

    def close(self) -> None:
        """Wait for what `start` began. After the engine has stopped."""
        if self._first_look.is_alive():
            self._first_look.join()

    @property
    def chores(self) -> Mapping[str, Callable[[], object]]:
        """What is to be done now and then."""
        return {
            "discover_nics": self.discover,
            "cover_networks": self._cover,
            "reclaim_networks": self.reclaim,
        }

    def discover(self) -> None:
        """Write down the network cards that are new on this node."""
        node_id = self._here.node_id
        if node_id is None:
            return
        found = self._driver.interfaces()
        if self._database.read(lambda tx: self.nics.unknown(tx, node_id, found)):
            self._database.write(lambda tx: self.nics.discover(tx, node_id, found))

    def reclaim(self) -> None:
        """Remove what this node has of networks and guests that are gone, and what crashes left half made."""
        self.ports.reclaim(lambda ids: self._database.read(lambda tx: self._ports_of(tx, ids)))
        survey = self._driver.survey()
        known = {each.spec.br_net_id for each in self._mine(self.bridges)}
        served = {each.spec.br_net_id for each in self._mine(self.br_net_nss)}
        for network in survey.dhcp - served:
            self._driver.remove_dhcp(network)
        for network in survey.bridges - known:
            self._driver.remove_bridge(network)
        switches = self._database.read(
            lambda tx: {each.id for each in self.vsws.store.find(tx, labels=False)}
        )
        for switch in survey.uplinks - switches:
            self._driver.remove_uplink(switch)
        self._driver.reclaim()

    def _mine(self, service: BridgeService | BrNetNsService) -> list[Any]:
        mine = service.columns.node_id == self._here.node_id
        return list(self._database.read(lambda tx: service.store.find(tx, mine, labels=False)))

    def _cover(self) -> None:
        """Nodes may have come or gone."""
        self._database.write(self.br_nets.ask)

    def _look_around(self) -> None:
        for deed in (self.discover, self.reclaim):
            try:
                deed()
            except StratalError as error:
                log.warning("network_not_looked_at", deed=deed.__name__, error=str(error))
            except Exception:
                log.exception("network_not_looked_at", deed=deed.__name__)
