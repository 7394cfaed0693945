"""Network cards are found, and cannot be made through an API. Called by faces and by the facade."""

from collections.abc import Iterable

from stratal.kernel.derived import DerivedService
from stratal.kernel.kind import Catalogue
from stratal.kernel.store import Resource
from stratal.kernel.transaction import Transaction
from stratal.network.drivers.contract import Interface
from stratal.network.nic.model import NIC, NicSpec, NicStatus

Nic = Resource[NicSpec, NicStatus]


class NicService(DerivedService[NicSpec, NicStatus]):
    """Lists and shows cards; `discover` keeps the rows in step with a node's interfaces."""

    def __init__(self, catalogue: Catalogue) -> None:
        super().__init__(NIC, catalogue)

    def discover(self, transaction: Transaction, node_id: int, interfaces: Iterable[Interface]) -> None:
        """Write down the cards that are new. Idempotent. Those that are gone are seen by their reconciler."""
        known = {nic.spec.name for nic in self.of(transaction, node_id=node_id)}
        for interface in interfaces:
            if interface.name not in known:
                self.add(transaction, {"name": interface.name, "node_id": node_id})

    def unknown(self, transaction: Transaction, node_id: int, interfaces: Iterable[Interface]) -> bool:
        """Whether there is anything for `discover` to do."""
        known = {nic.spec.name for nic in self.of(transaction, node_id=node_id)}
        return any(interface.name not in known for interface in interfaces)
