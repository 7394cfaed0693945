"""Volumes: `/v3/volumes`. Their actions are in `actions`."""

import ast
import hashlib
from typing import Annotated, Any, Final, cast

import msgspec
from sqlalchemy import ColumnElement, false

from stratal.faces.evs.call import Call, Endpoint, Microversion, Mode, Reply
from stratal.faces.evs.faults import bad_request, not_found
from stratal.faces.evs.volume import lists, wire
from stratal.faces.evs.volume.actions import ACTIONS
from stratal.faces.evs.volume.snapshots import Description, Metadata, Name, item_of, metadata_of
from stratal.faces.evs.volume.types import type_named
from stratal.kernel.transaction import Transaction
from stratal.storage.block import views
from stratal.storage.block.views import VolumeView
from stratal.storage.block.volumes import NewVolume
from stratal.storage.bs_snap.model import BS_SNAP
from stratal.storage.bs_volume.model import BS_VOLUME, LARGEST_MB
from stratal.storage.vm_image.model import VM_IMAGE

_STRICT: Final[Microversion] = (3, 53)
_UNSET: Final = msgspec.UNSET
_LONGEST_FILTER: Final = 1024

Size = (
    Annotated[int, msgspec.Meta(ge=1, le=LARGEST_MB // 1024)]
    | Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,9}$(?!\n)")]
)


class VolumeCreate(msgspec.Struct, kw_only=True):
    size: Size | None = None
    name: Name | None = None
    display_name: Name | None = None
    description: Description | None = None
    display_description: Description | None = None
    volume_type: str | None = None
    metadata: Metadata | None = None
    snapshot_id: str | None = None
    source_volid: str | None = None
    consistencygroup_id: str | None = None
    group_id: str | None = None
    backup_id: str | None = None
    image_ref: str | None = msgspec.field(default=None, name="imageRef")
    image_id: str | None = None
    availability_zone: str | None = None
    multiattach: bool | str | None = None
    scheduler_hints: Any = msgspec.field(default=None, name="OS-SCH-HNT:scheduler_hints")


class StrictVolumeCreate(VolumeCreate, kw_only=True, forbid_unknown_fields=True): ...


class VolumeUpdate(msgspec.Struct, kw_only=True):
    name: Name | msgspec.UnsetType | None = _UNSET
    description: Description | msgspec.UnsetType | None = _UNSET
    display_name: Name | msgspec.UnsetType | None = _UNSET
    display_description: Description | msgspec.UnsetType | None = _UNSET
    metadata: Metadata | msgspec.UnsetType = _UNSET


def id_of(transaction: Transaction, call: Call) -> int:
    return call.id_of(transaction, BS_VOLUME, call.parts["id"], "Volume")


def answer(transaction: Transaction, call: Call, found: VolumeView, *, full: bool = True) -> dict[str, Any]:
    return {"volume": wire.volume(call, found, wire.owners_of(transaction, [found]), full=full)}


# -- volumes -----------------------------------------------------------------------------------------


def create(transaction: Transaction, call: Call) -> dict[str, Any]:
    body = call.under("volume", StrictVolumeCreate if call.microversion >= _STRICT else VolumeCreate)
    made = call.services.storage.block.volumes.create(
        transaction, call.access, new_volume(transaction, call, body)
    )
    return answer(transaction, call, made, full=False)


def new_volume(transaction: Transaction, call: Call, body: VolumeCreate) -> NewVolume:
    """What a body asks for, every id of it found. Raises the 400 or 404 of what cannot be."""
    if body.backup_id is not None:
        raise not_found("Backup", body.backup_id)
    zone = body.availability_zone
    if zone is not None and zone != call.services.zone:
        raise bad_request(f"Availability zone '{zone:.255}' is invalid.", code="EVS.1036")
    if body.multiattach is not None and call.microversion >= (3, 50) and lists.is_true(body.multiattach):
        raise bad_request(
            "multiattach parameter has been removed. The default behavior is to use multiattach enabled "
            "volume types. Contact your administrator to create a multiattach enabled volume type and use "
            "it to create multiattach volumes."
        )
    type_ = None if body.volume_type is None else type_named(transaction, call, body.volume_type)
    multiattach = body.multiattach is not None and lists.is_true(body.multiattach)
    if type_ is not None:
        multiattach = multiattach or type_.extra_specs.get("multiattach", "").lower() == "<is> true"
    size = body.size
    image = body.image_ref or body.image_id
    sourced = any((body.snapshot_id, body.source_volid))
    if size is None and not sourced:
        raise bad_request(
            "The server could not comply with the request since it is either malformed or otherwise "
            "incorrect.",
            code="EVS.1010",
        )
    size_gb = None if size is None else int(size)
    if size_gb is not None and not 1 <= size_gb <= LARGEST_MB // 1024:
        raise bad_request(
            f"Invalid input for field/attribute size. Value: {size}. {size} is less than the minimum of 1 or "
            f"greater than the maximum of {LARGEST_MB // 1024}",
            code="EVS.1010",
        )
    return NewVolume(
        name=(body.name or body.display_name or "").strip() or None,
        description=body.description or body.display_description,
        size_gb=size_gb,
        policy_id=None if type_ is None else type_.id,
        snapshot_id=_source(transaction, call, body.snapshot_id, "snapshot_id"),
        source_volume_id=_source(transaction, call, body.source_volid, "source_volid"),
        image_id=_source(transaction, call, image, "imageRef"),
        metadata=body.metadata or {},
        multiattach=multiattach,
        group_uuid=_group(transaction, call, body.group_id),
    )


_SOURCES: Final = {
    "snapshot_id": (BS_SNAP, "Snapshot"),
    "source_volid": (BS_VOLUME, "Volume"),
    "imageRef": (VM_IMAGE, "Image"),
}


def _source(transaction: Transaction, call: Call, uuid: str | None, field: str) -> int | None:
    if not uuid:
        return None
    kind, what = _SOURCES[field]
    return call.id_of(transaction, kind, uuid, what)


def _group(transaction: Transaction, call: Call, uuid: str | None) -> str | None:
    if not uuid or call.microversion < (3, 13):
        return None
    call.services.storage.block.groups.show(transaction, call.access, uuid)
    return uuid


def show(transaction: Transaction, call: Call) -> dict[str, Any]:
    id = id_of(transaction, call)
    return answer(transaction, call, call.services.storage.block.volumes.show(transaction, call.access, id))


def metadata_filter(value: str) -> ColumnElement[bool]:
    """Pairs that all must be there, as `{"k": "v"}` or as Python writes it, which old clients do."""
    if len(value) > _LONGEST_FILTER:
        return false()
    try:
        pairs: object = ast.literal_eval(value)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return false()
    if not isinstance(pairs, dict):
        return false()
    return views.has_metadata(
        {str(key): str(text) for key, text in cast(dict[object, object], pairs).items()}
    )


def paged(
    transaction: Transaction, call: Call
) -> tuple[list[VolumeView], lists.Paging, list[ColumnElement[bool]]]:
    """The volumes of a page of a list."""
    asked = lists.paging(
        transaction,
        call,
        views.VOLUME_FIELDS,
        id=BS_VOLUME.tables.spec.c.id,
        what="Volume",
        locate=views.volume_position,
        extra={"metadata": metadata_filter},
        renamed={"display_name": "name", "display_name~": "name~"},
    )
    block = call.services.storage.block
    within = block.volumes.within(call.access, all_projects=lists.wants_all_projects(call))
    found = views.volumes(
        transaction,
        *within,
        *asked.where,
        order_by=asked.order_by,
        limit=asked.limit,
        offset=asked.offset,
    )
    return found, asked, [*within, *asked.where]


def list_all(transaction: Transaction, call: Call) -> dict[str, Any]:
    found, asked, where = paged(transaction, call)
    return lists.page(
        call,
        "volumes",
        found,
        lambda each: wire.volume_summary(call, each),
        asked,
        last_id=found[-1].uuid if found else None,
        count=lambda: views.count_volumes(transaction, *where),
    )


def list_detail(transaction: Transaction, call: Call) -> dict[str, Any]:
    found, asked, where = paged(transaction, call)
    owners = wire.owners_of(transaction, found)
    return lists.page(
        call,
        "volumes",
        found,
        lambda each: wire.volume(call, each, owners),
        asked,
        last_id=found[-1].uuid if found else None,
        count=lambda: views.count_volumes(transaction, *where),
    )


def summary(transaction: Transaction, call: Call) -> dict[str, Any]:
    """How many volumes there are and how large they are together."""
    block = call.services.storage.block
    within = block.volumes.within(call.access, all_projects=lists.wants_all_projects(call))
    found = views.volumes(transaction, *within)
    shown: dict[str, Any] = {"total_count": len(found), "total_size": sum(each.size_gb for each in found)}
    if call.microversion >= (3, 36):
        metadata: dict[str, list[str]] = {}
        for each in found:
            for key, value in each.metadata.items():
                if value not in metadata.setdefault(key, []):
                    metadata[key].append(value)
        shown["metadata"] = metadata
    return {"volume-summary": shown}


def update(transaction: Transaction, call: Call) -> dict[str, Any]:
    id = id_of(transaction, call)
    body = call.under("volume", VolumeUpdate)
    service = call.services.storage.block.volumes
    changes: dict[str, str | None] = {}
    for name in ("name", "description"):
        for said in (getattr(body, f"display_{name}"), getattr(body, name)):
            if not isinstance(said, msgspec.UnsetType):
                changes[name] = said
    if isinstance(body.metadata, dict):
        service.set_metadata(transaction, call.access, id, body.metadata, replace=True)
    changed = service.update(transaction, call.access, id, changes)
    return answer(transaction, call, changed, full=False)


def delete(transaction: Transaction, call: Call) -> None:
    id = id_of(transaction, call)
    cascade = _flag(call, "cascade")
    call.services.storage.block.volumes.delete(transaction, call.access, id, cascade=cascade)


def _flag(call: Call, name: str) -> bool:
    text = call.parameter(name)
    return text is not None and (text == "" or lists.is_true(text))


def show_encryption(transaction: Transaction, call: Call) -> dict[str, Any]:
    """No volume is encrypted by Stratal."""
    _show(transaction, call)
    return {"encryption_key_id": None}


def show_encryption_item(transaction: Transaction, call: Call) -> Any:
    found, key = show_encryption(transaction, call), call.parts["key"]
    if key not in found:
        raise not_found("Encryption metadata", key)
    return {key: found[key]}


# -- metadata ----------------------------------------------------------------------------------------


def _show(transaction: Transaction, call: Call) -> VolumeView:
    return call.services.storage.block.volumes.show(transaction, call.access, id_of(transaction, call))


def show_metadata(transaction: Transaction, call: Call) -> dict[str, Any]:
    return {"metadata": _show(transaction, call).metadata}


def show_metadata_item(transaction: Transaction, call: Call) -> dict[str, Any]:
    metadata, key = _show(transaction, call).metadata, call.parts["key"]
    if key not in metadata:
        raise not_found("Volume metadata", key)
    return {"meta": {key: metadata[key]}}


def _set(transaction: Transaction, call: Call, pairs: Metadata, *, replace: bool) -> dict[str, str]:
    id = id_of(transaction, call)
    return call.services.storage.block.volumes.set_metadata(
        transaction, call.access, id, pairs, replace=replace
    )


def add_metadata(transaction: Transaction, call: Call) -> Any:
    if not _matches(transaction, call):
        return Reply(status=412)
    return {"metadata": _set(transaction, call, metadata_of(call), replace=False)}


def replace_metadata(transaction: Transaction, call: Call) -> Any:
    if not _matches(transaction, call):
        return Reply(status=412)
    return {"metadata": _set(transaction, call, metadata_of(call), replace=True)}


def _matches(transaction: Transaction, call: Call) -> bool:
    """Whether the metadata is still what the client last saw, where it says what that was (3.15)."""

    wanted = call.headers.get("if-match")
    if wanted is None or call.microversion < (3, 15):
        return True
    now = msgspec.json.encode(show_metadata(transaction, call))
    return wanted.strip('"') == hashlib.md5(now, usedforsecurity=False).hexdigest()


def put_metadata_item(transaction: Transaction, call: Call) -> dict[str, Any]:
    meta = item_of(call)
    _set(transaction, call, meta, replace=False)
    return {"meta": meta}


def delete_metadata_item(transaction: Transaction, call: Call) -> None:
    id = id_of(transaction, call)
    call.services.storage.block.volumes.drop_metadata(transaction, call.access, id, call.parts["key"])


def _row(
    method: str, path: str, run: Any, verb: str, status: int = 200, since: Microversion = (3, 0)
) -> Endpoint:
    reading = Mode.GLANCE if verb == "show" else Mode.READ
    mode = reading if method == "GET" else Mode.WRITE
    return Endpoint(
        method=method,
        path=f"/v3/volumes{path}",
        run=run,
        kind="bs_volume",
        verb=verb,
        status=status,
        mode=mode,
        since=since,
    )


ENDPOINTS: Final = (
    _row("POST", "", create, "create", 202),
    _row("GET", "", list_all, "list"),
    _row("GET", "/detail", list_detail, "list"),
    _row("GET", "/summary", summary, "list", since=(3, 12)),
    _row("GET", "/{id}", show, "show"),
    _row("PUT", "/{id}", update, "update"),
    _row("DELETE", "/{id}", delete, "delete", 202),
    _row("GET", "/{id}/encryption", show_encryption, "show"),
    _row("GET", "/{id}/encryption/{key}", show_encryption_item, "show"),
    _row("GET", "/{id}/metadata", show_metadata, "show"),
    _row("POST", "/{id}/metadata", add_metadata, "update"),
    _row("PUT", "/{id}/metadata", replace_metadata, "update"),
    _row("GET", "/{id}/metadata/{key}", show_metadata_item, "show"),
    _row("PUT", "/{id}/metadata/{key}", put_metadata_item, "update"),
    _row("DELETE", "/{id}/metadata/{key}", delete_metadata_item, "update"),
    Endpoint(
        method="POST",
        path="/v3/volumes/{id}/action",
        kind="bs_volume",
        verb="action",
        mode=Mode.WRITE,
        actions=ACTIONS,
    ),
)
