"""Namespaces follow from networks and nodes. Called by faces, and by what networks consist of."""

from ipaddress import IPv4Interface

from stratal.kernel import work
from stratal.kernel.derived import DerivedService
from stratal.kernel.kind import Catalogue
from stratal.kernel.store import Resource
from stratal.kernel.transaction import Transaction
from stratal.network.br_net.model import BrNetSpec, BrNetStatus
from stratal.network.br_net_ns.model import BR_NET_NS, BrNetNsSpec, BrNetNsStatus
from stratal.network.here import GuestsOf
from stratal.network.subnets import parse_subnet, service_address


class BrNetNsService(DerivedService[BrNetNsSpec, BrNetNsStatus]):
    """Lists and shows namespaces, and gives each its address."""

    def __init__(self, catalogue: Catalogue, guests_of: GuestsOf) -> None:
        super().__init__(BR_NET_NS, catalogue)
        self._guests_of = guests_of

    def address(self, transaction: Transaction, id: int) -> IPv4Interface | None:
        """What the namespace's own address is to be; None while there is none for it."""
        text = self.store.private(transaction, id, "address")
        return None if text is None else IPv4Interface(text)

    def number(self, transaction: Transaction, network: Resource[BrNetSpec, BrNetStatus]) -> None:
        """Give each namespace of a network an address in its subnet that nobody has. Idempotent.

        Those that have a right one keep it.
        """
        if network.spec.cidr is None:
            return
        subnet = parse_subnet(network.spec.cidr)
        guests = self._guests_of(transaction, network.id).values()
        taken = {str(network.spec.gateway), *(address for address in guests if address is not None)}
        for namespace in self.of(transaction, br_net_id=network.id):
            address = self.address(transaction, namespace.id)
            if address is None or address.network != subnet or str(address.ip) in taken:
                address = service_address(subnet, taken)
                text = None if address is None else str(address)
                self.store.mark(transaction, namespace.id, {"address": text})
                work.ask(transaction, self.kind.name, namespace.id)
            if address is not None:
                taken.add(str(address.ip))

    def addresses_of(self, transaction: Transaction, br_net_id: int) -> set[str]:
        """The addresses of all namespaces of a network, without prefixes."""
        found = (self.address(transaction, each.id) for each in self.of(transaction, br_net_id=br_net_id))
        return {str(address.ip) for address in found if address is not None}
