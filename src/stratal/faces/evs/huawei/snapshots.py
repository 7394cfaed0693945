"""Snapshots: `/v2/{project}/cloudsnapshots`, and as standard snapshots `/v5/{project}/snapshots`."""

from collections.abc import Callable
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, false, true

from stratal.faces.evs.call import Call, Dialect, Endpoint, Mode, decoded
from stratal.faces.evs.faults import Fault
from stratal.faces.evs.huawei import wire
from stratal.faces.evs.huawei.volumes import Tag, gathered
from stratal.faces.evs.volume import lists
from stratal.faces.evs.volume.snapshots import (
    SnapshotCreate,
    SnapshotUpdate,
    check_lengths,
    check_operable,
    id_of,
)
from stratal.faces.evs.volume.wire import owners_of
from stratal.kernel.transaction import Transaction
from stratal.storage.block import views
from stratal.storage.block.views import SnapshotView
from stratal.storage.bs_snap.model import BS_SNAP
from stratal.storage.bs_volume.model import BS_VOLUME

_UNSET: Final = msgspec.UNSET
Shape = Callable[[Call, SnapshotView, Any], dict[str, Any]]


class StandardCreate(msgspec.Struct, kw_only=True):
    volume_id: str
    name: str | None = None
    description: str | None = None
    tags: dict[str, str] | None = None
    enterprise_project_id: str | None = None
    instant_access: bool | None = None
    incremental: bool | None = None
    retention_days: int | None = None


class Rollback(msgspec.Struct, kw_only=True):
    volume_id: str
    name: str | None = None


class Tags(msgspec.Struct, kw_only=True):
    tags: list[Tag]


# -- v2 ----------------------------------------------------------------------------------------------


def create(transaction: Transaction, call: Call) -> dict[str, Any]:
    body = call.under("snapshot", SnapshotCreate)
    wire.check_bytes(name=body.name, description=body.description)
    forced = body.force is not None and lists.is_true(body.force)
    made = call.services.storage.block.snapshots.create(
        transaction,
        call.access,
        volume_id=_volume(transaction, call, body.volume_id),
        name=(body.name or "").strip() or None,
        description=body.description,
        metadata=body.metadata or {},
        verb="snapshot-forced" if forced else "snapshot-attached",
    )
    return _one(transaction, call, made, wire.snapshot)


def show(transaction: Transaction, call: Call) -> dict[str, Any]:
    return _one(transaction, call, _found(transaction, call), wire.snapshot)


def update(transaction: Transaction, call: Call) -> dict[str, Any]:
    return _one(transaction, call, _updated(transaction, call, wire.check_bytes), wire.snapshot)


def list_detail(transaction: Transaction, call: Call) -> dict[str, Any]:
    body, count = _listed(transaction, call, wire.snapshot)
    return {"count": count(), **body}


def delete(transaction: Transaction, call: Call) -> None:
    check_operable(call, _found(transaction, call))
    call.services.storage.block.snapshots.delete(transaction, call.access, id_of(transaction, call))


def roll_back(transaction: Transaction, call: Call) -> dict[str, Any]:
    """Let the disk hold again what it held: the disk of the snapshot, and no other."""
    body = call.under("rollback", Rollback)
    snapshot = _found(transaction, call)
    check_operable(call, snapshot)
    volume_id = _volume(transaction, call, body.volume_id)
    call.services.storage.block.volumes.revert(
        transaction, call.access, volume_id, snapshot.id, latest_only=False
    )
    return {"rollback": {"volume_id": snapshot.volume_uuid}}


# -- v5 ----------------------------------------------------------------------------------------------


def create_standard(transaction: Transaction, call: Call) -> dict[str, Any]:
    body = call.under("snapshot", StandardCreate)
    check_lengths(body.name, body.description)
    if body.retention_days:
        raise Fault(400, "Snapshots are kept until they are deleted here.", code="EVS.5400")
    service = call.services.storage.block.snapshots
    made = service.create(
        transaction,
        call.access,
        volume_id=_volume(transaction, call, body.volume_id),
        name=body.name,
        description=body.description,
        metadata={},
        verb="snapshot-attached",
    )
    if body.tags:
        service.set_tags(transaction, call.access, made.id, add=body.tags, drop=())
    return {"snapshot_id": made.uuid}


def show_standard(transaction: Transaction, call: Call) -> dict[str, Any]:
    return _one(transaction, call, _found(transaction, call), wire.standard)


def update_standard(transaction: Transaction, call: Call) -> dict[str, Any]:
    found = _updated(transaction, call, check_lengths)
    return _one(transaction, call, found, wire.standard)


def list_standard(transaction: Transaction, call: Call) -> dict[str, Any]:
    return _listed(transaction, call, wire.standard)[0]


def count_standard(transaction: Transaction, call: Call) -> dict[str, Any]:
    return {"count": _listed(transaction, call, wire.standard)[1]()}


def roll_back_standard(transaction: Transaction, call: Call) -> dict[str, Any]:
    return roll_back(transaction, call)


def add_tags(transaction: Transaction, call: Call) -> None:
    tags = {tag.key: tag.value for tag in decoded(call.object, Tags, "tags").tags}
    id = id_of(transaction, call)
    call.services.storage.block.snapshots.set_tags(transaction, call.access, id, add=tags, drop=())


def drop_tags(transaction: Transaction, call: Call) -> None:
    keys = [tag.key for tag in decoded(call.object, Tags, "tags").tags]
    id = id_of(transaction, call)
    call.services.storage.block.snapshots.set_tags(transaction, call.access, id, add={}, drop=keys)


def all_tags(transaction: Transaction, call: Call) -> dict[str, Any]:
    within = call.services.storage.block.snapshots.within(call.access)
    return {
        "tags": [{"key": k, "values": v} for k, v in gathered(views.snapshots(transaction, *within)).items()]
    }


# -- what both have ----------------------------------------------------------------------------------


def _volume(transaction: Transaction, call: Call, uuid: str) -> int:
    return call.id_of(transaction, BS_VOLUME, uuid, "Volume")


def _found(transaction: Transaction, call: Call) -> SnapshotView:
    service = call.services.storage.block.snapshots
    return service.show(transaction, call.access, id_of(transaction, call))


def _one(transaction: Transaction, call: Call, found: SnapshotView, shape: Shape) -> dict[str, Any]:
    return {"snapshot": shape(call, found, owners_of(transaction, [found]))}


def _updated(transaction: Transaction, call: Call, check: Callable[..., None]) -> SnapshotView:
    found = _found(transaction, call)
    check_operable(call, found)
    body = call.under("snapshot", SnapshotUpdate)
    changes: dict[str, str | None] = {}
    for name in ("name", "description"):
        said = getattr(body, name)
        if not isinstance(said, msgspec.UnsetType):
            changes[name] = said
    check(**changes)
    return call.services.storage.block.snapshots.update(transaction, call.access, found.id, changes)


_IGNORED: Final = frozenset(
    (
        "service_type",
        "dedicated_storage_id",
        "dedicated_storage_name",
        "enterprise_project_id",
        "snapshot_type",
        "snapshot_chain_id",
    )
)


def _listed(transaction: Transaction, call: Call, shape: Shape) -> tuple[dict[str, Any], Callable[[], int]]:
    lists.check_limit_of_documents(call)
    columns, zone = BS_SNAP.tables.spec.c, call.services.zone
    filters: dict[str, Callable[[str], ColumnElement[bool]]] = {
        "availability_zone": lambda value: true() if value == zone else false(),
        "ids": lambda value: columns.uuid.in_([part.strip(" []'\"") for part in value.split(",")][:60]),
        "snapshot_group_id": lambda value: views.SNAPSHOT_FIELDS["group_snapshot_id"] == value,
        **{name: (lambda value: true()) for name in _IGNORED},
    }
    asked = lists.paging(
        transaction,
        call,
        views.SNAPSHOT_FIELDS,
        id=columns.id,
        what="Snapshot",
        locate=views.snapshot_position,
        extra=filters,
        renamed={"size": "volume_size"},
    )
    where = [*call.services.storage.block.snapshots.within(call.access), *asked.where]
    found = views.snapshots(
        transaction, *where, order_by=asked.order_by, limit=asked.limit, offset=asked.offset
    )
    owners = owners_of(transaction, found)
    body = lists.page(
        call,
        "snapshots",
        found,
        lambda each: shape(call, each, owners),
        asked,
        last_id=found[-1].uuid if found else None,
        count=lambda: 0,
    )
    return body, lambda: views.count_snapshots(transaction, *where)


def _row(method: str, path: str, run: Any, verb: str, status: int = 200) -> Endpoint:
    return Endpoint(
        method=method,
        path=path,
        run=run,
        kind="bs_snap",
        verb=verb,
        status=status,
        mode=Mode.READ if method == "GET" else Mode.WRITE,
        dialect=Dialect.HUAWEI,
    )


_V2, _V5 = "/v2/cloudsnapshots", "/v5/snapshots"
ENDPOINTS: Final = (
    _row("POST", _V2, create, "create", 202),
    _row("GET", f"{_V2}/detail", list_detail, "list"),
    _row("GET", f"{_V2}/{{id}}", show, "show"),
    _row("PUT", f"{_V2}/{{id}}", update, "update"),
    _row("DELETE", f"{_V2}/{{id}}", delete, "delete", 202),
    _row("POST", f"{_V2}/{{id}}/rollback", roll_back, "rollback", 202),
    _row("POST", _V5, create_standard, "create", 202),
    _row("GET", f"{_V5}/detail", list_standard, "list"),
    _row("GET", f"{_V5}/count", count_standard, "list"),
    _row("GET", f"{_V5}/tags", all_tags, "list"),
    _row("GET", f"{_V5}/{{id}}", show_standard, "show"),
    _row("PUT", f"{_V5}/{{id}}", update_standard, "update"),
    _row("DELETE", f"{_V5}/{{id}}", delete, "delete", 202),
    _row("POST", f"{_V5}/{{id}}/rollback", roll_back_standard, "rollback", 202),
    _row("POST", f"{_V5}/{{id}}/tags/create", add_tags, "update", 204),
    _row("POST", f"{_V5}/{{id}}/tags/delete", drop_tags, "update", 204),
    # the native path's older way to roll back
    *(
        _row("POST", f"/{version}/os-vendor-snapshots/{{id}}/rollback", roll_back, "rollback", 202)
        for version in ("v2", "v3")
    ),
)
