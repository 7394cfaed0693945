"""Volumes in virtual machines of this Stratal: an attachment is the machine's disk, whichever face made it.

Called by the endpoints of attachments and by what shows volumes. Attachments to machines elsewhere are
records of the storage domain.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from sqlalchemy import ColumnElement, ScalarSelect, and_, or_, select

from stratal.compute.parts import MACHINE_PART, PartKind
from stratal.compute.virtual_machine.model import VIRTUAL_MACHINE
from stratal.compute.vm_disk.model import VM_DISK, VmDiskCreate
from stratal.faces.evs.call import Call
from stratal.faces.evs.faults import bad_request, not_found
from stratal.identity import authorised
from stratal.kernel.access import Access
from stratal.kernel.errors import NotFound
from stratal.kernel.kind import Profile
from stratal.kernel.transaction import Transaction
from stratal.kernel.uuids import id_of_uuid, uuids_of
from stratal.storage.block.states import check_volume
from stratal.storage.block.traits import put_volume
from stratal.storage.block.views import AttachmentView

_disk, _machine = VM_DISK.tables.spec, VIRTUAL_MACHINE.tables.spec
_seen = VM_DISK.tables.status
_DEVICES: Final = "/dev/"
_DEVICE: Final = re.compile(r"^(?:/dev/)?(vd[a-z]{1,2})$(?!\n)")
"""A place of virtio's. Any other wish is none."""
_NUMBER: Final = re.compile(r"^[1-9][0-9]{0,17}$(?!\n)")

_DISKS: Final = (
    select(
        _disk.c.id,
        _disk.c.uuid,
        _disk.c.bs_volume_id,
        _disk.c.project_id,
        _disk.c.target,
        _disk.c.created_at,
        _disk.c.creation_finish,
        _disk.c.deletion_begin,
        _seen.c.device,
        _machine.c.uuid.label("server"),
    )
    .join_from(_disk, _seen, _seen.c.id == _disk.c.id)
    .join(_machine, _machine.c.id == _disk.c.vm_id)
    .outerjoin(MACHINE_PART, and_(MACHINE_PART.c.kind == PartKind.DISK, MACHINE_PART.c.id == _disk.c.id))
    .where(
        _disk.c.deleted_at.is_(None),
        # of a disk that is being detached, until its guest has let go: then the volume is available again
        or_(_disk.c.deletion_begin.is_(None), MACHINE_PART.c.released.is_not(True)),
    )
    .order_by(_disk.c.created_at, _disk.c.id)
)


def attachments(transaction: Transaction, *where: ColumnElement[bool]) -> list[AttachmentView]:
    """The disks of machines for which these conditions hold, as attachments."""
    found: list[AttachmentView] = []
    for row in transaction.execute(_DISKS.where(*where)):
        status = "attaching" if row.creation_finish is None else "attached"
        found.append(
            AttachmentView(
                uuid=row.uuid,
                volume_id=row.bs_volume_id,
                project_id=row.project_id,
                instance_uuid=row.server,
                host_name=None,
                mountpoint=f"{_DEVICES}{row.device or row.target}",
                mode="rw",
                status="detaching" if row.deletion_begin is not None else status,
                connector=None,
                created_at=row.created_at,
                attached_at=row.creation_finish,
            )
        )
    return found


def of_volumes(transaction: Transaction, volume_ids: Iterable[int]) -> Mapping[int, AttachmentView]:
    """The attachments of these volumes to machines: a machine's disk is nobody else's."""
    ids = list(volume_ids)
    found = attachments(transaction, _disk.c.bs_volume_id.in_(ids)) if ids else []
    return {each.volume_id: each for each in found}


def of_project(transaction: Transaction, project_id: int | None) -> list[AttachmentView]:
    """Those of a project; of None: of all."""
    return attachments(transaction, *([] if project_id is None else [_disk.c.project_id == project_id]))


def named(transaction: Transaction, call: Call, uuid: str) -> AttachmentView | None:
    """The attachment with this id, if it is to a machine and the caller's."""
    id = id_of_uuid(transaction, VM_DISK, uuid)
    if id is None:
        return None
    try:
        call.services.compute.vm_disks.show(transaction, _may(call, "vm_disk", "show"), id)
    except NotFound:
        return None
    return next(iter(attachments(transaction, _disk.c.id == id)), None)


def machine_named(transaction: Transaction, call: Call, text: str | None) -> int | None:
    """The machine of the caller's with this id; None where it is one elsewhere, or none.

    Its UUID, or the number that the NeutonOS face shows: a machine elsewhere has no such name.
    """
    if text is None:
        return None
    id = int(text) if _NUMBER.match(text) else id_of_uuid(transaction, VIRTUAL_MACHINE, text)
    if id is None:
        return None
    try:
        access = _may(call, "virtual_machine", "show")
        call.services.compute.virtual_machines.show(transaction, access, id)
    except NotFound:
        return None
    return id


def disks_of_server(transaction: Transaction, call: Call, uuid: str) -> list[int]:
    """The volumes of a machine. Raises a 404."""
    id = machine_named(transaction, call, uuid)
    if id is None:
        raise not_found("Server", uuid)
    found = attachments(transaction, _disk.c.vm_id == id, _disk.c.deletion_begin.is_(None))
    return [each.volume_id for each in found]


def server_uuid(transaction: Transaction, call: Call, text: str | None) -> str | None:
    """The UUID of a machine of the caller's; None where it is none."""
    id = machine_named(transaction, call, text)
    return None if id is None else uuids_of(transaction, VIRTUAL_MACHINE, [id])[id]


def volumes_in(uuid: str) -> ScalarSelect[int]:
    """The volumes of the machine with this UUID."""
    return (
        select(_disk.c.bs_volume_id)
        .join(_machine, _machine.c.id == _disk.c.vm_id)
        .where(_machine.c.uuid == uuid, _disk.c.deleted_at.is_(None))
        .scalar_subquery()
    )


def attach(
    transaction: Transaction,
    call: Call,
    volume_id: int,
    machine_id: int,
    *,
    mode: str,
    verb: str,
    device: str = "",
) -> AttachmentView:
    """Make a volume a machine's disk, also while that runs. `device` is where in the guest, if it is free.

    Raises WrongStatus, and what the creation of a disk raises.
    """
    volume = call.services.storage.block.volumes.show(transaction, call.access, volume_id, lock=True)
    check_volume(verb, status=volume.status, uuid=volume.uuid)
    if mode != "rw" or volume.metadata.get("readonly") == "True":
        raise bad_request("Disks of virtual machines are attached for reading and writing here.")
    wish = _DEVICE.match(device)
    body = VmDiskCreate(name=volume.name or "disk", vm_id=machine_id, bs_volume_id=volume_id)
    made = call.services.compute.vm_disks.create(
        transaction, _may(call, "vm_disk", "create"), body, wish=wish[1] if wish else ""
    )
    put_volume(transaction, volume_id, condition=None)
    return attachments(transaction, _disk.c.id == made.id)[0]


def detach(transaction: Transaction, call: Call, found: AttachmentView) -> None:
    """Take a disk from its machine. The volume stays."""
    id = call.id_of(transaction, VM_DISK, found.uuid, "Attachment")
    call.services.compute.vm_disks.delete(transaction, _may(call, "vm_disk", "delete"), id)
    put_volume(transaction, found.volume_id, condition=None)


def _may(call: Call, kind: str, verb: str) -> Access:
    return authorised(call.access, kind, verb, Profile.TENANT)
