"""Who is on a network: the answer to what networks ask of compute. See `stratal.network.GuestsOf`."""

from collections.abc import Mapping

from sqlalchemy import select

from stratal.compute.vm_nic.model import VM_NIC
from stratal.kernel.transaction import Transaction


def guests_of(transaction: Transaction, br_net_id: int) -> Mapping[str, str | None]:
    """The MAC addresses of the interfaces on a network, with the address that is kept for each."""
    columns = VM_NIC.tables.spec.c
    statement = select(columns.mac_address, columns.ip_address).where(
        columns.br_net_id == br_net_id, columns.deletion_begin.is_(None)
    )
    return {row.mac_address: row.ip_address for row in transaction.execute(statement)}
