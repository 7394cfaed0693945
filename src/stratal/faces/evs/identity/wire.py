"""The shapes of Identity's answers. Called by the endpoints of this package."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from stratal.faces.evs.call import Call, hex_id
from stratal.identity.project.model import PROJECT
from stratal.identity.role.model import ROLE
from stratal.identity.token.model import TokenDetail
from stratal.identity.user.model import USER
from stratal.kernel.kind import AnyKind
from stratal.kernel.store import Resource, Store
from stratal.kernel.transaction import Transaction
from stratal.kernel.uuids import uuids_of

DOMAIN: Final = {"id": "default", "name": "Default"}
"""The one domain: names of users and projects are unique in an installation."""

ROLE_NAMES: Final = {
    "system_admin": "admin",
    "project_admin": "manager",
    "project_member": "member",
    "observer": "reader",
}
"""Roles of Stratal by the names that OpenStack's clients know; others keep their own."""

_IMPLIED: Final = {
    "system_admin": ("project_admin", "project_member", "observer"),
    "project_admin": ("project_member", "observer"),
    "project_member": ("observer",),
}
SERVICES: Final = (
    ("identity", "keystone", "/identity/v3"),
    ("block-storage", "cinder", "/v3"),
    ("volumev3", "cinderv3", "/v3"),
    ("image", "glance", "/image"),
)
INTERFACES: Final = ("public", "internal", "admin")


def time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%S.000000Z")


def links(call: Call, path: str) -> dict[str, Any]:
    return {"self": f"{call.base}/identity/v3/{path}"}


def listed(call: Call, name: str, items: Sequence[Any]) -> dict[str, Any]:
    """A list of Identity, which is never long enough to need pages."""
    self_link = f"{call.base}{call.path}"
    return {name: items, "links": {"next": None, "previous": None, "self": self_link}}


def stable_id(call: Call, *parts: str) -> str:
    """An id for what has no row, the same in every answer."""
    return uuid5(NAMESPACE_URL, "/".join(("stratal", call.services.region, *parts))).hex


def uuid_of(transaction: Transaction, kind: AnyKind, id: int) -> str:
    return hex_id(uuids_of(transaction, kind, [id])[id])


def uuids(transaction: Transaction, kind: AnyKind, resources: Iterable[Resource[Any, Any]]) -> dict[int, str]:
    found = uuids_of(transaction, kind, [resource.id for resource in resources])
    return {id: hex_id(uuid) for id, uuid in found.items()}


def project(call: Call, resource: Resource[Any, Any], uuid: str) -> dict[str, Any]:
    return {
        "id": uuid,
        "name": resource.spec.name,
        "description": resource.spec.description,
        "domain_id": DOMAIN["id"],
        "enabled": resource.spec.enabled,
        "parent_id": DOMAIN["id"],
        "is_domain": False,
        "tags": [],
        "options": {},
        "links": links(call, f"projects/{uuid}"),
    }


def user(call: Call, resource: Resource[Any, Any], uuid: str, default_project: str | None) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": uuid,
        "name": resource.spec.name,
        "domain_id": DOMAIN["id"],
        "enabled": resource.spec.enabled,
        "password_expires_at": None,
        "options": {},
        "links": links(call, f"users/{uuid}"),
    }
    if resource.spec.description:
        shown["description"] = resource.spec.description
    if resource.spec.email:
        shown["email"] = resource.spec.email
    if default_project is not None:
        shown["default_project_id"] = default_project
    return shown


def role(call: Call, name: str, uuid: str, description: str | None = None) -> dict[str, Any]:
    return {
        "id": uuid,
        "name": ROLE_NAMES.get(name, name),
        "domain_id": None,
        "description": description,
        "options": {"immutable": True},
        "links": links(call, f"roles/{uuid}"),
    }


def implied(names: Iterable[str]) -> list[str]:
    """Roles, and those that they imply, in a stable order."""
    found: dict[str, None] = {}
    for name in names:
        for each in (name, *_IMPLIED.get(name, ())):
            found[each] = None
    return list(found)


def catalogue(call: Call) -> list[dict[str, Any]]:
    """Where each service is."""
    return [
        {
            "id": stable_id(call, type_),
            "type": type_,
            "name": name,
            "endpoints": [endpoint(call, type_, path, interface) for interface in INTERFACES],
        }
        for type_, name, path in SERVICES
    ]


def endpoint(call: Call, type_: str, path: str, interface: str) -> dict[str, Any]:
    region = call.services.region
    return {
        "id": stable_id(call, type_, interface),
        "interface": interface,
        "region": region,
        "region_id": region,
        "url": f"{call.base}{path}",
    }


def token(
    transaction: Transaction, call: Call, detail: TokenDetail, methods: Sequence[str]
) -> dict[str, Any]:
    """A token as it is described, with the catalogue."""
    shown: dict[str, Any] = {
        "methods": list(methods),
        "user": {
            "id": uuid_of(transaction, USER, detail.user_id),
            "name": detail.user_name,
            "domain": DOMAIN,
            "password_expires_at": None,
        },
        "audit_ids": [stable_id(call, "audit", str(detail.user_id), detail.issued.isoformat())[:22]],
        "issued_at": time(detail.issued),
        "expires_at": time(detail.expires),
    }
    if detail.project_id is not None:
        found = Store(PROJECT).get(transaction, detail.project_id, labels=False)
        if found is not None:
            uuid = uuid_of(transaction, PROJECT, found.id)
            shown["project"] = {"id": uuid, "name": found.spec.name, "domain": DOMAIN}
            shown["is_domain"] = False
    elif detail.roles:
        shown["system"] = {"all": True}
    if detail.roles:
        columns = ROLE.tables.spec.c
        rows = Store(ROLE).find(transaction, columns.name.in_(implied(detail.roles)), labels=False)
        ids = uuids(transaction, ROLE, rows)
        shown["roles"] = [
            {"id": ids[row.id], "name": ROLE_NAMES.get(row.spec.name, row.spec.name)} for row in rows
        ]
        shown["catalog"] = catalogue(call)
    return {"token": shown}
