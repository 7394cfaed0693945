"""Volumes and snapshots as these dialects show them: one row from all the tables that say something.

Called by the services of this package, which decide on what they see here, and by faces for their answers.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import (
    ColumnElement,
    Select,
    UnaryExpression,
    and_,
    bindparam,
    exists,
    func,
    literal,
    select,
    true,
)

from stratal.kernel.prepared import Prepared
from stratal.kernel.transaction import Transaction
from stratal.storage.block.model import (
    ATTACHMENT,
    MB_PER_GB,
    RECYCLED,
    SNAPSHOT_TRAITS,
    UNNAMED,
    VOLUME_TRAITS,
)
from stratal.storage.block.states import SNAPSHOT_STATUS, VOLUME_STATUS
from stratal.storage.bs_policy.model import BS_POLICY
from stratal.storage.bs_snap.model import BS_SNAP
from stratal.storage.bs_volume.model import BS_VOLUME

_v, _vs, _t = BS_VOLUME.tables.spec, BS_VOLUME.tables.status, VOLUME_TRAITS
_s, _ss, _st = BS_SNAP.tables.spec, BS_SNAP.tables.status, SNAPSHOT_TRAITS
_policy = BS_POLICY.tables.spec
_source_snapshot = _s.alias("source_snapshot")
_source_volume = _v.alias("source_volume")

STATUS: Final = "status"

IN_BIN: Final[ColumnElement[bool]] = exists(
    select(literal(1)).where(RECYCLED.c.volume_id == _v.c.id).correlate(_v)
)
"""Whether a volume was deleted and is kept for a while: it is not among the others."""


class AttachmentView(msgspec.Struct, frozen=True, kw_only=True):
    """One attachment of a volume."""

    uuid: str
    volume_id: int
    project_id: int
    instance_uuid: str | None
    host_name: str | None
    mountpoint: str | None
    mode: str
    status: str
    connector: dict[str, Any] | None
    created_at: datetime
    attached_at: datetime | None


class VolumeView(msgspec.Struct, frozen=True, kw_only=True):
    """All there is to say of a volume."""

    id: int
    uuid: str
    name: str | None
    description: str | None
    project_id: int
    user_id: int | None
    size_gb: int
    size_mb: int
    status: str
    problem: str | None
    policy_id: int
    policy_uuid: str
    policy_name: str
    snapshot_uuid: str | None
    source_volume_uuid: str | None
    image_id: int | None
    metadata: dict[str, str]
    image_metadata: dict[str, str]
    tags: dict[str, str]
    bootable: bool
    multiattach: bool
    #: 0: no limit
    max_total_iops: int
    max_total_bw_bps: int
    group_uuid: str | None
    serial: str
    created_at: datetime
    updated_at: datetime | None
    creation_finish: datetime | None
    deletion_finish: datetime | None
    deleted: bool
    #: the disk of a virtual machine that it is
    vm_disk_id: int | None
    attachments: tuple[AttachmentView, ...] = ()


class SnapshotView(msgspec.Struct, frozen=True, kw_only=True):
    """All there is to say of a snapshot."""

    id: int
    uuid: str
    name: str | None
    description: str | None
    project_id: int
    user_id: int | None
    volume_id: int
    volume_uuid: str
    size_gb: int
    status: str
    metadata: dict[str, str]
    tags: dict[str, str]
    group_snapshot_uuid: str | None
    created_at: datetime
    updated_at: datetime | None


VOLUME_FIELDS: Final[dict[str, ColumnElement[Any]]] = {
    "id": _v.c.uuid,
    "name": _v.c.name,
    "description": _v.c.description,
    "created_at": _v.c.created_at,
    "updated_at": _v.c.updated_at,
    "size": _v.c.size_mb,
    "status": VOLUME_STATUS,
    "project_id": _v.c.project_id,
    "bootable": func.coalesce(_t.c.bootable, False),
    "volume_type_id": _policy.c.uuid,
    "volume_type": _policy.c.name,
    "snapshot_id": _source_snapshot.c.uuid,
    "source_volid": _source_volume.c.uuid,
    "group_id": _t.c.group_uuid,
    "multiattach": func.coalesce(_t.c.multiattach, False),
}
"""What volumes can be filtered and sorted by."""

SNAPSHOT_FIELDS: Final[dict[str, ColumnElement[Any]]] = {
    "id": _s.c.uuid,
    "name": _s.c.name,
    "description": _s.c.description,
    "created_at": _s.c.created_at,
    "updated_at": _s.c.updated_at,
    "volume_size": _s.c.size_mb,
    "status": SNAPSHOT_STATUS,
    "project_id": _s.c.project_id,
    "volume_id": _v.c.uuid,
    "group_snapshot_id": _st.c.group_snapshot_uuid,
}
"""What snapshots can be filtered and sorted by."""


def volumes(
    transaction: Transaction,
    *where: ColumnElement[bool],
    order_by: Sequence[ColumnElement[Any] | UnaryExpression[Any]] = (),
    limit: int | None = None,
    offset: int = 0,
    gone: bool = False,
    recycled: bool = False,
) -> list[VolumeView]:
    """The volumes for which all conditions hold, newest first unless ordered otherwise.

    `gone`: also those that are no more; `recycled`: those in the bin instead.
    """
    statement = _VOLUMES if gone else _VOLUMES.where(_v.c.deleted_at.is_(None))
    if not gone:
        statement = statement.where(IN_BIN if recycled else ~IN_BIN)
    ordering = order_by or (_v.c.created_at.desc(), _v.c.id.desc())
    rows = transaction.execute(statement.where(*where).order_by(*ordering).limit(limit).offset(offset)).all()
    attachments = attachments_of(transaction, [row.id for row in rows])
    return [_volume_view(row, tuple(attachments.get(row.id, ()))) for row in rows]


def has_metadata(pairs: Mapping[str, str]) -> ColumnElement[bool]:
    """Whether a volume has all of these pairs."""
    return and_(true(), *(_t.c.metadata[key].as_string() == value for key, value in pairs.items()))


def volume(transaction: Transaction, id: int, *, gone: bool = False) -> VolumeView | None:
    if gone:
        found = volumes(transaction, _v.c.id == id, gone=True)
        return found[0] if found else None
    rows = transaction.rows(_ONE_VOLUME, {"wanted": id})
    if not rows:
        return None
    attached = transaction.rows(_OF_ONE_VOLUME, {"wanted": id})
    return _volume_view(rows[0], tuple(AttachmentView(**row._asdict()) for row in attached))


def count_volumes(transaction: Transaction, *where: ColumnElement[bool]) -> int:
    statement = _VOLUMES.where(_v.c.deleted_at.is_(None), ~IN_BIN, *where).with_only_columns(func.count())
    return int(transaction.execute(statement.order_by(None)).scalar_one())


def volume_position(
    transaction: Transaction, columns: Sequence[ColumnElement[Any]], uuid: str
) -> Sequence[Any] | None:
    """What a volume has in these columns: where it stands in a list that is ordered by them."""
    there = _VOLUMES.where(_v.c.uuid == uuid, _v.c.deleted_at.is_(None), ~IN_BIN)
    statement = there.with_only_columns(*columns)
    return transaction.execute(statement).first()


def snapshot_position(
    transaction: Transaction, columns: Sequence[ColumnElement[Any]], uuid: str
) -> Sequence[Any] | None:
    """What a snapshot has in these columns."""
    return transaction.execute(_SNAPSHOTS.where(_s.c.uuid == uuid).with_only_columns(*columns)).first()


def snapshots(
    transaction: Transaction,
    *where: ColumnElement[bool],
    order_by: Sequence[ColumnElement[Any] | UnaryExpression[Any]] = (),
    limit: int | None = None,
    offset: int = 0,
) -> list[SnapshotView]:
    """The snapshots for which all conditions hold, newest first unless ordered otherwise."""
    ordering = order_by or (_s.c.created_at.desc(), _s.c.id.desc())
    statement = _SNAPSHOTS.where(*where).order_by(*ordering).limit(limit).offset(offset)
    return [_snapshot_view(row) for row in transaction.execute(statement)]


def snapshot(transaction: Transaction, id: int) -> SnapshotView | None:
    rows = transaction.rows(_ONE_SNAPSHOT, {"wanted": id})
    return _snapshot_view(rows[0]) if rows else None


def count_snapshots(transaction: Transaction, *where: ColumnElement[bool]) -> int:
    statement = _SNAPSHOTS.where(*where).with_only_columns(func.count()).order_by(None)
    return int(transaction.execute(statement).scalar_one())


def attachments_of(transaction: Transaction, volume_ids: Iterable[int]) -> dict[int, list[AttachmentView]]:
    """The attachments of these volumes, oldest first."""
    found: dict[int, list[AttachmentView]] = {}
    for each in attachments(transaction, ATTACHMENT.c.volume_id.in_(list(volume_ids))):
        found.setdefault(each.volume_id, []).append(each)
    return found


def attachments(transaction: Transaction, *where: ColumnElement[bool]) -> list[AttachmentView]:
    return [AttachmentView(**row) for row in transaction.execute(_ATTACHMENTS.where(*where)).mappings()]


def _volumes_statement() -> Select[*tuple[Any, ...]]:
    return (
        select(
            _v.c.id,
            _v.c.uuid,
            _v.c.name,
            _v.c.description,
            _v.c.project_id,
            _t.c.user_id,
            _v.c.size_mb,
            VOLUME_STATUS.label(STATUS),
            _vs.c.problem,
            _policy.c.id.label("policy_id"),
            _policy.c.uuid.label("policy_uuid"),
            _policy.c.name.label("policy_name"),
            _source_snapshot.c.uuid.label("snapshot_uuid"),
            _source_volume.c.uuid.label("source_volume_uuid"),
            _v.c.vm_image_id.label("image_id"),
            _t.c.metadata,
            _t.c.image_metadata,
            _t.c.tags,
            _t.c.bootable,
            _t.c.multiattach,
            _t.c.group_uuid,
            _v.c.serial,
            _v.c.max_total_iops,
            _v.c.max_total_bw_bps,
            _v.c.created_at,
            _v.c.updated_at,
            _v.c.creation_finish,
            _v.c.deletion_finish,
            _vs.c.vm_disk_id,
        )
        .select_from(_v)
        .join(_vs, _vs.c.id == _v.c.id)
        .join(_policy, _policy.c.id == _v.c.bs_policy_id)
        .join(_t, _t.c.volume_id == _v.c.id, isouter=True)
        .join(_source_snapshot, _source_snapshot.c.id == _v.c.bs_snap_id, isouter=True)
        .join(_source_volume, _source_volume.c.id == _t.c.source_volume_id, isouter=True)
    )


def _snapshots_statement() -> Select[*tuple[Any, ...]]:
    return (
        select(
            _s.c.id,
            _s.c.uuid,
            _s.c.name,
            _s.c.description,
            _s.c.project_id,
            _st.c.user_id,
            _s.c.bs_volume_id.label("volume_id"),
            _v.c.uuid.label("volume_uuid"),
            _s.c.size_mb,
            SNAPSHOT_STATUS.label(STATUS),
            _st.c.metadata,
            _st.c.tags,
            _st.c.group_snapshot_uuid,
            _s.c.created_at,
            _s.c.updated_at,
        )
        .select_from(_s)
        .join(_ss, _ss.c.id == _s.c.id)
        .join(_v, _v.c.id == _s.c.bs_volume_id)
        .join(_vs, _vs.c.id == _v.c.id)
        .join(_st, _st.c.snapshot_id == _s.c.id, isouter=True)
        .where(_s.c.deleted_at.is_(None), ~IN_BIN)
    )


_VOLUMES: Final = _volumes_statement()
_SNAPSHOTS: Final = _snapshots_statement()
_ATTACHMENTS: Final = select(ATTACHMENT).order_by(ATTACHMENT.c.created_at, ATTACHMENT.c.uuid)
# what nearly every request asks for
_ONE_VOLUME: Final = Prepared(
    _VOLUMES.where(_v.c.deleted_at.is_(None), ~IN_BIN, _v.c.id == bindparam("wanted"))
)
_OF_ONE_VOLUME: Final = Prepared(_ATTACHMENTS.where(ATTACHMENT.c.volume_id == bindparam("wanted")))
_ONE_SNAPSHOT: Final = Prepared(_SNAPSHOTS.where(_s.c.id == bindparam("wanted")))
_VOLUME_COLUMNS: Final = tuple(_VOLUMES.selected_columns.keys())
_SNAPSHOT_COLUMNS: Final = tuple(_SNAPSHOTS.selected_columns.keys())


def gigabytes(size_mb: int) -> int:
    """GiB, rounded up: what fits nowhere is not shown as fitting."""
    return -(-size_mb // MB_PER_GB)


def _volume_view(row: Any, attached: tuple[AttachmentView, ...]) -> VolumeView:
    values: dict[str, Any] = dict(zip(_VOLUME_COLUMNS, row, strict=True))
    values["deleted"] = values["deletion_finish"] is not None
    values["attachments"] = attached
    values["size_gb"] = gigabytes(values["size_mb"])
    values["image_metadata"] = values["image_metadata"] or {}
    values["bootable"] = bool(values["bootable"]) or values["image_id"] is not None
    values["multiattach"] = bool(values["multiattach"])
    _said_by_both(values)
    return VolumeView(**values)


def _snapshot_view(row: Any) -> SnapshotView:
    values: dict[str, Any] = dict(zip(_SNAPSHOT_COLUMNS, row, strict=True))
    values["size_gb"] = gigabytes(values.pop("size_mb"))
    _said_by_both(values)
    return SnapshotView(**values)


def _said_by_both(values: dict[str, Any]) -> None:
    """What volumes and snapshots keep in the same way."""
    if values["name"] == UNNAMED:
        values["name"] = None
    values["description"] = values["description"] or None
    values["metadata"] = values["metadata"] or {}
    values["tags"] = values["tags"] or {}
    if values["updated_at"] == values["created_at"]:
        values["updated_at"] = None
