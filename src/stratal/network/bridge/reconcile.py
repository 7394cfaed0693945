"""Makes the bridges of networks on this node. Called by the reconcile engine."""

import msgspec

from stratal.kernel.reconcile import Gone, Look, Observed, StillRemoving
from stratal.kernel.store import Resource, Store
from stratal.kernel.transaction import Transaction
from stratal.network.br_net.model import BR_NET
from stratal.network.bridge.model import BRIDGE, BridgeSpec, BridgeStatus
from stratal.network.drivers.contract import BridgeWanted, NetworkDriver
from stratal.network.here import LOOK_AGAIN, PASS_ON, Here, NodesOf, pass_on
from stratal.network.nic.service import NicService
from stratal.network.uplinks import uplink_of
from stratal.network.vsw.model import VSW

Bridge = Resource[BridgeSpec, BridgeStatus]


class BridgeReconciler:
    """Makes bridges of this node, and joins them to the uplinks of their switches."""

    kind = BRIDGE
    concurrency = 4

    def __init__(self, driver: NetworkDriver, here: Here, nics: NicService, nodes_of: NodesOf) -> None:
        self._driver = driver
        self._here = here
        self._nics = nics
        self._nodes_of = nodes_of
        self._networks = Store(BR_NET)
        self._switches = Store(VSW)

    def reconcile(self, resource: Bridge, look: Look) -> Observed[BridgeStatus]:
        if not self._here.is_mine(resource.spec.node_id):
            return pass_on(resource)
        wanted = look.read(lambda tx: self._wanted(tx, resource))
        if wanted is None:  # on its way out; whoever drops this bridge will ask for a look
            return Observed(status=resource.status, settled=False, again_after=LOOK_AGAIN)
        look.check()
        state = self._driver.ensure_bridge(resource.spec.br_net_id, wanted)
        status = msgspec.structs.replace(
            resource.status,
            device=state.device,
            operstate="up" if state.up else "down",
            mac_address=state.mac,
            port_num=len(state.ports),
        )
        return Observed(status=status, again_after=LOOK_AGAIN)

    def remove(self, resource: Bridge, look: Look) -> Gone | StillRemoving[BridgeStatus]:
        if self._here.is_mine(resource.spec.node_id):
            look.check()
            self._driver.remove_bridge(resource.spec.br_net_id)
        elif resource.spec.node_id in look.read(self._nodes_of):
            return StillRemoving(status=resource.status, again_after=PASS_ON)
        return Gone()

    def _wanted(self, transaction: Transaction, bridge: Bridge) -> BridgeWanted | None:
        network = self._networks.get(transaction, bridge.spec.br_net_id, labels=False)
        switch = self._switches.get(transaction, bridge.spec.vsw_id, labels=False)
        if network is None or switch is None or network.spec.deletion_begin is not None:
            return None
        nics = self._nics.of(transaction, vsw_id=switch.id)
        uplink = uplink_of(switch.spec, [nic for nic in nics if nic.spec.node_id == bridge.spec.node_id])
        return BridgeWanted(
            mtu=network.spec.mtu,
            uplink=None if uplink is None else self._driver.uplink_device(switch.id, uplink),
            vlan=network.spec.vlan_id,
            attachment=network.spec.type,
        )
