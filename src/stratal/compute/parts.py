"""What the reconciler of a machine found of its disks, network interfaces and CD-ROM drives.

The hypervisor has one master, the reconciler of `virtual_machine`: it plugs in and out. What it saw of each
part it writes down here with `note`, in a `look.write` of its own; the reconcilers of the parts read it
with `of` and turn it into their status. `note` asks for a look at every part that it says something new of.

A part that is being deleted must not go before the guest has let go of it for good. That is what `released`
says, and nothing else does: a machine that is stopped now may be starting already, with this very part.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Index, Table, Text, bindparam, delete, select

from stratal.kernel import work
from stratal.kernel.columns import StringSliceColumn
from stratal.kernel.prepared import Prepared
from stratal.kernel.tables import METADATA
from stratal.kernel.transaction import Transaction


class PartKind(StrEnum):
    """The kinds of parts, by the names of their kinds."""

    DISK = "vm_disk"
    NIC = "vm_nic"
    CD_ROM = "vm_cd_rom"


@dataclass(frozen=True, kw_only=True)
class Part:
    """One part, as the reconciler of its machine saw it."""

    kind: PartKind
    id: int
    #: a QEMU process has it
    attached: bool
    #: it is as its spec wants it, as far as it can be now: in a guest that is stopped, nothing is to be done
    settled: bool
    #: it was being deleted when the reconciler looked, the guest does not have it, and will not get it again
    released: bool = False
    #: its place in the guest (vda), or the tap device of an interface
    device: str | None = None
    #: MiB that the guest sees of a disk
    size_mb: int | None = None
    #: of a CD-ROM drive: there is an image in it
    inserted: bool = False
    #: of an interface: it has a link
    link_up: bool = False
    #: of an interface: what it is plugged into
    bridge_id: int | None = None
    #: of an interface: what is known of its addresses
    ip_addresses: tuple[str, ...] = ()
    #: what keeps it from being as it shall
    problem: str | None = None


MACHINE_PART = Table(
    "machine_part",
    METADATA,
    Column("kind", Text, primary_key=True),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("vm_id", BigInteger, nullable=False),
    Column("attached", Boolean, nullable=False),
    Column("settled", Boolean, nullable=False),
    Column("released", Boolean, nullable=False),
    Column("device", Text),
    Column("size_mb", BigInteger),
    Column("inserted", Boolean, nullable=False),
    Column("link_up", Boolean, nullable=False),
    Column("bridge_id", BigInteger),
    Column("ip_addresses", StringSliceColumn(), nullable=False),
    Column("problem", Text),
)
Index("ix_machine_part_vm_id", MACHINE_PART.c.vm_id)

_NAMES = tuple(field.name for field in fields(Part))
_COLUMNS = [MACHINE_PART.c[name] for name in _NAMES]
_OF_MACHINE = Prepared(select(*_COLUMNS).where(MACHINE_PART.c.vm_id == bindparam("machine")))
_ONE = Prepared(
    select(*_COLUMNS).where(MACHINE_PART.c.kind == bindparam("of"), MACHINE_PART.c.id == bindparam("wanted"))
)


def note(transaction: Transaction, vm_id: int, seen: Iterable[Part]) -> None:
    """Write down what was seen of these parts of a machine; nothing is said of its others.

    Asks for a look at each part that this says something new of. Called by the machine's reconciler, through
    `look.write`.
    """
    known = all_of(transaction, vm_id)
    new = [part for part in seen if known.get((part.kind, part.id)) != part]
    if not new:
        return
    insert = transaction.insert(MACHINE_PART)
    changed = {name: insert.excluded[name] for name in (*_NAMES[2:], "vm_id")}
    transaction.execute(
        insert.on_conflict_do_update(index_elements=[MACHINE_PART.c.kind, MACHINE_PART.c.id], set_=changed),
        [{**_row(part), "vm_id": vm_id} for part in new],
    )
    for part in new:
        work.ask(transaction, part.kind, part.id)


def of(transaction: Transaction, kind: PartKind, id: int) -> Part | None:
    """What was last seen of a part; None: its machine was not looked at since it came."""
    rows = transaction.rows(_ONE, {"of": kind.value, "wanted": id})
    return _part(rows[0]) if rows else None


def all_of(transaction: Transaction, vm_id: int) -> dict[tuple[PartKind, int], Part]:
    """What was last seen of all parts of a machine."""
    found = [_part(row) for row in transaction.rows(_OF_MACHINE, {"machine": vm_id})]
    return {(part.kind, part.id): part for part in found}


def forget(transaction: Transaction, kind: PartKind, id: int) -> None:
    """Drop what was seen of a part that is gone. Called by the reconciler of the part."""
    transaction.execute(
        delete(MACHINE_PART).where(MACHINE_PART.c.kind == kind.value, MACHINE_PART.c.id == id)
    )


def _row(part: Part) -> dict[str, Any]:
    return {**asdict(part), "kind": part.kind.value, "ip_addresses": list(part.ip_addresses)}


def _part(row: Any) -> Part:
    values: dict[str, Any] = dict(zip(_NAMES, row, strict=True))
    values["kind"] = PartKind(values["kind"])
    values["ip_addresses"] = tuple(values["ip_addresses"])
    return Part(**values)
