"""Makes the uplinks of switches, as far as they are on this node. Called by the reconcile engine."""

import msgspec

from stratal.kernel import work
from stratal.kernel.reconcile import Gone, Look, Observed
from stratal.kernel.store import Resource, Store
from stratal.kernel.transaction import Transaction
from stratal.network.br_net.model import BR_NET
from stratal.network.bridge.model import BRIDGE
from stratal.network.drivers.contract import NetworkDriver
from stratal.network.here import LOOK_AGAIN, PASS_ON, Here, NodesOf
from stratal.network.nic.service import NicService
from stratal.network.uplinks import uplink_of
from stratal.network.vsw.model import VSW, VswSpec, VswStatus

Vsw = Resource[VswSpec, VswStatus]


class VswReconciler:
    """Attaches and detaches network cards, and counts networks."""

    kind = VSW
    concurrency = 2

    def __init__(self, driver: NetworkDriver, here: Here, nics: NicService, nodes_of: NodesOf) -> None:
        self._driver = driver
        self._here = here
        self._nics = nics
        self._nodes_of = nodes_of
        self._networks = Store(BR_NET)
        self._bridges = Store(BRIDGE)

    def reconcile(self, resource: Vsw, look: Look) -> Observed[VswStatus]:
        nics = look.read(lambda tx: self._nics.of(tx, vsw_id=resource.id))
        mine = [nic for nic in nics if self._here.is_mine(nic.spec.node_id)]
        others = {nic.id for nic in nics if not self._here.is_mine(nic.spec.node_id)}
        attached = {id for id in resource.status.nic_ids if id in others}
        wanted = uplink_of(resource.spec, mine)
        look.check()
        if wanted is None:
            self._driver.remove_uplink(resource.id)
        else:
            present = self._driver.ensure_uplink(resource.id, wanted).interfaces
            attached |= {nic.id for nic in mine if nic.spec.name in present}
        status = msgspec.structs.replace(
            look.read(lambda tx: self._count(tx, resource)), nic_ids=sorted(attached)
        )
        if status.nic_ids != resource.status.nic_ids:
            look.write(lambda tx: self._ask_for_bridges(tx, resource.id))
        settled = status.nic_ids == resource.spec.nic_ids
        again_after = (LOOK_AGAIN if mine else None) if settled else PASS_ON
        return Observed(status=status, settled=settled, again_after=again_after)

    def remove(self, resource: Vsw, look: Look) -> Gone:
        self._driver.remove_uplink(resource.id)
        return Gone()

    def _count(self, transaction: Transaction, vsw: Vsw) -> VswStatus:
        columns = self._networks.kind.tables.spec.c
        return msgspec.structs.replace(
            vsw.status,
            br_net_num=self._networks.count(transaction, columns.vsw_id == vsw.id),
            node_num=len(self._nodes_of(transaction)),
        )

    def _ask_for_bridges(self, transaction: Transaction, id: int) -> None:
        columns = self._bridges.kind.tables.spec.c
        for bridge in self._bridges.find(transaction, columns.vsw_id == id, labels=False):
            work.ask(transaction, BRIDGE.name, bridge.id)
