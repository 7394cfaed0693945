"""Projects, users, roles and grants, as administrative clients ask for them."""

from typing import Annotated, Any, Final

import msgspec
from sqlalchemy import ColumnElement

from stratal.faces.evs.call import Call, Dialect, Endpoint, Mode, hex_id
from stratal.faces.evs.faults import Fault, bad_value, not_found
from stratal.faces.evs.identity import wire
from stratal.identity.memberships import Membership, memberships
from stratal.identity.project.model import PROJECT, AddUser, ProjectCreate, ProjectUpdate, RemoveUser
from stratal.identity.role.model import ROLE
from stratal.identity.user.model import USER, UserCreate, UserUpdate
from stratal.kernel.access import Reach
from stratal.kernel.errors import Unauthenticated
from stratal.kernel.fields import Name
from stratal.kernel.store import Resource, Store
from stratal.kernel.transaction import Transaction
from stratal.kernel.uuids import canonical_uuid, uuids_of

_Unset = msgspec.UnsetType
_UNSET: Final = msgspec.UNSET
Text = Annotated[str, msgspec.Meta(max_length=4096)]


class ProjectBody(msgspec.Struct, kw_only=True):
    name: Name | _Unset = _UNSET
    description: Text | _Unset | None = _UNSET
    enabled: bool | _Unset = _UNSET
    domain_id: str | None = None


class UserBody(msgspec.Struct, kw_only=True):
    name: Name | _Unset = _UNSET
    description: Text | _Unset | None = _UNSET
    enabled: bool | _Unset = _UNSET
    email: str | _Unset | None = _UNSET
    password: str | _Unset | None = _UNSET
    default_project_id: str | _Unset | None = _UNSET
    domain_id: str | None = None


class PasswordBody(msgspec.Struct, kw_only=True):
    password: str
    original_password: str


def _given(body: ProjectBody | UserBody, *names: str) -> dict[str, Any]:
    """What was said of these, as the kinds take it, which know no null."""
    values = {name: getattr(body, name) for name in names if getattr(body, name) is not _UNSET}
    return {name: "" if value is None else value for name, value in values.items()}


def _check_domain(domain_id: str | None) -> None:
    if domain_id not in (None, wire.DOMAIN["id"]):
        raise not_found("Domain", str(domain_id))


def _converted(values: dict[str, Any], struct: type[Any], key: str) -> Any:
    try:
        return msgspec.convert(values, struct)
    except msgspec.ValidationError as error:
        raise bad_value(key, values, error) from None


# -- projects ----------------------------------------------------------------------------------------


def list_projects(transaction: Transaction, call: Call) -> dict[str, Any]:
    service = call.services.identity.projects
    where: list[ColumnElement[bool]] = [service.columns.deletion_begin.is_(None)]
    access, name = call.access, call.parameter("name")
    if name == call.services.region:
        # Huawei's SDK asks for the project of a region by the region's name: it is one's own
        access = access.with_reach(Reach.SELF)
    elif name is not None:
        where.append(service.columns.name == name)
    found = service.find(transaction, access, *where)
    ids = wire.uuids(transaction, PROJECT, found)
    return wire.listed(call, "projects", [wire.project(call, each, ids[each.id]) for each in found])


def show_project(transaction: Transaction, call: Call) -> dict[str, Any]:
    id = call.id_of(transaction, PROJECT, call.parts["id"], "Project")
    return _project(transaction, call, call.services.identity.projects.show(transaction, call.access, id))


def create_project(transaction: Transaction, call: Call) -> dict[str, Any]:
    body = call.under("project", ProjectBody)
    _check_domain(body.domain_id)
    new = _converted(_given(body, "name", "description"), ProjectCreate, "project")
    service = call.services.identity.projects
    made = service.create(transaction, call.access, new)
    if body.enabled is False:
        made = service.update(transaction, call.access, made.id, ProjectUpdate(enabled=False))
    return _project(transaction, call, made)


def update_project(transaction: Transaction, call: Call) -> dict[str, Any]:
    id = call.id_of(transaction, PROJECT, call.parts["id"], "Project")
    values = _given(call.under("project", ProjectBody), "name", "description", "enabled")
    changes = _converted(values, ProjectUpdate, "project")
    changed = call.services.identity.projects.update(transaction, call.access, id, changes)
    return _project(transaction, call, changed)


def delete_project(transaction: Transaction, call: Call) -> None:
    id = call.id_of(transaction, PROJECT, call.parts["id"], "Project")
    call.services.identity.projects.delete(transaction, call.access, id)


def _project(transaction: Transaction, call: Call, resource: Resource[Any, Any]) -> dict[str, Any]:
    return {"project": wire.project(call, resource, wire.uuid_of(transaction, PROJECT, resource.id))}


# -- users -------------------------------------------------------------------------------------------


def list_users(transaction: Transaction, call: Call) -> dict[str, Any]:
    service = call.services.identity.users
    where: list[ColumnElement[bool]] = [service.columns.deletion_begin.is_(None)]
    if (name := call.parameter("name")) is not None:
        where.append(service.columns.name == name)
    found = service.find(transaction, call.access, *where)
    ids = wire.uuids(transaction, USER, found)
    defaults = uuids_of(transaction, PROJECT, [each.spec.default_project_id for each in found])
    shown = [
        wire.user(call, each, ids[each.id], _hex(defaults.get(each.spec.default_project_id or 0)))
        for each in found
    ]
    return wire.listed(call, "users", shown)


def show_user(transaction: Transaction, call: Call) -> dict[str, Any]:
    id = call.id_of(transaction, USER, call.parts["id"], "User")
    return _user(transaction, call, call.services.identity.users.show(transaction, call.access, id))


def create_user(call: Call) -> dict[str, Any]:
    """A user; without a password, one that nobody knows."""
    body = call.under("user", UserBody)
    _check_domain(body.domain_id)
    service, database = call.services.identity.users, call.services.database
    values = _given(body, "name", "description", "email", "enabled")
    password = body.password if isinstance(body.password, str) else database.entropy.token()
    new = _converted({**values, "password": password}, UserCreate, "user")
    prepared = service.prepare_create(call.access, new)
    return database.write(lambda tx: _user(tx, call, service.create(tx, call.access, prepared)))


def update_user(call: Call) -> dict[str, Any]:
    service, database = call.services.identity.users, call.services.database
    id = database.read(lambda tx: call.id_of(tx, USER, call.parts["id"], "User"))
    body = call.under("user", UserBody)
    values = _given(body, "name", "description", "email", "enabled")
    if isinstance(body.password, str):
        values["password"] = body.password
    prepared = service.prepare_update(call.access, id, _converted(values, UserUpdate, "user"))
    return database.write(lambda tx: _user(tx, call, service.update(tx, call.access, id, prepared)))


def delete_user(transaction: Transaction, call: Call) -> None:
    id = call.id_of(transaction, USER, call.parts["id"], "User")
    call.services.identity.users.delete(transaction, call.access, id)


def change_password(call: Call) -> None:
    """One's own password, by whoever knows it. A wrong one counts as a failed login."""
    service, database = call.services.identity.users, call.services.database
    id = database.read(lambda tx: call.id_of(tx, USER, call.parts["id"], "User"))
    if id != call.access.user_id:
        raise not_found("User", call.parts["id"])
    body = call.under("user", PasswordBody)
    changes = UserUpdate(password=body.password, original_password=body.original_password)
    try:
        prepared = service.prepare_update(call.access, id, changes)
    except Unauthenticated:
        raise Fault(401, "The password is wrong.") from None
    database.write(lambda tx: service.update(tx, call.access, id, prepared))


def _user(transaction: Transaction, call: Call, resource: Resource[Any, Any]) -> dict[str, Any]:
    default = uuids_of(transaction, PROJECT, [resource.spec.default_project_id])
    uuid = wire.uuid_of(transaction, USER, resource.id)
    return {"user": wire.user(call, resource, uuid, _hex(next(iter(default.values()), None)))}


def _hex(uuid: str | None) -> str | None:
    return None if uuid is None else hex_id(uuid)


# -- roles and grants --------------------------------------------------------------------------------


def list_roles(transaction: Transaction, call: Call) -> dict[str, Any]:
    found = call.services.identity.roles.find(transaction, call.access)
    ids = wire.uuids(transaction, ROLE, found)
    shown = [wire.role(call, each.spec.name, ids[each.id], each.spec.description) for each in found]
    name = call.parameter("name")
    return wire.listed(call, "roles", [each for each in shown if name in (None, each["name"])])


def show_role(transaction: Transaction, call: Call) -> dict[str, Any]:
    id = call.id_of(transaction, ROLE, call.parts["id"], "Role")
    found = call.services.identity.roles.show(transaction, call.access, id)
    uuid = wire.uuid_of(transaction, ROLE, id)
    return {"role": wire.role(call, found.spec.name, uuid, found.spec.description)}


def _grant_of(transaction: Transaction, call: Call) -> tuple[int, int, int, Membership | None]:
    """The project, the user and the role of a path, and the membership that there is."""
    project_id = call.id_of(transaction, PROJECT, call.parts["id"], "Project")
    user_id = call.id_of(transaction, USER, call.parts["user"], "User")
    role_id = call.id_of(transaction, ROLE, call.parts["role"], "Role")
    call.services.identity.projects.show(transaction, call.access, project_id)
    found = memberships(transaction, user_id=user_id, project_id=project_id).items
    return project_id, user_id, role_id, found[0] if found else None


def grant(transaction: Transaction, call: Call) -> None:
    """Give a role in a project. A user has one there, the widest that was given: it implies the others."""
    project_id, user_id, role_id, membership = _grant_of(transaction, call)
    role = Store(ROLE).get(transaction, role_id, labels=False)
    if role is not None and membership is not None and role.spec.name in wire.implied([membership.role_name]):
        return
    call.services.identity.projects.add_user(
        transaction, call.access, project_id, AddUser(user_id=user_id, role_id=role_id)
    )


def check_grant(transaction: Transaction, call: Call) -> None:
    _, _, role_id, membership = _grant_of(transaction, call)
    role = Store(ROLE).get(transaction, role_id, labels=False)
    if role is None or membership is None or role.spec.name not in wire.implied([membership.role_name]):
        raise not_found("Role assignment", call.parts["role"])


def revoke(transaction: Transaction, call: Call) -> None:
    project_id, user_id, role_id, membership = _grant_of(transaction, call)
    if membership is None or membership.role_id != role_id:
        raise not_found("Role assignment", call.parts["role"])
    call.services.identity.projects.remove_user(
        transaction, call.access, project_id, RemoveUser(user_id=user_id)
    )


def list_grants(transaction: Transaction, call: Call) -> dict[str, Any]:
    project_id = call.id_of(transaction, PROJECT, call.parts["id"], "Project")
    user_id = call.id_of(transaction, USER, call.parts["user"], "User")
    call.services.identity.projects.show(transaction, call.access, project_id)
    found = memberships(transaction, user_id=user_id, project_id=project_id).items
    ids = uuids_of(transaction, ROLE, [each.role_id for each in found])
    shown = [wire.role(call, each.role_name, hex_id(ids[each.role_id])) for each in found]
    return wire.listed(call, "roles", shown)


def assignments(transaction: Transaction, call: Call) -> dict[str, Any]:
    """Who has which role where, filtered by `user.id`, `scope.project.id` and `role.id`."""
    found = memberships(transaction).items
    roles = uuids_of(transaction, ROLE, [each.role_id for each in found])
    users = uuids_of(transaction, USER, [each.user_id for each in found])
    projects = uuids_of(transaction, PROJECT, [each.project_id for each in found])
    filters = (
        ("user.id", users, "user_id"),
        ("scope.project.id", projects, "project_id"),
        ("role.id", roles, "role_id"),
    )
    for name, uuids, attribute in filters:
        if (wanted := call.parameter(name)) is not None:
            uuid = canonical_uuid(wanted)
            found = [each for each in found if uuids[getattr(each, attribute)] == uuid]
    shown = [
        {
            "role": {"id": hex_id(roles[each.role_id])},
            "user": {"id": hex_id(users[each.user_id])},
            "scope": {"project": {"id": hex_id(projects[each.project_id])}},
            "links": {"assignment": f"{call.base}/identity/v3/projects/{hex_id(projects[each.project_id])}"},
        }
        for each in found
    ]
    return wire.listed(call, "role_assignments", shown)


# -- what the catalogue is made of -------------------------------------------------------------------


def services(transaction: Transaction, call: Call) -> dict[str, Any]:
    wanted_name, wanted_type = call.parameter("name"), call.parameter("type")
    shown = [
        {"id": wire.stable_id(call, type_), "type": type_, "name": name, "enabled": True, "description": ""}
        for type_, name, _ in wire.SERVICES
        if wanted_name in (None, name) and wanted_type in (None, type_)
    ]
    return wire.listed(call, "services", shown)


def endpoints(transaction: Transaction, call: Call) -> dict[str, Any]:
    shown = [
        {
            **wire.endpoint(call, type_, path, interface),
            "service_id": wire.stable_id(call, type_),
            "enabled": True,
        }
        for type_, _, path in wire.SERVICES
        for interface in wire.INTERFACES
    ]
    service, interface = call.parameter("service_id"), call.parameter("interface")
    shown = [each for each in shown if service in (None, each["service_id"])]
    return wire.listed(call, "endpoints", [e for e in shown if interface in (None, e["interface"])])


def regions(transaction: Transaction, call: Call) -> dict[str, Any]:
    region = {"id": call.services.region, "description": "", "parent_region_id": None}
    return wire.listed(call, "regions", [region])


_K = Dialect.KEYSTONE
_V3 = "/identity/v3"
_GRANT = f"{_V3}/projects/{{id}}/users/{{user}}/roles"


def _row(
    method: str, path: str, run: Any, kind: str, verb: str, status: int = 200, mode: Mode = Mode.WRITE
) -> Endpoint:
    mode = Mode.READ if method in ("GET", "HEAD") else mode
    return Endpoint(
        method=method,
        path=path,
        run=run,
        kind=kind,
        verb=verb,
        status=status,
        mode=mode,
        dialect=_K,
        profile=ROLE.profile if kind == "role" else None,
        conflict=409,
    )


ENDPOINTS: Final = (
    _row("GET", f"{_V3}/projects", list_projects, "project", "list"),
    _row("POST", f"{_V3}/projects", create_project, "project", "create", 201),
    _row("GET", f"{_V3}/projects/{{id}}", show_project, "project", "show"),
    _row("PATCH", f"{_V3}/projects/{{id}}", update_project, "project", "update"),
    _row("DELETE", f"{_V3}/projects/{{id}}", delete_project, "project", "delete", 204),
    _row("GET", f"{_V3}/users", list_users, "user", "list"),
    _row("POST", f"{_V3}/users", create_user, "user", "create", 201, Mode.THREAD),
    _row("GET", f"{_V3}/users/{{id}}", show_user, "user", "show"),
    _row("PATCH", f"{_V3}/users/{{id}}", update_user, "user", "update", 200, Mode.THREAD),
    _row("DELETE", f"{_V3}/users/{{id}}", delete_user, "user", "delete", 204),
    _row("POST", f"{_V3}/users/{{id}}/password", change_password, "user", "update", 204, Mode.THREAD),
    _row("GET", f"{_V3}/roles", list_roles, "role", "list"),
    _row("GET", f"{_V3}/roles/{{id}}", show_role, "role", "show"),
    _row("GET", _GRANT, list_grants, "project", "list-users"),
    _row("PUT", f"{_GRANT}/{{role}}", grant, "project", "add-user", 204),
    _row("GET", f"{_GRANT}/{{role}}", check_grant, "project", "list-users", 204),
    _row("HEAD", f"{_GRANT}/{{role}}", check_grant, "project", "list-users", 204),
    _row("DELETE", f"{_GRANT}/{{role}}", revoke, "project", "remove-user", 204),
    _row("GET", f"{_V3}/role_assignments", assignments, "user", "create"),
    _row("GET", f"{_V3}/services", services, "token", "show"),
    _row("GET", f"{_V3}/endpoints", endpoints, "token", "show"),
    _row("GET", f"{_V3}/regions", regions, "token", "show"),
)
