"""Snapshots of several disks at one moment: `/v5/{project}/snapshot-groups`; and snapshot chains."""

from typing import Any, Final

import msgspec

from stratal.faces.evs.call import Call, Dialect, Endpoint, Mode, decoded, hex_id, stamp
from stratal.faces.evs.faults import Fault, not_found
from stratal.faces.evs.huawei.snapshots import Tags
from stratal.faces.evs.huawei.volumes import gathered
from stratal.faces.evs.machines import disks_of_server, server_uuid
from stratal.faces.evs.volume import lists
from stratal.faces.evs.volume.snapshots import Name, check_lengths
from stratal.faces.evs.volume.wire import huawei_status
from stratal.identity.project.model import PROJECT
from stratal.kernel.transaction import Transaction
from stratal.kernel.uuids import uuids_of
from stratal.storage.block import views
from stratal.storage.block.group_snapshots import GroupSnapshot
from stratal.storage.block.views import SnapshotView
from stratal.storage.bs_volume.model import BS_VOLUME

MOST_DISKS: Final = 24
"""Of one group, as on Huawei Cloud."""


class GroupCreate(msgspec.Struct, kw_only=True):
    server_id: str | None = None
    volume_ids: list[str] | None = None
    name: Name | None = None
    tags: dict[str, str] | None = None
    instant_access: bool | None = None
    incremental: bool | None = None
    enterprise_project_id: str | None = None


class GroupUpdate(msgspec.Struct, kw_only=True):
    name: Name | None = None


# -- groups ------------------------------------------------------------------------------------------


def _shown(transaction: Transaction, found: list[GroupSnapshot]) -> list[dict[str, Any]]:
    projects = uuids_of(transaction, PROJECT, [each.project_id for each in found])
    return [
        {
            "id": each.uuid,
            "name": each.name or "",
            "status": huawei_status(each.status),
            "project_id": hex_id(projects.get(each.project_id, "")),
            "enterprise_project_id": "0",
            "server_id": each.server_uuid or "",
            "tags": each.tags,
            "created_at": stamp(each.created_at),
            "updated_at": stamp(each.updated_at),
        }
        for each in found
    ]


def create(transaction: Transaction, call: Call) -> dict[str, Any]:
    """Of the disks that are named, or of all disks of a server of this Stratal; all of them or none."""
    body = call.under("snapshot_group", GroupCreate)
    check_lengths(body.name)
    ids = [call.id_of(transaction, BS_VOLUME, uuid, "Volume") for uuid in body.volume_ids or ()]
    if body.server_id:
        of_server = disks_of_server(transaction, call, body.server_id)
        if set(ids) - set(of_server):
            raise Fault(400, "volume_ids names disks that the server has not.", code="EVS.1002")
        ids = ids or of_server
    if not 1 <= len(set(ids)) <= MOST_DISKS:
        raise Fault(400, f"A snapshot group has 1 to {MOST_DISKS} disks.", code="EVS.1002")
    made = call.services.storage.block.groups.moments.take(
        transaction,
        call.access,
        ids,
        project_id=call.access.project_id,
        name=body.name,
        server_uuid=server_uuid(transaction, call, body.server_id),
        tags=body.tags,
    )
    return {"snapshot_group_id": made.uuid}


def _listed(transaction: Transaction, call: Call) -> list[dict[str, Any]]:
    lists.check_limit_of_documents(call)
    found = call.services.storage.block.groups.moments.all(transaction, call.access)
    shown = _shown(transaction, found)
    for name in ("id", "name", "status", "server_id"):
        if wanted := call.parameter(name):
            shown = [each for each in shown if each[name] == wanted]
    if key := call.parameter("tag_key"):
        shown = [each for each in shown if key in each["tags"]]
    if wanted := call.parameter("tags"):
        pairs = lists.pairs_of(wanted)
        shown = [each for each in shown if pairs.items() <= each["tags"].items()]
    key = call.parameter("sort_key") or "created_at"
    if key not in ("id", "name", "status", "created_at", "updated_at"):
        raise Fault(400, "sort_key is none of id, name, status, created_at, updated_at.", code="EVS.5400")
    return sorted(shown, key=lambda each: each[key], reverse=call.parameter("sort_dir") != "asc")


def list_detail(transaction: Transaction, call: Call) -> dict[str, Any]:
    first = lists.offset_of(call)
    return {"snapshot_groups": _listed(transaction, call)[first : first + lists.limit_of(call)]}


def count(transaction: Transaction, call: Call) -> dict[str, Any]:
    return {"count": len(_listed(transaction, call))}


def _found(transaction: Transaction, call: Call) -> GroupSnapshot:
    return call.services.storage.block.groups.moments.show(transaction, call.access, call.parts["id"])


def show(transaction: Transaction, call: Call) -> dict[str, Any]:
    [shown] = _shown(transaction, [_found(transaction, call)])
    return {"snapshot_group": shown}


def update(transaction: Transaction, call: Call) -> dict[str, Any]:
    body = call.under("snapshot_group", GroupUpdate)
    check_lengths(body.name)
    changes = {} if body.name is None else {"name": body.name}
    moments = call.services.storage.block.groups.moments
    [shown] = _shown(transaction, [moments.update(transaction, call.access, call.parts["id"], changes)])
    return {"snapshot_group": shown}


def delete(transaction: Transaction, call: Call) -> dict[str, Any]:
    """The group with all of its snapshots."""
    call.services.storage.block.groups.moments.delete(transaction, call.access, call.parts["id"])
    return {}


def add_tags(transaction: Transaction, call: Call) -> None:
    _set_tags(transaction, call, add=True)


def drop_tags(transaction: Transaction, call: Call) -> None:
    _set_tags(transaction, call, add=False)


def _set_tags(transaction: Transaction, call: Call, *, add: bool) -> None:
    said = {tag.key: tag.value for tag in decoded(call.object, Tags, "tags").tags}
    left = {key: value for key, value in _found(transaction, call).tags.items() if key not in said}
    moments = call.services.storage.block.groups.moments
    moments.update(transaction, call.access, call.parts["id"], {"tags": {**left, **said} if add else left})


def all_tags(transaction: Transaction, call: Call) -> dict[str, Any]:
    found = call.services.storage.block.groups.moments.all(transaction, call.access)
    # the SDK reads `value` here, and `values` of the tags of snapshots
    return {"tags": [{"key": key, "value": values} for key, values in gathered(found).items()]}


# -- chains ------------------------------------------------------------------------------------------


def _chains(transaction: Transaction, call: Call) -> list[dict[str, Any]]:
    """One chain for each disk with snapshots. It has the disk's own id: a disk has one."""
    within = call.services.storage.block.snapshots.within(call.access)
    of_volume: dict[str, list[SnapshotView]] = {}
    for each in views.snapshots(transaction, *within):
        of_volume.setdefault(each.volume_uuid, []).append(each)
    projects = uuids_of(transaction, PROJECT, [parts[0].project_id for parts in of_volume.values()])
    shown = [
        {
            "id": volume,
            "volume_id": volume,
            "availability_zone": call.services.zone,
            "snapshot_count": len(parts),
            # what a chain takes beside its disk is not told apart: layers are shared
            "capacity": float(max(part.size_gb for part in parts)),
            "project_id": hex_id(projects.get(parts[0].project_id, "")),
            "category": "standard",
            "created_at": stamp(min(part.created_at for part in parts)),
            "updated_at": stamp(max(part.created_at for part in parts)),
        }
        for volume, parts in of_volume.items()
    ]
    for name in ("id", "volume_id", "category", "availability_zone"):
        if wanted := call.parameter(name):
            shown = [each for each in shown if each[name] == wanted]
    return shown


def list_chains(transaction: Transaction, call: Call) -> dict[str, Any]:
    lists.check_limit_of_documents(call)
    shown = _chains(transaction, call)
    if marker := call.parameter("marker"):
        ids = [each["id"] for each in shown]
        if marker not in ids:
            raise not_found("Snapshot chain", marker)
        shown = shown[ids.index(marker) + 1 :]
    return {"snapshot_chains": shown[: lists.limit_of(call)]}


def count_chains(transaction: Transaction, call: Call) -> dict[str, Any]:
    return {"count": len(_chains(transaction, call))}


def _row(
    method: str, path: str, run: Any, verb: str, status: int = 200, kind: str = "volume_group"
) -> Endpoint:
    return Endpoint(
        method=method,
        path=f"/v5/{path}",
        run=run,
        kind=kind,
        verb=verb,
        status=status,
        mode=Mode.READ if method == "GET" else Mode.WRITE,
        dialect=Dialect.HUAWEI,
    )


_GROUPS = "snapshot-groups"
ENDPOINTS: Final = (
    _row("POST", _GROUPS, create, "create", 202),
    _row("GET", f"{_GROUPS}/detail", list_detail, "list"),
    _row("GET", f"{_GROUPS}/count", count, "list"),
    _row("GET", f"{_GROUPS}/tags", all_tags, "list"),
    _row("GET", f"{_GROUPS}/{{id}}", show, "show"),
    _row("PUT", f"{_GROUPS}/{{id}}", update, "update"),
    _row("DELETE", f"{_GROUPS}/{{id}}", delete, "delete", 202),
    _row("POST", f"{_GROUPS}/{{id}}/tags/create", add_tags, "update", 204),
    _row("POST", f"{_GROUPS}/{{id}}/tags/delete", drop_tags, "update", 204),
    _row("GET", "snapshot-chains", list_chains, "list", kind="bs_snap"),
    _row("GET", "snapshot-chains/count", count_chains, "list", kind="bs_snap"),
)
