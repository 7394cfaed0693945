"""Counts the addresses of subnets that are in use. Called by the reconcile engine."""

import msgspec

from stratal.kernel.reconcile import Gone, Look, Observed
from stratal.kernel.store import Resource
from stratal.kernel.transaction import Transaction
from stratal.network.br_net_ns.service import BrNetNsService
from stratal.network.drivers.contract import NetworkDriver
from stratal.network.here import LOOK_AGAIN, GuestsOf
from stratal.network.l3_net.model import L3_NET, L3NetSpec, L3NetStatus

L3Net = Resource[L3NetSpec, L3NetStatus]


class L3NetReconciler:
    """Counts what is kept for guests, what they were handed, and what services and gateways have."""

    kind = L3_NET
    concurrency = 2

    def __init__(self, driver: NetworkDriver, namespaces: BrNetNsService, guests_of: GuestsOf) -> None:
        self._driver = driver
        self._namespaces = namespaces
        self._guests_of = guests_of

    def reconcile(self, resource: L3Net, look: Look) -> Observed[L3NetStatus]:
        used = look.read(lambda tx: self._kept(tx, resource))
        network = resource.spec.br_net_id
        if network is not None:
            used |= {each for found in self._driver.addresses(network).values() for each in found}
        status = msgspec.structs.replace(resource.status, used_ip_num=len(used))
        return Observed(status=status, again_after=LOOK_AGAIN)

    def remove(self, resource: L3Net, look: Look) -> Gone:
        return Gone()

    def _kept(self, transaction: Transaction, l3_net: L3Net) -> set[str]:
        kept = {l3_net.spec.gateway}
        if l3_net.spec.br_net_id is not None:
            kept |= set(self._guests_of(transaction, l3_net.spec.br_net_id).values())
            kept |= self._namespaces.addresses_of(transaction, l3_net.spec.br_net_id)
        return {each for each in kept if each is not None}
