"""Who may do what: a table of kind × verb × role → reach, and nothing else decides.

Called by faces before a service, and by services that need to know about another kind. A verb is `list`,
`show`, `create`, `update`, `delete` or the verb of an action. Kinds that the table does not name go by
their profile, so a new kind needs no entry here.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from stratal.kernel.access import Access, Reach
from stratal.kernel.errors import Forbidden
from stratal.kernel.kind import Profile


class RoleName(StrEnum):
    """The seeded roles. The first three are held by a user as such, the others in a project."""

    SYSTEM_ADMIN = "system_admin"
    SECURITY_ADMIN = "security_admin"
    AUDITOR = "auditor"
    PROJECT_ADMIN = "project_admin"
    PROJECT_MEMBER = "project_member"
    OBSERVER = "observer"


class PasswordChangeRequired(Forbidden):
    """The user may do next to nothing before they have changed the password that somebody else chose."""

    code = "password_change_required"
    template = "your password must be changed first"
    remedy = "Update your own user with the original and a new password."


ANYBODY = "anybody"
"""Not a role that is granted: what every user with a valid token may do."""

CLUSTER_ROLES = (RoleName.SYSTEM_ADMIN, RoleName.SECURITY_ADMIN, RoleName.AUDITOR)
PROJECT_ROLES = (RoleName.PROJECT_ADMIN, RoleName.PROJECT_MEMBER, RoleName.OBSERVER)

Grants = Mapping[str, Reach]
Verbs = Mapping[str, Grants]

OTHER = "*"
"""Every verb of a kind or profile that has no entry of its own."""

_ADMIN: Grants = {RoleName.SYSTEM_ADMIN: Reach.ALL}
_SECURITY: Grants = {**_ADMIN, RoleName.SECURITY_ADMIN: Reach.ALL}
_WATCH: Grants = {**_SECURITY, RoleName.AUDITOR: Reach.ALL}
_EVERYBODY: Grants = {**_WATCH, ANYBODY: Reach.ALL}
_TENANT_READ: Grants = {
    RoleName.SYSTEM_ADMIN: Reach.ALL,
    RoleName.AUDITOR: Reach.ALL,
    RoleName.PROJECT_ADMIN: Reach.PROJECT,
    RoleName.PROJECT_MEMBER: Reach.PROJECT,
    RoleName.OBSERVER: Reach.PROJECT,
}
_TENANT_WRITE: Grants = {
    RoleName.SYSTEM_ADMIN: Reach.ALL,
    RoleName.PROJECT_ADMIN: Reach.PROJECT,
    RoleName.PROJECT_MEMBER: Reach.PROJECT,
}
_MEMBERS_READ: Grants = {
    **_WATCH,
    RoleName.PROJECT_ADMIN: Reach.PROJECT,
    RoleName.PROJECT_MEMBER: Reach.PROJECT,
    RoleName.OBSERVER: Reach.PROJECT,
}
_MEMBERS_WRITE: Grants = {**_SECURITY, RoleName.PROJECT_ADMIN: Reach.PROJECT}
_OWN: Grants = {ANYBODY: Reach.SELF}

PROFILES: Mapping[Profile, Verbs] = MappingProxyType(
    {
        Profile.INFRASTRUCTURE: {"list": _WATCH, "show": _WATCH, OTHER: _ADMIN},
        Profile.CATALOGUE: {"list": _EVERYBODY, "show": _EVERYBODY, OTHER: _ADMIN},
        Profile.TENANT: {"list": _TENANT_READ, "show": _TENANT_READ, OTHER: _TENANT_WRITE},
    }
)

KINDS: Mapping[str, Verbs] = MappingProxyType(
    {
        "user": {
            "list": {**_WATCH, RoleName.PROJECT_ADMIN: Reach.PROJECT, **_OWN},
            "show": {**_WATCH, RoleName.PROJECT_ADMIN: Reach.PROJECT, **_OWN},
            "create": _SECURITY,
            "update": {**_SECURITY, **_OWN},
            "delete": _SECURITY,
            "allow-login": _SECURITY,
            "verify-password": _OWN,
            "set-default-project": {**_SECURITY, **_OWN},
            "show-ui-profile": {**_ADMIN, **_OWN},
            "update-ui-profile": {**_ADMIN, **_OWN},
            "list-projects": {**_WATCH, **_OWN},
            "set-role": _MEMBERS_WRITE,
        },
        "project": {
            "list": {**_WATCH, **_OWN},
            "show": {**_WATCH, **_OWN},
            "create": _ADMIN,
            "update": _ADMIN,
            "delete": _ADMIN,
            "add-user": _SECURITY,
            "remove-user": _MEMBERS_WRITE,
            "list-users": _MEMBERS_READ,
        },
        "token": {"logout": _OWN, "reauth-in-project": _OWN, "show": {**_WATCH, **_OWN}, "revoke": _OWN},
        "access_key": {
            "list": {**_WATCH, **_OWN},
            "show": {**_WATCH, **_OWN},
            "create": {**_SECURITY, **_OWN},
            "update": {**_SECURITY, **_OWN},
            "delete": {**_SECURITY, **_OWN},
        },
        "application_credential": {"list": _OWN, "show": _OWN, "create": _OWN, "delete": _OWN},
        "virtual_machine": {
            "list": _TENANT_READ,
            "show": _TENANT_READ,
            **dict.fromkeys(("create", "update", "delete", "clone", "flatten", "rollback"), _TENANT_WRITE),
            **dict.fromkeys(("start", "stop", "reboot", "verify-gpasswd"), _TENANT_WRITE),
            # nodes are the installation's affair
            "migrate": _ADMIN,
            "failure-migrate": _ADMIN,
        },
        "event": {
            "list": _TENANT_READ,
            "show": _TENANT_READ,
        },
        "audit_log": {
            "list": {**_WATCH, RoleName.PROJECT_ADMIN: Reach.PROJECT},
            "show": {**_WATCH, RoleName.PROJECT_ADMIN: Reach.PROJECT},
        },
        "settings": {"show": _WATCH, "update": _ADMIN},
        "version": {"show": _EVERYBODY},
        "license_summary": {"show": _EVERYBODY},
    }
)


def grants(kind: str, verb: str, profile: Profile | None) -> Grants:
    """The row of the table for this kind and verb. Empty: nobody may."""
    verbs: Verbs = KINDS.get(kind) or (PROFILES[profile] if profile is not None else {})
    return verbs.get(verb) or verbs.get(OTHER) or {}


def reach_of(access: Access, kind: str, verb: str, profile: Profile | None) -> Reach:
    """How far the caller's roles reach for this kind and verb. A caller has the widest of their roles."""
    row = grants(kind, verb, profile)
    return max((row.get(role, Reach.NONE) for role in (*access.roles, ANYBODY)), default=Reach.NONE)


def authorised(access: Access, kind: str, verb: str, profile: Profile | None) -> Access:
    """The caller with the reach of this grant. Raises Forbidden where there is none."""
    reach = reach_of(access, kind, verb, profile)
    if reach is Reach.NONE:
        raise Forbidden(verb=verb, kind=kind)
    return access.with_reach(reach)


def permissions(role: str) -> list[str]:
    """What the table grants a role, as `kind:verb` (and `profile:verb`), for people to read."""
    named = {**{profile.value: verbs for profile, verbs in PROFILES.items()}, **KINDS}
    return sorted(
        f"{kind}:{verb}" for kind, verbs in named.items() for verb, row in verbs.items() if role in row
    )
