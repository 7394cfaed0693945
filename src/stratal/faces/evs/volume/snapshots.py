"""Snapshots: `/v3/snapshots`, and with the project's id in the path what Huawei's document describes."""

from typing import Annotated, Any, Final

import msgspec

from stratal.faces.evs.call import Action, Call, Endpoint, Microversion, Mode, decoded
from stratal.faces.evs.faults import Fault, bad_request
from stratal.faces.evs.volume import lists, wire
from stratal.kernel.kind import Profile
from stratal.kernel.transaction import Transaction
from stratal.storage.block import views
from stratal.storage.block.states import SnapshotStatus
from stratal.storage.block.views import SnapshotView
from stratal.storage.bs_snap.model import BS_SNAP
from stratal.storage.bs_volume.model import BS_VOLUME

AUTOMATIC: Final = "autobk_snapshot_"
"""Snapshots with this prefix are a backup's: Huawei's documents allow no operation on them."""
_NO_FORCE: Final[Microversion] = (3, 66)
_LONGEST_NAME, _LONGEST_DESCRIPTION = 64, 85
_UNSET: Final = msgspec.UNSET

Name = Annotated[str, msgspec.Meta(max_length=255, pattern=r"^[^\x00-\x1f\x7f]*$(?!\n)")]
Description = Annotated[str, msgspec.Meta(max_length=255, pattern=r"^[^\x00]*$(?!\n)")]
Metadata = dict[str, str]


class SnapshotCreate(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    volume_id: str
    name: Name | None = None
    description: Description | None = None
    force: bool | str | int | None = None
    metadata: Metadata | None = None


class SnapshotUpdate(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    name: Name | msgspec.UnsetType | None = _UNSET
    description: Description | msgspec.UnsetType | None = _UNSET


class MetadataBody(msgspec.Struct, kw_only=True):
    metadata: Metadata


def id_of(transaction: Transaction, call: Call) -> int:
    return call.id_of(transaction, BS_SNAP, call.parts["id"], "Snapshot")


def answer(transaction: Transaction, call: Call, found: SnapshotView, *, full: bool = True) -> dict[str, Any]:
    return {"snapshot": wire.snapshot(call, found, wire.owners_of(transaction, [found]), full=full)}


def check_lengths(name: str | None = None, description: str | None = None) -> None:
    """What Huawei's documents allow: fewer characters than Cinder. Raises EVS.1003, EVS.1004."""
    if name is not None and len(name) > _LONGEST_NAME:
        raise Fault(400, f"name has {len(name)} characters, more than {_LONGEST_NAME}.", code="EVS.1003")
    if description is not None and len(description) > _LONGEST_DESCRIPTION:
        raise Fault(
            400,
            f"description has {len(description)} characters, more than {_LONGEST_DESCRIPTION}.",
            code="EVS.1004",
        )


def check_operable(call: Call, found: SnapshotView) -> None:
    """Raises on the surface of Huawei's documents for a snapshot that belongs to a backup."""
    if call.documented and (found.name or "").startswith(AUTOMATIC):
        raise Fault(
            400,
            f"Snapshot {found.uuid} belongs to a backup and cannot be operated on.",
            code="EVS.2130",
        )


# -- snapshots ---------------------------------------------------------------------------------------


def create(transaction: Transaction, call: Call) -> dict[str, Any]:
    body = call.under("snapshot", SnapshotCreate)
    if call.documented:
        check_lengths(body.name, body.description)
    volume_id = call.id_of(transaction, BS_VOLUME, body.volume_id, "Volume")
    made = call.services.storage.block.snapshots.create(
        transaction,
        call.access,
        volume_id=volume_id,
        name=(body.name or "").strip() or None,
        description=body.description,
        metadata=body.metadata or {},
        verb=_verb(call, body.force),
    )
    return answer(transaction, call, made, full=False)


def _verb(call: Call, force: bool | str | int | None) -> str:
    """In which states a volume may be: what `force` means depends on the version and the surface."""
    forced = force is not None and lists.is_true(force)
    if call.microversion >= _NO_FORCE:
        if force is not None and not forced:
            raise bad_request(
                "Since microversion 3.66 the 'force' flag is invalid for this request.  For backward "
                "compatability, however, when the 'force' flag is passed with a value evaluating to True, "
                "it is silently ignored."
            )
        return "snapshot-attached"
    if not forced:
        return "snapshot-attached" if call.documented else "snapshot"
    return "snapshot-forced" if call.documented else "snapshot-attached"


def show(transaction: Transaction, call: Call) -> dict[str, Any]:
    id = id_of(transaction, call)
    return answer(transaction, call, call.services.storage.block.snapshots.show(transaction, call.access, id))


def _listed(transaction: Transaction, call: Call, *, full: bool) -> dict[str, Any]:
    if call.documented:
        lists.check_limit_of_documents(call)
    asked = lists.paging(
        transaction,
        call,
        views.SNAPSHOT_FIELDS,
        id=BS_SNAP.tables.spec.c.id,
        what="Snapshot",
        locate=views.snapshot_position,
        renamed={"size": "volume_size", "display_name": "name"},
    )
    block = call.services.storage.block
    within = block.snapshots.within(call.access, all_projects=lists.wants_all_projects(call))
    where = [*within, *asked.where]
    found = views.snapshots(
        transaction, *where, order_by=asked.order_by, limit=asked.limit, offset=asked.offset
    )
    owners = wire.owners_of(transaction, found)
    return lists.page(
        call,
        "snapshots",
        found,
        lambda each: wire.snapshot(call, each, owners, full=full),
        asked,
        last_id=found[-1].uuid if found else None,
        count=lambda: views.count_snapshots(transaction, *within),
    )


def list_all(transaction: Transaction, call: Call) -> dict[str, Any]:
    return _listed(transaction, call, full=False)


def list_detail(transaction: Transaction, call: Call) -> dict[str, Any]:
    return _listed(transaction, call, full=True)


def update(transaction: Transaction, call: Call) -> dict[str, Any]:
    id = id_of(transaction, call)
    body = call.under("snapshot", SnapshotUpdate)
    changes = {
        name: value for name in ("name", "description") if (value := getattr(body, name)) is not _UNSET
    }
    service = call.services.storage.block.snapshots
    if call.documented:
        check_lengths(changes.get("name"), changes.get("description"))
        check_operable(call, service.show(transaction, call.access, id))
    changed = service.update(transaction, call.access, id, changes)
    return answer(transaction, call, changed, full=False)


def delete(transaction: Transaction, call: Call) -> None:
    id = id_of(transaction, call)
    service = call.services.storage.block.snapshots
    check_operable(call, service.show(transaction, call.access, id))
    service.delete(transaction, call.access, id)


# -- metadata ----------------------------------------------------------------------------------------


def _show(transaction: Transaction, call: Call) -> SnapshotView:
    service = call.services.storage.block.snapshots
    return service.show(transaction, call.access, id_of(transaction, call))


def show_metadata(transaction: Transaction, call: Call) -> dict[str, Any]:
    return {"metadata": _show(transaction, call).metadata}


def show_metadata_item(transaction: Transaction, call: Call) -> dict[str, Any]:
    metadata, key = _show(transaction, call).metadata, call.parts["key"]
    if key not in metadata:
        raise Fault(404, f"Snapshot has no metadata with key {key}.")
    return {"meta": {key: metadata[key]}}


def _set(transaction: Transaction, call: Call, pairs: Metadata, *, replace: bool) -> dict[str, str]:
    id = id_of(transaction, call)
    return call.services.storage.block.snapshots.set_metadata(
        transaction, call.access, id, pairs, replace=replace
    )


def metadata_of(call: Call) -> Metadata:

    return decoded(call.body, MetadataBody, "metadata").metadata


def add_metadata(transaction: Transaction, call: Call) -> dict[str, Any]:
    return {"metadata": _set(transaction, call, metadata_of(call), replace=False)}


def replace_metadata(transaction: Transaction, call: Call) -> dict[str, Any]:
    return {"metadata": _set(transaction, call, metadata_of(call), replace=True)}


def item_of(call: Call) -> Metadata:
    """The one pair of a body that has the key of the path."""

    class Item(msgspec.Struct, kw_only=True):
        meta: Metadata

    meta = decoded(call.body, Item, "meta").meta
    if list(meta) != [call.parts["key"]]:
        raise bad_request("Request body and URI mismatch")
    return meta


def put_metadata_item(transaction: Transaction, call: Call) -> dict[str, Any]:
    meta = item_of(call)
    _set(transaction, call, meta, replace=False)
    return {"meta": meta}


def delete_metadata_item(transaction: Transaction, call: Call) -> None:
    id = id_of(transaction, call)
    call.services.storage.block.snapshots.drop_metadata(transaction, call.access, id, call.parts["key"])


# -- actions -----------------------------------------------------------------------------------------


def reset_status(transaction: Transaction, call: Call, arguments: Any) -> None:
    status = arguments.get("status") if isinstance(arguments, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    words = tuple(each.value for each in SnapshotStatus)
    if status not in words:
        raise bad_request(f"Snapshot status: {status!s:.64} is invalid, valid statuses are: {words}.")
    call.services.storage.block.snapshots.set_condition(
        transaction,
        call.access,
        id_of(transaction, call),
        SnapshotStatus(str(status)),  # pyright: ignore[reportUnknownArgumentType]
    )


def force_delete(transaction: Transaction, call: Call, arguments: Any) -> None:
    id = id_of(transaction, call)
    call.services.storage.block.snapshots.delete(transaction, call.access, id, force=True)


ACTIONS: Final = {
    "os-reset_status": Action(run=reset_status, verb="reset-status", profile=Profile.INFRASTRUCTURE),
    "os-force_delete": Action(run=force_delete, verb="force-delete", profile=Profile.INFRASTRUCTURE),
    # what a driver of another volume service reports: the same right, the same effect
    "os-update_snapshot_status": Action(
        run=reset_status, verb="reset-status", profile=Profile.INFRASTRUCTURE
    ),
}


def _row(method: str, path: str, run: Any, verb: str, status: int = 200) -> Endpoint:
    reading = Mode.GLANCE if verb == "show" else Mode.READ
    mode = reading if method == "GET" else Mode.WRITE
    return Endpoint(
        method=method,
        path=f"/v3/snapshots{path}",
        run=run,
        kind="bs_snap",
        verb=verb,
        status=status,
        mode=mode,
    )


ENDPOINTS: Final = (
    _row("POST", "", create, "create", 202),
    _row("GET", "", list_all, "list"),
    _row("GET", "/detail", list_detail, "list"),
    _row("GET", "/{id}", show, "show"),
    _row("PUT", "/{id}", update, "update"),
    _row("DELETE", "/{id}", delete, "delete", 202),
    _row("GET", "/{id}/metadata", show_metadata, "show"),
    _row("POST", "/{id}/metadata", add_metadata, "update"),
    _row("PUT", "/{id}/metadata", replace_metadata, "update"),
    _row("GET", "/{id}/metadata/{key}", show_metadata_item, "show"),
    _row("PUT", "/{id}/metadata/{key}", put_metadata_item, "update"),
    _row("DELETE", "/{id}/metadata/{key}", delete_metadata_item, "update"),
    Endpoint(
        method="POST",
        path="/v3/snapshots/{id}/action",
        kind="bs_snap_admin",
        verb="action",
        mode=Mode.WRITE,
        actions=ACTIONS,
    ),
)
