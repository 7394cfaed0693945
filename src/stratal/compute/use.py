"""Who uses a volume, as compute knows it: the answer to what storage asks. See `stratal.storage.UseOf`."""

from sqlalchemy import and_, bindparam, or_, select

from stratal.compute.domain import PowerState
from stratal.compute.parts import MACHINE_PART, PartKind
from stratal.compute.virtual_machine.model import VIRTUAL_MACHINE, WantedPower
from stratal.compute.vm_disk.model import VM_DISK
from stratal.kernel.transaction import Transaction
from stratal.storage import Use

_DISK, _MACHINE = VM_DISK.tables.spec, VIRTUAL_MACHINE.tables
_ALIVE = (PowerState.RUNNING, PowerState.PAUSED)

_FIND = (
    select(
        _DISK.c.id,
        _DISK.c.vm_id,
        _MACHINE.spec.c.power_state.label("wanted"),
        _MACHINE.status.c.power_state.label("found"),
        MACHINE_PART.c.attached,
    )
    .join_from(_DISK, _MACHINE.spec, _DISK.c.vm_id == _MACHINE.spec.c.id)
    .join(_MACHINE.status, _MACHINE.status.c.id == _MACHINE.spec.c.id)
    .outerjoin(MACHINE_PART, and_(MACHINE_PART.c.kind == PartKind.DISK, MACHINE_PART.c.id == _DISK.c.id))
    .where(
        _DISK.c.bs_volume_id == bindparam("volume"),
        _DISK.c.deleted_at.is_(None),
        # a disk that is being deleted has the volume until its guest has let go for good
        or_(_DISK.c.deletion_begin.is_(None), MACHINE_PART.c.released.is_not(True)),
    )
    .order_by(_DISK.c.id)
    .limit(1)
)


def use_of(transaction: Transaction, volume_id: int) -> Use | None:
    """The use of a volume by the disk of a virtual machine.

    It is open while a guest has it and from the moment on that its machine is wanted running: whatever must
    not happen under a running guest must not begin while one starts.
    """
    row = transaction.execute(_FIND, {"volume": volume_id}).first()
    if row is None:
        return None
    is_open = bool(row.attached) or row.wanted == WantedPower.RUNNING or row.found in _ALIVE
    return Use(
        vm_disk_id=row.id,
        mapping_num=int(is_open),
        protocol=None,
        keeper=(VIRTUAL_MACHINE.name, row.vm_id),
    )
