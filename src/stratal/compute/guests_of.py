"""Who is on networks: the answers to what networks ask of compute. See `GuestsOf` and `PortsOf` there."""

from collections.abc import Collection, Mapping

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


def ports_of(transaction: Transaction, vm_nic_ids: Collection[int]) -> Collection[int]:
    """Which of these interfaces there are, those included that are on their way out."""
    columns = VM_NIC.tables.spec.c
    found = select(columns.id).where(columns.id.in_(vm_nic_ids), columns.deleted_at.is_(None))
    return transaction.execute(found).scalars().all()
