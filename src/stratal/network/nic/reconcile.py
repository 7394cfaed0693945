"""Reports on the network cards of the node that this process runs on. Called by the reconcile engine."""

import msgspec

from stratal.kernel.reconcile import Gone, Look, Observed
from stratal.kernel.store import Resource
from stratal.kernel.transaction import Transaction
from stratal.network.drivers.contract import Interface, NetworkDriver
from stratal.network.here import LOOK_AGAIN, Here, pass_on
from stratal.network.nic.model import NIC, NicSpec, NicStatus
from stratal.network.nic.service import NicService

Nic = Resource[NicSpec, NicStatus]


class NicReconciler:
    """Refreshes the status of a card; forgets one that is gone, unless a switch still counts on it."""

    kind = NIC
    concurrency = 2

    def __init__(self, driver: NetworkDriver, here: Here, nics: NicService) -> None:
        self._driver = driver
        self._here = here
        self._nics = nics

    def reconcile(self, resource: Nic, look: Look) -> Observed[NicStatus]:
        if not self._here.is_mine(resource.spec.node_id):
            return pass_on(resource)
        found = [each for each in self._driver.interfaces() if each.name == resource.spec.name]
        if found:
            master = look.read(lambda tx: self._master_of(tx, resource, found[0]))
            return Observed(status=_status(resource.status, found[0], master), again_after=LOOK_AGAIN)
        if resource.spec.vsw_id is None:
            look.write(lambda tx: self._nics.drop(tx, resource.id))
        status = msgspec.structs.replace(resource.status, operstate="down", link_detected=False)
        return Observed(status=status, again_after=LOOK_AGAIN)

    def remove(self, resource: Nic, look: Look) -> Gone:
        return Gone()

    def _master_of(self, transaction: Transaction, nic: Nic, interface: Interface) -> int | None:
        if interface.master is None:
            return None
        others = self._nics.of(transaction, node_id=nic.spec.node_id)
        return next((other.id for other in others if other.spec.name == interface.master), None)


def _status(before: NicStatus, interface: Interface, master_nic_id: int | None) -> NicStatus:
    return msgspec.structs.replace(
        before,
        type=interface.type,
        mac_address=interface.mac,
        operstate="up" if interface.up and interface.carrier else "down",
        link_detected=interface.carrier,
        megabits=interface.megabits,
        bonding_mode=interface.bond_mode,
        master_nic_id=master_nic_id,
        vf_num=interface.virtual_functions,
        mtu=interface.mtu,
        driver=interface.kernel_driver,
        pci_address=interface.pci_address,
        ip_addresses=list(interface.addresses),
    )
