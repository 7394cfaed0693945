"""Disks by their tags, and the older calls for tags: `/v2/{project}/os-vendor-tags`."""

from collections.abc import Callable
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, or_

from stratal.faces.evs.call import Call, Dialect, Endpoint, Mode, decoded
from stratal.faces.evs.faults import Fault, not_found
from stratal.faces.evs.huawei import wire
from stratal.faces.evs.huawei.volumes import TagAction, gathered
from stratal.faces.evs.volume.wire import owners_of
from stratal.kernel.transaction import Transaction
from stratal.storage.block import views
from stratal.storage.block.model import SNAPSHOT_TRAITS, VOLUME_TRAITS
from stratal.storage.bs_snap.model import BS_SNAP
from stratal.storage.bs_volume.model import BS_VOLUME

_MOST: Final = 1000
_MOST_TERMS: Final = 10
"""Keys, and values of one key, as in Huawei's document of the call."""


class Values(msgspec.Struct, kw_only=True):
    key: str
    values: list[str] = msgspec.field(default_factory=list[str])


class Match(msgspec.Struct, kw_only=True):
    key: str
    value: str


class Instances(msgspec.Struct, kw_only=True):
    action: str
    tags: list[Values] = msgspec.field(default_factory=list[Values])
    matches: list[Match] = msgspec.field(default_factory=list[Match])
    limit: int | None = None
    offset: int = 0


# -- disks by their tags -----------------------------------------------------------------------------


def instances(transaction: Transaction, call: Call) -> dict[str, Any]:
    """The disks that have all of these tags, each with one of its values; `filter` them or `count` them."""
    body = decoded(call.object, Instances, "body")
    if body.action not in ("filter", "count"):
        raise Fault(400, "action must be filter or count.", code="EVS.5400")
    if len(body.tags) > _MOST_TERMS or any(len(tag.values) > _MOST_TERMS for tag in body.tags):
        raise Fault(400, f"There are at most {_MOST_TERMS} tags with {_MOST_TERMS} values.", code="EVS.5400")
    if body.offset < 0 or not 1 <= (body.limit or _MOST) <= _MOST:
        raise Fault(400, f"limit must be from 1 to {_MOST}, offset at least 0.", code="EVS.1023")
    where = [*call.services.storage.block.volumes.within(call.access)]
    where += [_has(tag) for tag in body.tags] + [_matches(match) for match in body.matches]
    count = views.count_volumes(transaction, *where)
    if body.action == "count":
        return {"total_count": count}
    found = views.volumes(transaction, *where, limit=body.limit or _MOST, offset=body.offset)
    owners = owners_of(transaction, found)
    return {
        "total_count": count,
        "resources": [
            {
                "resource_id": each.uuid,
                "resource_name": each.name or "",
                "resource_detail": wire.volume(call, each, owners),
                "tags": [{"key": key, "value": value} for key, value in each.tags.items()],
            }
            for each in found
        ],
    }


def _has(tag: Values) -> ColumnElement[bool]:
    value = VOLUME_TRAITS.c.tags[tag.key].as_string()
    return or_(*(value == each for each in tag.values)) if tag.values else value.is_not(None)


def _matches(match: Match) -> ColumnElement[bool]:
    if match.key != "resource_name":
        raise Fault(400, "resource_name is the one key of matches.", code="EVS.5400")
    return BS_VOLUME.tables.spec.c.name.contains(match.value, autoescape=True)


# -- the older calls ---------------------------------------------------------------------------------


class OldTags(msgspec.Struct, kw_only=True):
    tags: dict[str, str]


class OldTag(msgspec.Struct, kw_only=True):
    tag: dict[str, str]


def _snapshots(call: Call) -> bool:
    """Whether the path is about snapshots. Raises a 404 for what has no tags."""
    match call.parts["resource_type"]:
        case "volumes":
            return False
        case "snapshots":
            return True
        case other:
            raise not_found("Resource type", other)


def _id(transaction: Transaction, call: Call) -> int:
    kind, what = (BS_SNAP, "Snapshot") if _snapshots(call) else (BS_VOLUME, "Volume")
    return call.id_of(transaction, kind, call.parts["id"], what)


def _tags(transaction: Transaction, call: Call) -> dict[str, str]:
    block = call.services.storage.block
    service = block.snapshots if _snapshots(call) else block.volumes
    return service.show(transaction, call.access, _id(transaction, call)).tags


def _change(transaction: Transaction, call: Call, *, add: dict[str, str], drop: list[str]) -> None:
    block = call.services.storage.block
    service = block.snapshots if _snapshots(call) else block.volumes
    service.set_tags(transaction, call.access, _id(transaction, call), add=add, drop=drop)


def all_tags(transaction: Transaction, call: Call) -> dict[str, Any]:
    block = call.services.storage.block
    if _snapshots(call):
        return {"tags": gathered(views.snapshots(transaction, *block.snapshots.within(call.access)))}
    return {"tags": gathered(views.volumes(transaction, *block.volumes.within(call.access)))}


def resources(transaction: Transaction, call: Call) -> dict[str, Any]:
    """The ids of what has all the tags of the query."""
    block, wanted = call.services.storage.block, dict(call.query)
    table = SNAPSHOT_TRAITS if _snapshots(call) else VOLUME_TRAITS
    where = [table.c.tags[key].as_string() == value for key, value in wanted.items()]
    if _snapshots(call):
        found: Any = views.snapshots(transaction, *block.snapshots.within(call.access), *where)
    else:
        found = views.volumes(transaction, *block.volumes.within(call.access), *where)
    return {"resource_instances": [{"resource_id": each.uuid, "tags": each.tags} for each in found]}


def show(transaction: Transaction, call: Call) -> dict[str, Any]:
    return {"tags": _tags(transaction, call)}


def add(transaction: Transaction, call: Call) -> dict[str, Any]:
    said = decoded(call.object, OldTags, "tags").tags
    _change(transaction, call, add=said, drop=[])
    return {"tags": _tags(transaction, call)}


def replace(transaction: Transaction, call: Call) -> dict[str, Any]:
    said = decoded(call.object, OldTags, "tags").tags
    _change(transaction, call, add=said, drop=list(_tags(transaction, call)))
    return {"tags": said}


def act(transaction: Transaction, call: Call) -> None:
    body = decoded(call.object, TagAction, "tags")
    tags = {tag.key: tag.value for tag in body.tags}
    match body.action:
        case "create":
            _change(transaction, call, add=tags, drop=[])
        case "delete":
            _change(transaction, call, add={}, drop=list(tags))
        case _:
            raise Fault(400, "action must be create or delete.", code="EVS.5400")


def show_one(transaction: Transaction, call: Call) -> dict[str, Any]:
    tags, key = _tags(transaction, call), call.parts["key"]
    if key not in tags:
        raise not_found("Tag", key)
    return {"tag": {key: tags[key]}}


def put_one(transaction: Transaction, call: Call) -> dict[str, Any]:
    said = decoded(call.object, OldTag, "tag").tag
    if list(said) != [call.parts["key"]]:
        raise Fault(400, "The body has another key than the path.", code="EVS.5400")
    _change(transaction, call, add=said, drop=[])
    return {"tag": said}


def delete_one(transaction: Transaction, call: Call) -> None:
    show_one(transaction, call)
    _change(transaction, call, add={}, drop=[call.parts["key"]])


def _row(method: str, path: str, run: Callable[..., Any], verb: str, status: int = 200) -> Endpoint:
    return Endpoint(
        method=method,
        path=path,
        run=run,
        kind="bs_volume",
        verb=verb,
        status=status,
        mode=Mode.READ if verb in ("list", "show") else Mode.WRITE,
        dialect=Dialect.HUAWEI,
    )


_OLD: Final = "/v2/os-vendor-tags/{resource_type}"
_ONE: Final = f"{_OLD}/{{id}}"
ENDPOINTS: Final = (
    *(
        _row("POST", f"{path}/resource_instances/action", instances, "list")
        for path in ("/v2/cloudvolumes", "/v2/os-vendor-volumes", "/v3/os-vendor-volumes")
    ),
    _row("GET", _OLD, all_tags, "list"),
    _row("GET", f"{_OLD}/resource_instances", resources, "list"),
    _row("GET", _ONE, show, "show"),
    _row("POST", _ONE, add, "update"),
    _row("PUT", _ONE, replace, "update"),
    _row("POST", f"{_ONE}/action", act, "update", 204),
    _row("GET", f"{_ONE}/{{key}}", show_one, "show"),
    _row("PUT", f"{_ONE}/{{key}}", put_one, "update"),
    _row("DELETE", f"{_ONE}/{{key}}", delete_one, "update", 204),
)
