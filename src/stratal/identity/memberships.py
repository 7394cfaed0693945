"""Who is in which project, with which role. Called by the services of users and projects."""

from dataclasses import dataclass

import msgspec
from sqlalchemy import ColumnElement, delete, func, select

from stratal.identity.project.model import PROJECT
from stratal.identity.role.model import ROLE
from stratal.identity.tables import MEMBERSHIP
from stratal.identity.user.model import USER
from stratal.kernel.transaction import Transaction


class Membership(msgspec.Struct, frozen=True, kw_only=True):
    """A user's place in a project."""

    user_id: int
    user_name: str
    project_id: int
    project_name: str
    role_id: int
    role_name: str


@dataclass(frozen=True, kw_only=True)
class Members:
    """A list of memberships; it is never long enough to need pages."""

    items: list[Membership]


def memberships(
    transaction: Transaction, *, user_id: int | None = None, project_id: int | None = None
) -> Members:
    """The memberships of a user, of a project, or of both together."""
    users, projects, roles = USER.tables.spec, PROJECT.tables.spec, ROLE.tables.spec
    statement = (
        select(
            users.c.id.label("user_id"),
            users.c.name.label("user_name"),
            projects.c.id.label("project_id"),
            projects.c.name.label("project_name"),
            roles.c.id.label("role_id"),
            roles.c.name.label("role_name"),
        )
        .select_from(MEMBERSHIP)
        .join(users, users.c.id == MEMBERSHIP.c.user_id)
        .join(projects, projects.c.id == MEMBERSHIP.c.project_id)
        .join(roles, roles.c.id == MEMBERSHIP.c.role_id)
        .where(users.c.deleted_at.is_(None), projects.c.deleted_at.is_(None))
        .order_by(MEMBERSHIP.c.project_id, MEMBERSHIP.c.user_id)
    )
    if user_id is not None:
        statement = statement.where(MEMBERSHIP.c.user_id == user_id)
    if project_id is not None:
        statement = statement.where(MEMBERSHIP.c.project_id == project_id)
    rows = transaction.execute(statement).mappings()
    return Members(items=[Membership(**row) for row in rows])


def put_member(transaction: Transaction, *, project_id: int, user_id: int, role_id: int) -> None:
    """Make the user a member with this role, in place of the role they had. Idempotent."""
    statement = transaction.insert(MEMBERSHIP).values(
        project_id=project_id, user_id=user_id, role_id=role_id, created_at=transaction.now
    )
    transaction.execute(
        statement.on_conflict_do_update(
            index_elements=[MEMBERSHIP.c.project_id, MEMBERSHIP.c.user_id], set_={"role_id": role_id}
        )
    )


def drop_members(
    transaction: Transaction, *, user_id: int | None = None, project_id: int | None = None
) -> int:
    """Remove the memberships of a user, of a project, or of a user in a project. Returns how many."""
    where: list[ColumnElement[bool]] = []
    if user_id is not None:
        where.append(MEMBERSHIP.c.user_id == user_id)
    if project_id is not None:
        where.append(MEMBERSHIP.c.project_id == project_id)
    if not where:
        raise ValueError("a user or a project is needed")
    return transaction.execute(delete(MEMBERSHIP).where(*where)).rowcount


def count_members(
    transaction: Transaction, *, user_id: int | None = None, project_id: int | None = None
) -> int:
    statement = select(func.count()).select_from(MEMBERSHIP)
    if user_id is not None:
        statement = statement.where(MEMBERSHIP.c.user_id == user_id)
    if project_id is not None:
        statement = statement.where(MEMBERSHIP.c.project_id == project_id)
    return transaction.execute(statement).scalar_one()
