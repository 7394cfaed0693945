"""Logging in, and what there is to say of a token: discovery, `auth/*`."""

from typing import Any, Final

import msgspec

from stratal.faces.evs.authentication import unauthenticated
from stratal.faces.evs.call import Call, Dialect, Endpoint, Mode, Reply, decoded
from stratal.faces.evs.faults import Fault, bad_request
from stratal.faces.evs.identity import wire
from stratal.identity.application_credential.service import ApplicationCredential
from stratal.identity.project.model import PROJECT
from stratal.identity.token.model import Login, TokenDetail
from stratal.identity.user.model import USER
from stratal.kernel.errors import Invalid, Unauthenticated
from stratal.kernel.store import Store
from stratal.kernel.transaction import Transaction
from stratal.kernel.uuids import id_of_uuid

_DOMAIN_SCOPES: Final = frozenset({"system", "domain"})


class DomainRef(msgspec.Struct, kw_only=True):
    id: str | None = None
    name: str | None = None

    def check(self) -> None:
        """Raises the 401 of a login when this is not the one domain."""
        if self.id not in (None, wire.DOMAIN["id"]) or self.name not in (None, wire.DOMAIN["name"]):
            raise unauthenticated()


class UserRef(msgspec.Struct, kw_only=True):
    id: str | None = None
    name: str | None = None
    domain: DomainRef | None = None
    password: str | None = None


class PasswordMethod(msgspec.Struct, kw_only=True):
    user: UserRef


class TokenMethod(msgspec.Struct, kw_only=True):
    id: str


class ApplicationCredentialMethod(msgspec.Struct, kw_only=True):
    secret: str
    id: str | None = None
    name: str | None = None
    user: UserRef | None = None


class IdentityPart(msgspec.Struct, kw_only=True):
    methods: list[str]
    password: PasswordMethod | None = None
    token: TokenMethod | None = None
    application_credential: ApplicationCredentialMethod | None = None


class ProjectRef(msgspec.Struct, kw_only=True):
    id: str | None = None
    name: str | None = None
    domain: DomainRef | None = None


class Auth(msgspec.Struct, kw_only=True):
    identity: IdentityPart
    scope: Any = None


def _version(call: Call) -> dict[str, Any]:
    return {
        "id": "v3.14",
        "status": "stable",
        "updated": "2020-04-07T00:00:00Z",
        "links": [{"rel": "self", "href": f"{call.base}/identity/v3/"}],
        "media-types": [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}],
    }


def versions(transaction: Transaction, call: Call) -> Reply:
    return Reply(body={"versions": {"values": [_version(call)]}}, status=300)


def version(transaction: Transaction, call: Call) -> dict[str, Any]:
    return {"version": _version(call)}


# -- logging in --------------------------------------------------------------------------------------


def log_in(call: Call) -> Reply:
    """A token for whoever shows who they are. The refusal says nothing about the reason."""
    auth = call.under("auth", Auth)
    scope = _Scope(call, auth.scope)
    methods = auth.identity.methods
    try:
        match methods:
            case ["password"]:
                token = _by_password(call, auth, scope)
            case ["token"]:
                token = _by_token(call, auth, scope)
            case ["application_credential"]:
                token = _by_credential(call, auth, scope)
            case _:
                raise Fault(401, "The method of authentication is not served here.")
    except (Unauthenticated, Invalid):
        raise unauthenticated() from None
    service = call.services.identity.tokens

    def describe(transaction: Transaction) -> dict[str, Any]:
        who = call.access
        _, must_change = service.authenticate(
            transaction, token, client_ip=who.client_ip, request_id=who.request_id
        )
        if must_change:
            raise Fault(401, "The password is expired and needs to be changed for this user.")
        return wire.token(transaction, call, service.describe(transaction, token), methods)

    body = call.services.database.read(describe)
    return Reply(body=body, headers={"x-subject-token": token, "vary": "X-Auth-Token"})


class _Scope:
    """What a token is to be for. `project_id` of None and not `default`: for no project."""

    def __init__(self, call: Call, scope: Any) -> None:
        self.default = scope is None
        self.project_id: int | None = None
        if isinstance(scope, dict) and "project" in scope:
            project = decoded(scope["project"], ProjectRef, "project")  # pyright: ignore[reportUnknownArgumentType]
            self.project_id = call.services.database.read(lambda tx: _project_id(tx, project))
        elif not (
            scope is None
            or scope == "unscoped"
            or (isinstance(scope, dict) and _DOMAIN_SCOPES & scope.keys())  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
        ):
            raise bad_request("The scope is none that is served here.")


def _project_id(transaction: Transaction, project: ProjectRef) -> int:
    if project.domain is not None:
        project.domain.check()
    if project.id is not None:
        id = id_of_uuid(transaction, PROJECT, project.id)
    else:
        columns = PROJECT.tables.spec.c
        found = Store(PROJECT).find(
            transaction, columns.name == project.name, columns.deletion_begin.is_(None), labels=False
        )
        id = found[0].id if found else None
    if id is None:
        raise unauthenticated()
    return id


def _by_password(call: Call, auth: Auth, scope: _Scope) -> str:
    method = auth.identity.password
    if method is None or method.user.password is None:
        raise bad_request("The password method needs a user with a password.")
    tokens, database = call.services.identity.tokens, call.services.database
    name = database.read(lambda tx: _user_name(tx, method.user))
    wanted = msgspec.UNSET if scope.project_id is None else scope.project_id
    session = tokens.log_in(call.access, Login(name=name, password=method.user.password, project_id=wanted))
    if scope.default or scope.project_id is not None or session.project_id is None:
        return session.uuid

    def without_project(transaction: Transaction) -> str:
        tokens.log_out(transaction, call.access, session.uuid)
        return tokens.issue(transaction, session.user_id, None).uuid

    return database.write(without_project)


def _user_name(transaction: Transaction, user: UserRef) -> str:
    """The name of the user that a login is about; of an unknown id one that nobody has."""
    if user.domain is not None:
        user.domain.check()
    if user.id is None:
        return user.name or ""
    id = id_of_uuid(transaction, USER, user.id)
    found = None if id is None else Store(USER).get(transaction, id, labels=False)
    return "" if found is None else found.spec.name


def _by_token(call: Call, auth: Auth, scope: _Scope) -> str:
    method = auth.identity.token
    if method is None:
        raise bad_request("The token method needs a token.")
    tokens = call.services.identity.tokens

    def exchange(transaction: Transaction) -> str:
        old = tokens.describe(transaction, method.id)
        project_id = old.project_id if scope.default else scope.project_id
        # a chain of exchanges ends when its first token does
        return tokens.issue(transaction, old.user_id, project_id, until=old.expires).uuid

    return call.services.database.write(exchange)


def _by_credential(call: Call, auth: Auth, scope: _Scope) -> str:
    method = auth.identity.application_credential
    if method is None:
        raise bad_request("The application credential method needs one.")
    if not scope.default:
        raise unauthenticated()
    identity, database = call.services.identity, call.services.database
    owner = None
    if method.id is None and method.user is not None:
        owner = database.read(lambda tx: _user_id(tx, method.user or UserRef()))
    found: ApplicationCredential = identity.application_credentials.verified(
        method.secret, uuid=method.id, user=owner, name=method.name
    )
    return database.write(
        lambda tx: identity.tokens.issue(tx, found.user_id, found.project_id, until=found.expires_at).uuid
    )


def _user_id(transaction: Transaction, user: UserRef) -> int | None:
    if user.domain is not None:
        user.domain.check()
    if user.id is not None:
        return id_of_uuid(transaction, USER, user.id)
    columns = USER.tables.spec.c
    found = Store(USER).find(
        transaction, columns.name == user.name, columns.deletion_begin.is_(None), labels=False
    )
    return found[0].id if found else None


# -- tokens that are there ---------------------------------------------------------------------------


def _subject(transaction: Transaction, call: Call) -> tuple[str, TokenDetail]:
    """The token that is asked about. One's own, or for administrators anybody's."""
    subject = call.headers.get("x-subject-token", "")
    if not subject:
        raise bad_request("X-Subject-Token is needed.")
    try:
        detail = call.services.identity.tokens.describe(transaction, subject)
    except Unauthenticated:
        raise Fault(404, "Could not find the token.") from None
    if detail.user_id != call.access.user_id and "system_admin" not in call.access.roles:
        raise Fault(404, "Could not find the token.")
    return subject, detail


def show(transaction: Transaction, call: Call) -> Reply:
    subject, detail = _subject(transaction, call)
    body = wire.token(transaction, call, detail, ["password"])
    return Reply(body=body, headers={"x-subject-token": subject, "vary": "X-Auth-Token"})


def revoke(transaction: Transaction, call: Call) -> None:
    subject, _ = _subject(transaction, call)
    call.services.identity.tokens.log_out(transaction, call.access, subject)


def catalogue(transaction: Transaction, call: Call) -> dict[str, Any]:
    return {"catalog": wire.catalogue(call), "links": wire.links(call, "auth/catalog")}


def projects(transaction: Transaction, call: Call) -> dict[str, Any]:
    """The projects that the caller can get a token for."""
    service = call.services.identity.projects
    found = service.find(transaction, call.access, service.columns.enabled.is_(True))
    ids = wire.uuids(transaction, PROJECT, found)
    return wire.listed(call, "projects", [wire.project(call, each, ids[each.id]) for each in found])


def domain(call: Call) -> dict[str, Any]:
    return {
        **wire.DOMAIN,
        "description": "The one domain",
        "enabled": True,
        "tags": [],
        "options": {},
        "links": wire.links(call, "domains/default"),
    }


def domains(transaction: Transaction, call: Call) -> dict[str, Any]:
    name = call.parameter("name")
    shown = [domain(call)] if name in (None, wire.DOMAIN["name"]) else []
    return wire.listed(call, "domains", shown)


def show_domain(transaction: Transaction, call: Call) -> dict[str, Any]:
    if call.parts["id"] != wire.DOMAIN["id"]:
        raise Fault(404, f"Could not find domain: {call.parts['id']:.64}.")
    return {"domain": domain(call)}


def system(transaction: Transaction, call: Call) -> dict[str, Any]:
    shown = [{"all": True}] if "system_admin" in call.access.roles else []
    return wire.listed(call, "system", shown)


_K = Dialect.KEYSTONE
ENDPOINTS: Final = (
    *(
        Endpoint(method="GET", path=path, run=run, kind="identity", verb="show", dialect=_K, public=True)
        for path, run in (("/identity", versions), ("/identity/v3", version))
    ),
    Endpoint(
        method="POST",
        path="/identity/v3/auth/tokens",
        run=log_in,
        kind="token",
        verb="login",
        status=201,
        mode=Mode.THREAD,
        dialect=_K,
        public=True,
    ),
    *(
        Endpoint(
            method=method, path="/identity/v3/auth/tokens", run=show, kind="token", verb="show", dialect=_K
        )
        for method in ("GET", "HEAD")
    ),
    Endpoint(
        method="DELETE",
        path="/identity/v3/auth/tokens",
        run=revoke,
        kind="token",
        verb="revoke",
        status=204,
        mode=Mode.WRITE,
        dialect=_K,
    ),
    *(
        Endpoint(method="GET", path=f"/identity/v3/{path}", run=run, kind=kind, verb=verb, dialect=_K)
        for path, run, kind, verb in (
            ("auth/catalog", catalogue, "token", "show"),
            ("auth/projects", projects, "project", "list"),
            ("auth/domains", domains, "token", "show"),
            ("auth/system", system, "token", "show"),
            ("domains", domains, "token", "show"),
            ("domains/{id}", show_domain, "token", "show"),
        )
    ),
)
