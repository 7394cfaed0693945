"""Application credentials of Identity v3, and the access keys of Huawei's IAM (`OS-CREDENTIAL`)."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

import msgspec

from stratal.faces.evs.call import Call, Dialect, Endpoint, Mode, hex_id
from stratal.faces.evs.faults import bad_request, not_found
from stratal.faces.evs.identity import wire
from stratal.identity.access_key.service import AccessKey
from stratal.identity.application_credential.service import ApplicationCredential, NewApplicationCredential
from stratal.identity.project.model import PROJECT
from stratal.identity.user.model import USER
from stratal.kernel.fields import Name
from stratal.kernel.transaction import Transaction
from stratal.kernel.uuids import uuids_of

Description = Annotated[str, msgspec.Meta(max_length=255, pattern=r"^[^\x00]*$(?!\n)")]


class ApplicationCredentialBody(msgspec.Struct, kw_only=True):
    name: Name
    description: Description | None = None
    secret: Annotated[str, msgspec.Meta(min_length=8, max_length=255)] | None = None
    expires_at: str | None = None
    unrestricted: bool = False
    roles: list[dict[str, Any]] | None = None
    access_rules: list[Any] | None = None


class AccessKeyBody(msgspec.Struct, kw_only=True):
    user_id: str
    description: Description = ""


class AccessKeyChange(msgspec.Struct, kw_only=True):
    status: Literal["active", "inactive"] | None = None
    description: Description | None = None


# -- application credentials -------------------------------------------------------------------------


def _own(transaction: Transaction, call: Call) -> None:
    """Everybody has their own, and no look at others'."""
    if call.id_of(transaction, USER, call.parts["user"], "User") != call.access.user_id:
        raise not_found("User", call.parts["user"])


def create(call: Call) -> dict[str, Any]:
    database, service = call.services.database, call.services.identity.application_credentials
    database.read(lambda tx: _own(tx, call))
    body = call.under("application_credential", ApplicationCredentialBody)
    if body.access_rules:
        raise bad_request("Access rules are not served here.")
    if body.roles is not None:
        _check_roles(call, body.roles)
    secret = body.secret or database.entropy.token() + database.entropy.token()
    new = NewApplicationCredential(
        name=body.name,
        description=body.description or "",
        verifier=service.verifier_of(secret),
        unrestricted=body.unrestricted,
        expires_at=None if body.expires_at is None else _time(body.expires_at),
    )

    def write(transaction: Transaction) -> dict[str, Any]:
        made = service.create(transaction, call.access, new)
        shown = _credential(transaction, call, made)
        return {"application_credential": {**shown, "secret": secret}}

    return database.write(write)


def list_all(transaction: Transaction, call: Call) -> dict[str, Any]:
    _own(transaction, call)
    name = call.parameter("name")
    found = call.services.identity.application_credentials.list(transaction, call.access)
    shown = [_credential(transaction, call, each) for each in found if name in (None, each.name)]
    return wire.listed(call, "application_credentials", shown)


def show(transaction: Transaction, call: Call) -> dict[str, Any]:
    _own(transaction, call)
    service = call.services.identity.application_credentials
    found = service.show(transaction, call.access, call.parts["id"])
    return {"application_credential": _credential(transaction, call, found)}


def delete(transaction: Transaction, call: Call) -> None:
    _own(transaction, call)
    call.services.identity.application_credentials.delete(transaction, call.access, call.parts["id"])


def _check_roles(call: Call, roles: list[dict[str, Any]]) -> None:
    """A credential has all that its user may do in the project; a part of it cannot be had."""
    named = {str(role.get("name")) for role in roles if "name" in role}
    mine = {wire.ROLE_NAMES.get(name, name) for name in call.access.roles}
    if len(named) != len(roles) or not mine <= named:
        raise bad_request(
            "A credential with a part of the user's roles cannot be had here: name all or none."
        )


def _time(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise bad_request("expires_at must be a time such as 2026-12-31T23:59:59.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _credential(transaction: Transaction, call: Call, found: ApplicationCredential) -> dict[str, Any]:
    user = wire.uuid_of(transaction, USER, found.user_id)
    return {
        "id": found.uuid,
        "name": found.name,
        "description": found.description or None,
        "project_id": wire.uuid_of(transaction, PROJECT, found.project_id),
        "user_id": user,
        "roles": [],
        "expires_at": wire.time(found.expires_at),
        "unrestricted": found.unrestricted,
        "system": None,
        "links": wire.links(call, f"users/{user}/application_credentials/{found.uuid}"),
    }


# -- access keys -------------------------------------------------------------------------------------


def create_key(transaction: Transaction, call: Call) -> dict[str, Any]:
    """A new key. This is the only answer that has its secret."""
    body = call.under("credential", AccessKeyBody)
    user_id = call.id_of(transaction, USER, body.user_id, "User")
    made, secret = call.services.identity.access_keys.create(
        transaction, call.access, user_id, body.description
    )
    return {"credential": {**_key(made, body.user_id), "secret": secret}}


def list_keys(transaction: Transaction, call: Call) -> dict[str, Any]:
    wanted = call.parameter("user_id")
    user_id = None if wanted is None else call.id_of(transaction, USER, wanted, "User")
    found = call.services.identity.access_keys.list(transaction, call.access, user_id)
    users = uuids_of(transaction, USER, [each.user_id for each in found])
    return {"credentials": [_key(each, hex_id(users[each.user_id])) for each in found]}


def show_key(transaction: Transaction, call: Call) -> dict[str, Any]:
    found = call.services.identity.access_keys.show(transaction, call.access, call.parts["id"])
    return {"credential": _key(found, wire.uuid_of(transaction, USER, found.user_id))}


def update_key(transaction: Transaction, call: Call) -> dict[str, Any]:
    body = call.under("credential", AccessKeyChange)
    changed = call.services.identity.access_keys.update(
        transaction,
        call.access,
        call.parts["id"],
        description=body.description,
        enabled=None if body.status is None else body.status == "active",
    )
    return {"credential": _key(changed, wire.uuid_of(transaction, USER, changed.user_id))}


def delete_key(transaction: Transaction, call: Call) -> None:
    call.services.identity.access_keys.delete(transaction, call.access, call.parts["id"])


def _key(key: AccessKey, user: str) -> dict[str, Any]:
    return {
        "access": key.access,
        "user_id": user,
        "description": key.description,
        "status": "active" if key.enabled else "inactive",
        "create_time": wire.time(key.created_at),
    }


_OWN = "/identity/v3/users/{user}/application_credentials"
_KEYS = "/identity/v3.0/OS-CREDENTIAL/credentials"


def _row(method: str, path: str, run: Any, kind: str, verb: str, status: int, mode: Mode) -> Endpoint:
    return Endpoint(
        method=method,
        path=path,
        run=run,
        kind=kind,
        verb=verb,
        status=status,
        mode=mode,
        dialect=Dialect.KEYSTONE,
        conflict=409,
    )


_APPLICATION, _ACCESS = "application_credential", "access_key"
ENDPOINTS: Final = (
    _row("POST", _OWN, create, _APPLICATION, "create", 201, Mode.THREAD),
    _row("GET", _OWN, list_all, _APPLICATION, "list", 200, Mode.READ),
    _row("GET", f"{_OWN}/{{id}}", show, _APPLICATION, "show", 200, Mode.READ),
    _row("DELETE", f"{_OWN}/{{id}}", delete, _APPLICATION, "delete", 204, Mode.WRITE),
    _row("POST", _KEYS, create_key, _ACCESS, "create", 201, Mode.WRITE),
    _row("GET", _KEYS, list_keys, _ACCESS, "list", 200, Mode.READ),
    _row("GET", f"{_KEYS}/{{id}}", show_key, _ACCESS, "show", 200, Mode.READ),
    _row("PUT", f"{_KEYS}/{{id}}", update_key, _ACCESS, "update", 200, Mode.WRITE),
    _row("DELETE", f"{_KEYS}/{{id}}", delete_key, _ACCESS, "delete", 204, Mode.WRITE),
)
