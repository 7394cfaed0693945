"""What became of the memory that snapshots of machines were to keep.

A row comes with its snapshot, where that is to keep memory. The reconciler of the machine, the only master of
its hypervisor, writes down here what it found; the one of snapshots reads it, and takes the row away once
there is no memory any more.
"""

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import BigInteger, Column, Table, Text, delete, insert, select, update

from stratal.compute.vm_snap.model import VM_SNAP
from stratal.kernel import work
from stratal.kernel.tables import METADATA
from stratal.kernel.transaction import Transaction


class MemoryState(StrEnum):
    """What became of it."""

    #: nothing yet
    PENDING = "pending"
    KEPT = "kept"
    #: it could not be kept: the snapshot is one of disks
    LOST = "lost"
    #: it was removed, since its snapshot is being deleted
    GONE = "gone"


@dataclass(frozen=True, kw_only=True)
class Memory:
    """The memory that a snapshot was to keep."""

    state: MemoryState
    #: what it takes
    size_byte: int = 0
    #: why it is lost
    problem: str | None = None


MACHINE_MEMORY = Table(
    "machine_memory",
    METADATA,
    Column("vm_snap_id", BigInteger, primary_key=True, autoincrement=False),
    Column("state", Text, nullable=False),
    Column("size_byte", BigInteger, nullable=False),
    Column("problem", Text),
)


def expect(transaction: Transaction, vm_snap_id: int) -> None:
    """A new snapshot is to keep memory."""
    transaction.execute(
        insert(MACHINE_MEMORY).values(vm_snap_id=vm_snap_id, state=MemoryState.PENDING.value, size_byte=0)
    )


def note(transaction: Transaction, vm_snap_id: int, memory: Memory) -> None:
    """Write down what became of it, and ask for a look at its snapshot; nothing if that has none any more.
    Called by the machine's reconciler, through `look.write`."""
    row = {"state": memory.state.value, "size_byte": memory.size_byte, "problem": memory.problem}
    transaction.execute(update(MACHINE_MEMORY).where(MACHINE_MEMORY.c.vm_snap_id == vm_snap_id).values(row))
    work.ask(transaction, VM_SNAP.name, vm_snap_id)


def of(transaction: Transaction, vm_snap_id: int) -> Memory | None:
    """What became of it; None: the snapshot has none, or none any more."""
    row = transaction.execute(select(MACHINE_MEMORY).where(MACHINE_MEMORY.c.vm_snap_id == vm_snap_id)).first()
    if row is None:
        return None
    return Memory(state=MemoryState(row.state), size_byte=row.size_byte, problem=row.problem)


def forget(transaction: Transaction, vm_snap_id: int) -> None:
    """Drop what is known of a snapshot's memory that is gone."""
    transaction.execute(delete(MACHINE_MEMORY).where(MACHINE_MEMORY.c.vm_snap_id == vm_snap_id))
