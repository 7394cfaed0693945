"""For administrators: default types, the class of quotas, encryption records of types."""

from typing import Annotated, Any, Final

import msgspec

from stratal.faces.evs.call import Call, Endpoint, Microversion, Mode, hex_id
from stratal.faces.evs.faults import Fault, bad_request, not_found
from stratal.faces.evs.volume.limits import QuotaSet, quota_set
from stratal.faces.evs.volume.types import id_of as type_id_of
from stratal.faces.evs.volume.types import type_named
from stratal.identity.project.model import PROJECT
from stratal.kernel.kind import Profile
from stratal.kernel.transaction import Transaction
from stratal.kernel.uuids import uuids_of
from stratal.storage.block.limits import DEFAULT_CLASS, NO_LIMIT, Limits
from stratal.storage.bs_policy.model import BS_POLICY

_DEFAULTS: Final[Microversion] = (3, 62)
_CLASS: Final = "default"


class DefaultType(msgspec.Struct, kw_only=True):
    volume_type: str


class Encryption(msgspec.Struct, kw_only=True):
    provider: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    control_location: str = "front-end"
    cipher: Annotated[str, msgspec.Meta(max_length=255)] | None = None
    key_size: Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)] | None = None


class EncryptionUpdate(msgspec.Struct, kw_only=True):
    provider: Annotated[str, msgspec.Meta(min_length=1, max_length=255)] | msgspec.UnsetType = msgspec.UNSET
    control_location: str | msgspec.UnsetType = msgspec.UNSET
    cipher: Annotated[str, msgspec.Meta(max_length=255)] | msgspec.UnsetType | None = msgspec.UNSET
    key_size: Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)] | msgspec.UnsetType | None = msgspec.UNSET


# -- default types -----------------------------------------------------------------------------------


def _project(transaction: Transaction, call: Call) -> int:
    return call.id_of(transaction, PROJECT, call.parts["id"], "Project")


def _default(project: str, type_uuid: str) -> dict[str, str]:
    return {"project_id": hex_id(project), "volume_type_id": type_uuid}


def list_defaults(transaction: Transaction, call: Call) -> dict[str, Any]:
    """The types that projects chose. Those that chose none have the oldest one."""
    chosen = call.services.storage.block.types.defaults(transaction)
    projects = uuids_of(transaction, PROJECT, chosen)
    types = uuids_of(transaction, BS_POLICY, chosen.values())
    return {"default_types": [_default(projects[id], types[type_id]) for id, type_id in chosen.items()]}


def show_default(transaction: Transaction, call: Call) -> dict[str, Any]:
    chosen = call.services.storage.block.types.defaults(transaction).get(_project(transaction, call))
    if chosen is None:
        raise Fault(404, f"Default type for project {call.parts['id']:.64} not found.")
    [uuid] = uuids_of(transaction, BS_POLICY, [chosen]).values()
    return {"default_type": _default(call.parts["id"], uuid)}


def set_default(transaction: Transaction, call: Call) -> dict[str, Any]:
    body = call.under("default_type", DefaultType)
    project_id = _project(transaction, call)
    found = type_named(transaction, call, body.volume_type)
    call.services.storage.block.types.set_default(transaction, call.access, project_id, found.id)
    return {"default_type": _default(call.parts["id"], found.uuid)}


def drop_default(transaction: Transaction, call: Call) -> None:
    types = call.services.storage.block.types
    types.set_default(transaction, call.access, _project(transaction, call), None)


# -- the class of quotas that all projects are in ----------------------------------------------------


def show_class(transaction: Transaction, call: Call) -> dict[str, Any]:
    _check_class(call)
    limits = call.services.storage.block.limits.show(transaction, DEFAULT_CLASS)
    return {"quota_class_set": {"id": _CLASS, **quota_set(limits, None, NO_LIMIT)}}


def change_class(transaction: Transaction, call: Call) -> dict[str, Any]:
    """Gigabytes are each project's own affair: what a project has is in its own row."""
    _check_class(call)
    body = call.under("quota_class_set", QuotaSet)
    for name in ("gigabytes", "backups", "backup_gigabytes"):
        if getattr(body, name) not in (None, NO_LIMIT):
            raise bad_request(f"{name} can be limited for single projects, or not at all.")
    values = {name: value for name in Limits.__struct_fields__ if (value := getattr(body, name)) is not None}
    limits = call.services.storage.block.limits.change(transaction, DEFAULT_CLASS, values)
    return {"quota_class_set": quota_set(limits, None, NO_LIMIT)}


def _check_class(call: Call) -> None:
    if call.parts["id"] != _CLASS:
        raise not_found("Quota class", call.parts["id"])


# -- encryption --------------------------------------------------------------------------------------


def show_encryption(transaction: Transaction, call: Call) -> dict[str, Any]:
    """The record of a type; nothing, as in the original, of one that has none."""
    found = call.services.storage.block.types.show(transaction, call.access, type_id_of(transaction, call))
    if found.encryption is None:
        return {}
    return {**found.encryption, "volume_type_id": found.uuid, "deleted": False, "deleted_at": None}


def show_encryption_item(transaction: Transaction, call: Call) -> dict[str, Any]:
    record, key = show_encryption(transaction, call), call.parts["key"]
    if key not in record:
        raise not_found("Encryption record", key)
    return {key: record[key]}


def create_encryption(transaction: Transaction, call: Call) -> dict[str, Any]:
    """A record, which keeps volumes of the type from being made: nothing here would encrypt them."""
    body = call.under("encryption", Encryption)
    _check_location(body.control_location)
    id = type_id_of(transaction, call)
    types = call.services.storage.block.types
    if types.show(transaction, call.access, id).encryption is not None:
        raise bad_request(f"Volume type encryption for type {call.parts['id']:.64} already exists.")
    record = {"encryption_id": transaction.entropy.uuid(), **msgspec.structs.asdict(body)}
    types.set_encryption(transaction, call.access, id, record)
    return {"encryption": {**record, "volume_type_id": call.parts["id"]}}


def change_encryption(transaction: Transaction, call: Call) -> dict[str, Any]:
    body = call.under("encryption", EncryptionUpdate)
    id, record = _existing(transaction, call)
    changes = {
        name: value
        for name, value in msgspec.structs.asdict(body).items()
        if not isinstance(value, msgspec.UnsetType)
    }
    _check_location(changes.get("control_location", "front-end"))
    types = call.services.storage.block.types
    types.set_encryption(transaction, call.access, id, {**record, **changes})
    return {"encryption": changes}


def delete_encryption(transaction: Transaction, call: Call) -> None:
    id, _ = _existing(transaction, call)
    call.services.storage.block.types.set_encryption(transaction, call.access, id, None)


def _existing(transaction: Transaction, call: Call) -> tuple[int, dict[str, Any]]:
    id = type_id_of(transaction, call)
    record = call.services.storage.block.types.show(transaction, call.access, id).encryption
    # a type has one record: what is in the place of its id does not matter, and is `provider` in cinderclient
    if record is None:
        raise not_found("Encryption record", call.parts["key"])
    return id, record


def _check_location(place: object) -> None:
    if place not in ("front-end", "back-end"):
        raise bad_request("Valid control location are: ['front-end', 'back-end']")


def _row(
    method: str, path: str, run: Any, kind: str, verb: str, status: int = 200, since: Microversion = (3, 0)
) -> Endpoint:
    return Endpoint(
        method=method,
        path=f"/v3/{path}",
        run=run,
        kind=kind,
        verb=verb,
        profile=Profile.CATALOGUE if kind == "bs_policy" else Profile.INFRASTRUCTURE,
        status=status,
        mode=Mode.READ if method == "GET" else Mode.WRITE,
        since=since,
    )


_TYPE = "types/{id}/encryption"
ENDPOINTS: Final = (
    _row("GET", "default-types", list_defaults, "volume_default_type", "list", since=_DEFAULTS),
    _row("GET", "default-types/{id}", show_default, "volume_default_type", "show", since=_DEFAULTS),
    _row("PUT", "default-types/{id}", set_default, "volume_default_type", "update", since=_DEFAULTS),
    _row("DELETE", "default-types/{id}", drop_default, "volume_default_type", "update", 204, _DEFAULTS),
    _row("GET", "os-quota-class-sets/{id}", show_class, "volume_limits", "show"),
    _row("PUT", "os-quota-class-sets/{id}", change_class, "volume_limits", "update"),
    _row("GET", _TYPE, show_encryption, "bs_policy", "update"),
    _row("POST", _TYPE, create_encryption, "bs_policy", "update"),
    _row("GET", f"{_TYPE}/{{key}}", show_encryption_item, "bs_policy", "update"),
    _row("PUT", f"{_TYPE}/{{key}}", change_encryption, "bs_policy", "update"),
    _row("DELETE", f"{_TYPE}/{{key}}", delete_encryption, "bs_policy", "update", 202),
)
