"""Generic groups (3.13) and group snapshots (3.14)."""

from typing import Any, Final

import msgspec

from stratal.faces.evs.call import Action, Call, Endpoint, Microversion, Mode, decoded, hex_id, stamp
from stratal.faces.evs.faults import bad_request
from stratal.faces.evs.volume import lists
from stratal.faces.evs.volume.snapshots import Description, Name
from stratal.faces.evs.volume.types import type_named
from stratal.identity.project.model import PROJECT
from stratal.kernel.kind import Profile
from stratal.kernel.transaction import Transaction
from stratal.kernel.uuids import uuids_of
from stratal.storage.block.group_snapshots import GroupSnapshot
from stratal.storage.block.groups import Group
from stratal.storage.bs_policy.model import BS_POLICY
from stratal.storage.bs_volume.model import BS_VOLUME

_GROUPS: Final[Microversion] = (3, 13)
_SNAPSHOTS: Final[Microversion] = (3, 14)
_LISTED: Final[Microversion] = (3, 25)
_UNSET: Final = msgspec.UNSET
_NO_ACTION: Final = "There is no such action. Verify the request body and Content-Type header and try again."


class GroupCreate(msgspec.Struct, kw_only=True):
    group_type: str
    volume_types: list[str]
    name: Name | None = None
    description: Description | None = None
    availability_zone: str | None = None


class GroupFrom(msgspec.Struct, kw_only=True):
    name: Name | None = None
    description: Description | None = None
    source_group_id: str | None = None
    group_snapshot_id: str | None = None


class GroupUpdate(msgspec.Struct, kw_only=True):
    name: Name | msgspec.UnsetType | None = _UNSET
    description: Description | msgspec.UnsetType | None = _UNSET
    add_volumes: str | None = None
    remove_volumes: str | None = None


class GroupDelete(msgspec.Struct, kw_only=True):
    delete_volumes: bool = msgspec.field(default=False, name="delete-volumes")


class ResetStatus(msgspec.Struct, kw_only=True):
    status: str = ""


_STATUSES: Final = ("available", "error", "creating", "deleting", "updating")


class GroupSnapshotCreate(msgspec.Struct, kw_only=True):
    group_id: str
    name: Name | None = None
    description: Description | None = None


# -- groups ------------------------------------------------------------------------------------------


def _group(transaction: Transaction, call: Call, found: Group) -> dict[str, Any]:
    policies = uuids_of(transaction, BS_POLICY, found.policy_ids)
    shown: dict[str, Any] = {
        "id": found.uuid,
        "status": found.status,
        "availability_zone": call.services.zone,
        "created_at": stamp(found.created_at),
        "name": found.name,
        "description": found.description,
        "group_type": found.group_type_uuid,
        "volume_types": [policies[id] for id in found.policy_ids],
    }
    if call.microversion >= _SNAPSHOTS:
        shown |= {
            "group_snapshot_id": found.group_snapshot_uuid,
            "source_group_id": found.source_group_uuid,
        }
    if call.microversion >= _LISTED and lists.is_true(call.parameter("list_volume") or "false"):
        shown["volumes"] = [each.uuid for each in found.volumes]
    if call.microversion >= (3, 38):
        shown["replication_status"] = "disabled"
    if call.microversion >= (3, 58):
        projects = uuids_of(transaction, PROJECT, [found.project_id])
        shown["project_id"] = hex_id(projects.get(found.project_id, ""))
    return shown


def _listed_groups(transaction: Transaction, call: Call) -> list[Group]:
    return call.services.storage.block.groups.all(
        transaction, call.access, all_projects=lists.wants_all_projects(call)
    )


def list_groups(transaction: Transaction, call: Call) -> dict[str, Any]:
    return {"groups": [{"id": each.uuid, "name": each.name} for each in _listed_groups(transaction, call)]}


def list_groups_detail(transaction: Transaction, call: Call) -> dict[str, Any]:
    return {"groups": [_group(transaction, call, each) for each in _listed_groups(transaction, call)]}


def show_group(transaction: Transaction, call: Call) -> dict[str, Any]:
    found = call.services.storage.block.groups.show(transaction, call.access, call.parts["id"])
    return {"group": _group(transaction, call, found)}


def create_group(transaction: Transaction, call: Call) -> dict[str, Any]:
    body = call.under("group", GroupCreate)
    if not body.volume_types:
        raise bad_request("volume_types must be provided to create group.")
    made = call.services.storage.block.groups.create(
        transaction,
        call.access,
        name=body.name,
        description=body.description,
        group_type_uuid=body.group_type,
        policy_ids=[type_named(transaction, call, each).id for each in body.volume_types],
    )
    return {"group": {"id": made.uuid, "name": made.name}}


def act_on_groups(transaction: Transaction, call: Call) -> dict[str, Any]:
    """`create-from-src` is the one action of the collection."""
    if "create-from-src" not in call.object:
        raise bad_request(_NO_ACTION)
    body = call.under("create-from-src", GroupFrom)
    made = call.services.storage.block.groups.create_from(
        transaction,
        call.access,
        name=body.name,
        description=body.description,
        group_uuid=body.source_group_id,
        group_snapshot_uuid=body.group_snapshot_id,
    )
    return {"group": {"id": made.uuid, "name": made.name}}


def update_group(transaction: Transaction, call: Call) -> None:
    body = call.under("group", GroupUpdate)
    values = {
        name: value
        for name in ("name", "description")
        if not isinstance(value := getattr(body, name), msgspec.UnsetType)
    }
    call.services.storage.block.groups.update(
        transaction,
        call.access,
        call.parts["id"],
        values,
        add=_volumes(transaction, call, body.add_volumes),
        remove=_volumes(transaction, call, body.remove_volumes),
    )


def _volumes(transaction: Transaction, call: Call, uuids: str | None) -> list[int]:
    named = [uuid.strip() for uuid in (uuids or "").split(",") if uuid.strip()]
    return [call.id_of(transaction, BS_VOLUME, uuid, "Volume") for uuid in named]


def delete_group(transaction: Transaction, call: Call, arguments: Any) -> None:
    body = decoded(arguments or {}, GroupDelete, "delete")
    call.services.storage.block.groups.delete(
        transaction, call.access, call.parts["id"], with_volumes=body.delete_volumes
    )


def reset_group(transaction: Transaction, call: Call, arguments: Any) -> None:
    call.services.storage.block.groups.set_condition(
        transaction, call.access, call.parts["id"], _condition(arguments)
    )


def reset_moment(transaction: Transaction, call: Call, arguments: Any) -> None:
    call.services.storage.block.groups.moments.update(
        transaction, call.access, call.parts["id"], {"condition": _condition(arguments)}
    )


def _condition(arguments: Any) -> str | None:
    """What an administrator says that the status is; None for what it is by itself."""
    status = decoded(arguments or {}, ResetStatus, "reset_status").status
    if status not in _STATUSES:
        raise bad_request(f"Must specify a valid status: one of {', '.join(_STATUSES)}.")
    return None if status == "available" else status


#: all else that Cinder has here is about replication, which there is none of
GROUP_ACTIONS: Final = {
    "delete": Action(run=delete_group, verb="delete"),
    "reset_status": Action(
        run=reset_group, verb="reset-status", since=(3, 20), profile=Profile.INFRASTRUCTURE
    ),
}
MOMENT_ACTIONS: Final = {
    "reset_status": Action(
        run=reset_moment, verb="reset-status", since=(3, 19), profile=Profile.INFRASTRUCTURE
    ),
}


# -- group snapshots ---------------------------------------------------------------------------------


def _moment(found: GroupSnapshot) -> dict[str, Any]:
    return {
        "id": found.uuid,
        "group_id": found.group_uuid,
        "status": found.status,
        "created_at": stamp(found.created_at),
        "name": found.name,
        "description": found.description,
        "group_type_id": None,
    }


def list_moments(transaction: Transaction, call: Call) -> dict[str, Any]:
    found = call.services.storage.block.groups.moments.all(
        transaction, call.access, all_projects=lists.wants_all_projects(call)
    )
    full = call.path.endswith("/detail")
    found = [each for each in found if each.group_uuid is not None]
    shown = [_moment(each) if full else {"id": each.uuid, "name": each.name} for each in found]
    return {"group_snapshots": shown}


def show_moment(transaction: Transaction, call: Call) -> dict[str, Any]:
    found = call.services.storage.block.groups.moments.show(transaction, call.access, call.parts["id"])
    return {"group_snapshot": _moment(found)}


def create_moment(transaction: Transaction, call: Call) -> dict[str, Any]:
    body = call.under("group_snapshot", GroupSnapshotCreate)
    made = call.services.storage.block.groups.snapshot(
        transaction, call.access, body.group_id, name=body.name, description=body.description
    )
    return {"group_snapshot": {"id": made.uuid, "name": made.name, "group_type_id": None}}


def delete_moment(transaction: Transaction, call: Call) -> None:
    call.services.storage.block.groups.moments.delete(transaction, call.access, call.parts["id"])


def _row(method: str, path: str, run: Any, verb: str, status: int, since: Microversion) -> Endpoint:
    return Endpoint(
        method=method,
        path=f"/v3/{path}",
        run=run,
        kind="volume_group",
        verb=verb,
        status=status,
        mode=Mode.READ if method == "GET" else Mode.WRITE,
        since=since,
    )


ENDPOINTS: Final = (
    _row("GET", "groups", list_groups, "list", 200, _GROUPS),
    _row("POST", "groups", create_group, "create", 202, _GROUPS),
    _row("GET", "groups/detail", list_groups_detail, "list", 200, _GROUPS),
    _row("POST", "groups/action", act_on_groups, "create", 202, _SNAPSHOTS),
    _row("GET", "groups/{id}", show_group, "show", 200, _GROUPS),
    _row("PUT", "groups/{id}", update_group, "update", 202, _GROUPS),
    Endpoint(
        method="POST",
        path="/v3/groups/{id}/action",
        kind="volume_group",
        verb="action",
        mode=Mode.WRITE,
        since=_GROUPS,
        actions=GROUP_ACTIONS,
    ),
    _row("GET", "group_snapshots", list_moments, "list", 200, _SNAPSHOTS),
    _row("POST", "group_snapshots", create_moment, "create", 202, _SNAPSHOTS),
    _row("GET", "group_snapshots/detail", list_moments, "list", 200, _SNAPSHOTS),
    _row("GET", "group_snapshots/{id}", show_moment, "show", 200, _SNAPSHOTS),
    _row("DELETE", "group_snapshots/{id}", delete_moment, "delete", 202, _SNAPSHOTS),
    Endpoint(
        method="POST",
        path="/v3/group_snapshots/{id}/action",
        kind="volume_group",
        verb="action",
        mode=Mode.WRITE,
        since=_SNAPSHOTS,
        actions=MOMENT_ACTIONS,
    ),
)
