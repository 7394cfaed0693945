"""Volume types with extra specs and access."""

from contextlib import suppress
from typing import Annotated, Any, Final

import msgspec

from stratal.faces.evs.call import Call, Endpoint, Mode, decoded, hex_id
from stratal.faces.evs.faults import Fault, bad_request, not_found
from stratal.faces.evs.volume import lists
from stratal.identity.project.model import PROJECT
from stratal.kernel.errors import NotFound
from stratal.kernel.kind import Profile
from stratal.kernel.transaction import Transaction
from stratal.kernel.uuids import id_of_uuid, uuids_of
from stratal.storage.block.types import VolumeType
from stratal.storage.bs_policy.model import BS_POLICY

_UNSET: Final = msgspec.UNSET
TypeName = Annotated[
    str, msgspec.Meta(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*$(?!\n)")
]
Description = Annotated[str, msgspec.Meta(max_length=255, pattern=r"^[^\x00]*$(?!\n)")]


class TypeCreate(msgspec.Struct, kw_only=True):
    name: TypeName
    description: Description | None = None
    is_public: bool | str = msgspec.field(default=True, name="os-volume-type-access:is_public")
    extra_specs: dict[str, str] | None = None


class TypeUpdate(msgspec.Struct, kw_only=True):
    name: TypeName | None = None
    description: Description | msgspec.UnsetType | None = _UNSET
    is_public: bool | str | None = None


class ExtraSpecs(msgspec.Struct, kw_only=True):
    extra_specs: dict[str, str]


class ProjectAccess(msgspec.Struct, kw_only=True):
    project: str


def type_named(transaction: Transaction, call: Call, text: str) -> VolumeType:
    """A type by its id or its name. Raises the 404 of a type that the caller may not use."""
    types = call.services.storage.block.types
    id = id_of_uuid(transaction, BS_POLICY, text)
    found = None
    if id is not None:
        with suppress(NotFound):  # a private one is to be found as little as one that there is not
            found = types.show(transaction, call.access, id)
    found = found or types.named(transaction, call.access, text)
    if found is None:
        raise Fault(404, f"Volume type with name {text:.255} could not be found.", code="EVS.1020")
    return found


def _shown(call: Call, found: VolumeType) -> dict[str, Any]:
    return {
        "id": found.uuid,
        "name": found.name,
        "description": found.description,
        "is_public": found.is_public,
        "os-volume-type-access:is_public": found.is_public,
        "qos_specs_id": found.qos_uuid,
        "extra_specs": found.extra_specs,
    }


def id_of(transaction: Transaction, call: Call) -> int:
    return call.id_of(transaction, BS_POLICY, call.parts["id"], "Volume type")


def list_all(transaction: Transaction, call: Call) -> dict[str, Any]:
    word = call.parameter("is_public")
    is_public = None if word is None or word.lower() == "none" else lists.is_true(word)
    found = call.services.storage.block.types.all(transaction, call.access, is_public=is_public)
    if (name := call.parameter("name")) is not None:
        found = [each for each in found if each.name == name]
    return {"volume_types": [_shown(call, each) for each in found]}


def show(transaction: Transaction, call: Call) -> dict[str, Any]:
    id = id_of(transaction, call)
    return {"volume_type": _shown(call, call.services.storage.block.types.show(transaction, call.access, id))}


def show_default(transaction: Transaction, call: Call) -> dict[str, Any]:
    types = call.services.storage.block.types
    found = types.show(transaction, call.access, types.default(transaction, call.access.project_id))
    return {"volume_type": _shown(call, found)}


def create(call: Call) -> dict[str, Any]:
    """A type in the default place: looking at the place takes time, so it runs in a thread."""
    body = call.under("volume_type", TypeCreate)
    types = call.services.storage.block.types
    prepared = types.prepare_create(call.access, body.name.strip(), body.description)

    def write(transaction: Transaction) -> dict[str, Any]:
        if types.named(transaction, call.access, prepared.name) is not None:
            raise Fault(409, f"Volume Type {prepared.name} already exists.")
        made = types.create(transaction, call.access, prepared, is_public=lists.is_true(body.is_public))
        if body.extra_specs:
            types.set_specs(transaction, call.access, made.id, body.extra_specs)
        return {"volume_type": _shown(call, types.show(transaction, call.access, made.id))}

    return call.services.database.write(write)


def update(transaction: Transaction, call: Call) -> dict[str, Any]:
    id = id_of(transaction, call)
    body = call.under("volume_type", TypeUpdate)
    changes: dict[str, str] = {}
    if body.name is not None:
        changes["name"] = body.name.strip()
    if not isinstance(body.description, msgspec.UnsetType):
        changes["description"] = body.description or ""
    is_public = None if body.is_public is None else lists.is_true(body.is_public)
    if not changes and is_public is None:
        raise bad_request("Specify volume type name, description, is_public or a combination thereof.")
    changed = call.services.storage.block.types.update(
        transaction, call.access, id, changes, is_public=is_public
    )
    return {"volume_type": _shown(call, changed)}


def delete(transaction: Transaction, call: Call) -> None:
    call.services.storage.block.types.delete(transaction, call.access, id_of(transaction, call))


# -- extra specs -------------------------------------------------------------------------------------


def list_specs(transaction: Transaction, call: Call) -> dict[str, Any]:
    found = call.services.storage.block.types.show(transaction, call.access, id_of(transaction, call))
    return {"extra_specs": found.extra_specs}


def add_specs(transaction: Transaction, call: Call) -> dict[str, Any]:
    specs = decoded(call.body, ExtraSpecs, "extra_specs").extra_specs
    id = id_of(transaction, call)
    call.services.storage.block.types.set_specs(transaction, call.access, id, specs)
    return {"extra_specs": specs}


def show_spec(transaction: Transaction, call: Call) -> dict[str, Any]:
    specs, key = list_specs(transaction, call)["extra_specs"], call.parts["key"]
    if key not in specs:
        raise not_found("Extra spec", key)
    return {key: specs[key]}


def put_spec(transaction: Transaction, call: Call) -> dict[str, Any]:
    key = call.parts["key"]
    body = call.object
    if list(body) != [key] or not isinstance(body[key], str):
        raise bad_request("Request body and URI mismatch")
    id = id_of(transaction, call)
    call.services.storage.block.types.set_specs(transaction, call.access, id, {key: body[key]})
    return {key: body[key]}


def delete_spec(transaction: Transaction, call: Call) -> None:
    id = id_of(transaction, call)
    call.services.storage.block.types.drop_spec(transaction, call.access, id, call.parts["key"])


# -- whom a private type is for ----------------------------------------------------------------------


def list_access(transaction: Transaction, call: Call) -> dict[str, Any]:
    id = id_of(transaction, call)
    types = call.services.storage.block.types
    projects = uuids_of(transaction, PROJECT, types.projects_of(transaction, call.access, id))
    shown = [{"volume_type_id": call.parts["id"], "project_id": hex_id(uuid)} for uuid in projects.values()]
    return {"volume_type_access": shown}


def act(transaction: Transaction, call: Call) -> None:
    body = call.object
    if len(body) != 1:
        raise bad_request("Malformed request body")
    [(name, arguments)] = body.items()
    if name not in ("addProjectAccess", "removeProjectAccess"):
        raise bad_request(
            f"There is no such action: {name!s:.64}. Verify the request body and Content-Type header and try "
            "again."
        )
    project = decoded(arguments, ProjectAccess, name).project
    project_id = call.id_of(transaction, PROJECT, project, "Project")
    types, id = call.services.storage.block.types, id_of(transaction, call)
    change = types.add_project if name == "addProjectAccess" else types.drop_project
    change(transaction, call.access, id, project_id)


def _row(
    method: str,
    path: str,
    run: Any,
    verb: str,
    status: int = 200,
    *,
    mode: Mode | None = None,
    conflict: int = 400,
) -> Endpoint:
    return Endpoint(
        method=method,
        path=f"/v3/types{path}",
        run=run,
        kind="bs_policy",
        verb=verb,
        profile=Profile.CATALOGUE,
        status=status,
        mode=mode or (Mode.READ if method == "GET" else Mode.WRITE),
        conflict=conflict,
    )


ENDPOINTS: Final = (
    _row("GET", "", list_all, "list"),
    _row("POST", "", create, "create", mode=Mode.THREAD, conflict=409),
    _row("GET", "/default", show_default, "show"),
    _row("GET", "/{id}", show, "show"),
    _row("PUT", "/{id}", update, "update", conflict=409),
    _row("DELETE", "/{id}", delete, "delete", 202),
    _row("GET", "/{id}/extra_specs", list_specs, "show"),
    _row("POST", "/{id}/extra_specs", add_specs, "update"),
    _row("GET", "/{id}/extra_specs/{key}", show_spec, "show"),
    _row("PUT", "/{id}/extra_specs/{key}", put_spec, "update"),
    _row("DELETE", "/{id}/extra_specs/{key}", delete_spec, "update", 202),
    _row("GET", "/{id}/os-volume-type-access", list_access, "update"),
    _row("POST", "/{id}/action", act, "update", 202, conflict=409),
)
