"""What may be asked of bridged networks. Called by faces."""

from collections.abc import Mapping
from typing import Any

import msgspec

from stratal.kernel import work
from stratal.kernel.access import Access
from stratal.kernel.errors import Conflict, Invalid
from stratal.kernel.fields import given
from stratal.kernel.kind import Catalogue
from stratal.kernel.service import Change, ResourceService
from stratal.kernel.store import Resource, Store
from stratal.kernel.transaction import Transaction
from stratal.network.br_net.model import BR_NET, BrNetCreate, BrNetSpec, BrNetStatus, BrNetUpdate
from stratal.network.drivers.contract import Attachment
from stratal.network.here import GuestsOf
from stratal.network.subnets import check_host, parse_address, parse_subnet
from stratal.network.vsw.model import VSW

BrNet = Resource[BrNetSpec, BrNetStatus]


class BrNetService(ResourceService[BrNetSpec, BrNetStatus]):
    create_body = BrNetCreate
    update_body = BrNetUpdate

    def __init__(self, catalogue: Catalogue, guests_of: GuestsOf) -> None:
        super().__init__(BR_NET, catalogue)
        self._guests_of = guests_of
        self._switches = Store(VSW)

    def new(self, transaction: Transaction, access: Access, body: BrNetCreate) -> Change:
        switch = self._switches.hold(transaction, body.vsw_id)
        if switch is None:
            raise Invalid(field="spec.vsw_id", reason=f"there is no vsw {body.vsw_id}")
        values: dict[str, Any] = msgspec.structs.asdict(body)
        if body.mtu is msgspec.UNSET:
            values["mtu"] = switch.spec.mtu
        self._check(transaction, values, body.vsw_id)
        return values

    def changed(self, transaction: Transaction, access: Access, resource: BrNet, body: BrNetUpdate) -> Change:
        values: dict[str, Any] = given(body)
        if "cidr" in values and values["cidr"] is None:
            # a subnet that goes takes along what is in it
            values.setdefault("gateway", None)
        self._check(transaction, {**msgspec.structs.asdict(resource.spec), **values}, resource.spec.vsw_id)
        if values.get("cidr", resource.spec.cidr) != resource.spec.cidr:
            guests = len(self._guests_of(transaction, resource.id))
            if guests:
                raise Conflict(
                    reason=f"{guests} guests of br_net {resource.id} have their addresses by its cidr"
                )
        gateway = values.get("gateway")
        taken = self._guests_of(transaction, resource.id).values() if gateway is not None else ()
        if gateway in taken:
            raise Conflict(reason=f"the address {gateway} is kept for a guest of br_net {resource.id}")
        return values

    def check_address(self, transaction: Transaction, id: int, text: str, *, field: str) -> str:
        """The address in its one form, if a guest of the network may have it kept for it.

        Raises Invalid for one that no guest of the network can have, Conflict for one that is taken.
        """
        network = self.store.get(transaction, id, labels=False)
        if network is None or network.spec.cidr is None:
            raise Invalid(field=field, reason=f"br_net {id} has no subnet to keep an address in")
        address = parse_address(text, field=field)
        check_host(address, parse_subnet(network.spec.cidr), field=field)
        if str(address) in {network.spec.gateway, *self._guests_of(transaction, id).values()}:
            raise Conflict(reason=f"the address {address} of br_net {id} is taken")
        return str(address)

    def ask(self, transaction: Transaction) -> None:
        """Ask for a look at all networks."""
        for network in self.store.find(transaction, labels=False):
            work.ask(transaction, BR_NET.name, network.id)

    def _check(self, transaction: Transaction, values: Mapping[str, Any], vsw_id: int) -> None:
        """Raise Invalid for what does not go together; values are those that the network would have."""
        switch = self._switches.hold(transaction, vsw_id)
        if switch is not None and values["mtu"] > switch.spec.mtu:
            raise Invalid(
                field="spec.mtu", reason=f"vsw {vsw_id} passes packets of {switch.spec.mtu} bytes at most"
            )
        if values["type"] is Attachment.TRUNK and values["vlan_id"] != 0:
            raise Invalid(field="spec.vlan_id", reason="a trunk has no tag of its own: it must be 0")
        for index, server in enumerate(values["dns_servers"]):
            parse_address(server, field=f"spec.dns_servers[{index}]")
        _check_subnet(values)


def _check_subnet(values: Mapping[str, Any]) -> None:
    if values["cidr"] is None:
        if values["gateway"] is not None:
            raise Invalid(field="spec.gateway", reason="there is no cidr that it could be in")
        return
    subnet = parse_subnet(values["cidr"])
    needed = 2 if values["dhcp"] else 1
    if values["gateway"] is not None:
        check_host(parse_address(values["gateway"], field="spec.gateway"), subnet, field="spec.gateway")
        needed += 1
    if subnet.num_addresses - 2 < needed:
        raise Invalid(field="spec.cidr", reason=f"{subnet} has no address left for a guest")
