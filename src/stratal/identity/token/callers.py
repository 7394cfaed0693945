"""Who a token's or a signature's user is, with their roles: the statements and what is made of their rows.

Called by the service of tokens.
"""

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, FromClause, Select, and_, bindparam, cast, literal, select

from stratal.identity.project.model import PROJECT
from stratal.identity.role.model import ROLE
from stratal.identity.tables import MEMBERSHIP, TOKEN
from stratal.identity.user.model import USER
from stratal.kernel.access import Access
from stratal.kernel.errors import Unauthenticated
from stratal.kernel.prepared import Prepared


def caller_of(row: Any, client_ip: str, request_id: str) -> tuple[Access, bool]:
    if row.project_id is not None and row.open_project_id is None:
        raise Unauthenticated(reason="the project of the token is closed")
    access = Access(
        user_id=row.user_id,
        user_name=row.user_name,
        project_id=row.project_id,
        roles=frozenset(role for role in (row.user_role, row.project_role) if role is not None),
        client_ip=client_ip,
        request_id=request_id,
    )
    return access, row.force_password_change


USERS, _projects = USER.tables.spec, PROJECT.tables.spec
_user_role, _project_role = ROLE.tables.spec.alias(), ROLE.tables.spec.alias()


def callers_of(source: FromClause, project_id: ColumnElement[int | None]) -> Select[*tuple[Any, ...]]:
    """Callers, with the roles that they have as such and in the project that `project_id` names."""
    in_project = and_(MEMBERSHIP.c.project_id == project_id, MEMBERSHIP.c.user_id == USERS.c.id)
    open_project = and_(
        _projects.c.id == project_id, _projects.c.deletion_begin.is_(None), _projects.c.enabled.is_(True)
    )
    return (
        select(
            USERS.c.id.label("user_id"),
            USERS.c.name.label("user_name"),
            USERS.c.force_password_change,
            USERS.c.login_allowed,
            project_id.label("project_id"),
            _projects.c.id.label("open_project_id"),
            _user_role.c.name.label("user_role"),
            _project_role.c.name.label("project_role"),
        )
        .select_from(source)
        .join(_user_role, _user_role.c.id == USERS.c.role_id, isouter=True)
        .join(_projects, open_project, isouter=True)
        .join(MEMBERSHIP, in_project, isouter=True)
        .join(_project_role, _project_role.c.id == MEMBERSHIP.c.role_id, isouter=True)
        .where(USERS.c.deletion_begin.is_(None), USERS.c.enabled.is_(True))
    )


def in_project(project_id: int | None) -> Select[*tuple[Any, ...]]:
    # the type is said for the sake of a null, which PostgreSQL could not compare otherwise
    return callers_of(USERS, cast(literal(project_id), BigInteger))


OWNER_OF_TOKEN = Prepared(
    callers_of(TOKEN.join(USERS, USERS.c.id == TOKEN.c.user_id), TOKEN.c.project_id).where(
        TOKEN.c.digest == bindparam("digest"), TOKEN.c.expires_at > bindparam("now")
    )
)
USER_BY_NAME = callers_of(USERS, USERS.c.default_project_id).where(USERS.c.name == bindparam("name"))
