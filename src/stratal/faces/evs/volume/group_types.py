"""Group types (3.11) and their specs."""

from typing import Annotated, Any, Final

import msgspec

from stratal.faces.evs.call import Call, Endpoint, Microversion, Mode, decoded
from stratal.faces.evs.faults import bad_request, not_found
from stratal.faces.evs.volume.snapshots import Description
from stratal.kernel.kind import Profile
from stratal.kernel.transaction import Transaction
from stratal.storage.block.group_types import GroupType

_SINCE: Final[Microversion] = (3, 11)
_UNSET: Final = msgspec.UNSET
TypeName = Annotated[str, msgspec.Meta(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)")]


class GroupTypeBody(msgspec.Struct, kw_only=True):
    name: TypeName | None = None
    description: Description | msgspec.UnsetType | None = _UNSET
    is_public: bool | None = None


class GroupSpecs(msgspec.Struct, kw_only=True):
    group_specs: dict[str, str]


def _type(found: GroupType) -> dict[str, Any]:
    return {
        "id": found.uuid,
        "name": found.name,
        "description": found.description,
        "is_public": found.is_public,
        "group_specs": found.specs,
    }


def list_types(transaction: Transaction, call: Call) -> dict[str, Any]:
    found = call.services.storage.block.groups.types.all(transaction, call.access)
    return {"group_types": [_type(each) for each in found]}


def show_type(transaction: Transaction, call: Call) -> dict[str, Any]:
    types = call.services.storage.block.groups.types
    return {"group_type": _type(types.show(transaction, call.access, call.parts["id"]))}


def create_type(transaction: Transaction, call: Call) -> dict[str, Any]:
    body = call.under("group_type", GroupTypeBody)
    if body.name is None:
        raise bad_request("Invalid input for field/attribute group_type. 'name' is a required property")
    description = None if isinstance(body.description, msgspec.UnsetType) else body.description
    made = call.services.storage.block.groups.types.create(
        transaction, call.access, body.name, description, is_public=body.is_public is not False
    )
    return {"group_type": _type(made)}


def update_type(transaction: Transaction, call: Call) -> dict[str, Any]:
    body = call.under("group_type", GroupTypeBody)
    values: dict[str, Any] = {
        name: value for name in ("name", "is_public") if (value := getattr(body, name)) is not None
    }
    if not isinstance(body.description, msgspec.UnsetType):
        values["description"] = body.description
    changed = call.services.storage.block.groups.types.change(
        transaction, call.access, call.parts["id"], values
    )
    return {"group_type": _type(changed)}


def delete_type(transaction: Transaction, call: Call) -> None:
    call.services.storage.block.groups.types.delete(transaction, call.access, call.parts["id"])


def list_specs(transaction: Transaction, call: Call) -> dict[str, Any]:
    types = call.services.storage.block.groups.types
    return {"group_specs": types.show(transaction, call.access, call.parts["id"]).specs}


def add_specs(transaction: Transaction, call: Call) -> dict[str, Any]:
    specs = decoded(call.object, GroupSpecs, "group_specs").group_specs
    types = call.services.storage.block.groups.types
    now = types.show(transaction, call.access, call.parts["id"]).specs
    changed = types.change(transaction, call.access, call.parts["id"], {"specs": {**now, **specs}})
    return {"group_specs": changed.specs}


def show_spec(transaction: Transaction, call: Call) -> dict[str, Any]:
    specs, key = list_specs(transaction, call)["group_specs"], call.parts["key"]
    if key not in specs:
        raise not_found("Group spec", key)
    return {key: specs[key]}


def put_spec(transaction: Transaction, call: Call) -> dict[str, Any]:
    key, body = call.parts["key"], call.object
    if list(body) != [key] or not isinstance(body[key], str):
        raise bad_request("Request body and URI mismatch")
    types = call.services.storage.block.groups.types
    now = types.show(transaction, call.access, call.parts["id"]).specs
    types.change(transaction, call.access, call.parts["id"], {"specs": {**now, key: body[key]}})
    return {key: body[key]}


def delete_spec(transaction: Transaction, call: Call) -> None:
    show_spec(transaction, call)
    types = call.services.storage.block.groups.types
    now = types.show(transaction, call.access, call.parts["id"]).specs
    left = {name: value for name, value in now.items() if name != call.parts["key"]}
    types.change(transaction, call.access, call.parts["id"], {"specs": left})


def _row(method: str, path: str, run: Any, verb: str, status: int = 200) -> Endpoint:
    return Endpoint(
        method=method,
        path=f"/v3/group_types{path}",
        run=run,
        kind="volume_group_type",
        verb=verb,
        profile=Profile.CATALOGUE,
        status=status,
        mode=Mode.READ if method == "GET" else Mode.WRITE,
        since=_SINCE,
        conflict=409 if not path else 400,
    )


ENDPOINTS: Final = (
    _row("GET", "", list_types, "list"),
    _row("POST", "", create_type, "create", 202),
    _row("GET", "/{id}", show_type, "show"),
    _row("PUT", "/{id}", update_type, "update"),
    _row("DELETE", "/{id}", delete_type, "delete", 202),
    _row("GET", "/{id}/group_specs", list_specs, "show"),
    _row("POST", "/{id}/group_specs", add_specs, "update", 202),
    _row("GET", "/{id}/group_specs/{key}", show_spec, "show"),
    _row("PUT", "/{id}/group_specs/{key}", put_spec, "update"),
    _row("DELETE", "/{id}/group_specs/{key}", delete_spec, "update", 202),
)
