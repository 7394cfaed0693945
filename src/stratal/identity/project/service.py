"""What may be asked of projects."""

from sqlalchemy import ColumnElement, select, update

from stratal.identity.memberships import Members, drop_members, memberships, put_member
from stratal.identity.project.model import (
    PROJECT,
    AddUser,
    ProjectCreate,
    ProjectSpec,
    ProjectStatus,
    ProjectUpdate,
    RemoveUser,
)
from stratal.identity.role.service import RoleService
from stratal.identity.tables import MEMBERSHIP, TOKEN
from stratal.identity.user.model import USER
from stratal.kernel import work
from stratal.kernel.access import Access, Reach
from stratal.kernel.actions import action
from stratal.kernel.errors import Conflict, Invalid
from stratal.kernel.fields import given
from stratal.kernel.kind import Catalogue, Scope
from stratal.kernel.service import Change, ResourceService
from stratal.kernel.store import Resource, Store
from stratal.kernel.transaction import Transaction

Project = Resource[ProjectSpec, ProjectStatus]


class ProjectService(ResourceService[ProjectSpec, ProjectStatus]):
    create_body = ProjectCreate
    update_body = ProjectUpdate

    def __init__(self, catalogue: Catalogue, roles: RoleService) -> None:
        super().__init__(PROJECT, catalogue)
        self._roles = roles
        self._users = Store(USER)

    def own(self, access: Access) -> ColumnElement[bool]:
        """The token's project; or, for a grant in person, the projects that the caller is a member of."""
        if access.reach is Reach.PROJECT:
            return self.columns.id == access.project_id
        mine = select(MEMBERSHIP.c.project_id).where(MEMBERSHIP.c.user_id == access.user_id)
        return self.columns.id.in_(mine)

    def new(self, transaction: Transaction, access: Access, body: ProjectCreate) -> Change:
        return {**given(body), "enabled": True}

    def before_delete(self, transaction: Transaction, access: Access, resource: Project) -> None:
        for kind in self.catalogue:
            if kind.scope is Scope.PROJECT:
                left = Store(kind).count(transaction, kind.tables.spec.c.project_id == resource.id)
                if left:
                    raise Conflict(
                        reason=f"project {resource.id} still has {left} {kind.name}: delete them first"
                    )
        users = USER.tables.spec
        transaction.execute(
            update(users)
            .where(users.c.default_project_id == resource.id)
            .values(default_project_id=None, updated_at=transaction.now)
        )
        transaction.execute(TOKEN.delete().where(TOKEN.c.project_id == resource.id))

    def users(self, transaction: Transaction, access: Access, id: int) -> Members:
        """The members of a project."""
        self.show(transaction, access, id)
        return memberships(transaction, project_id=id)

    @action("add-user", AddUser)
    def add_user(self, transaction: Transaction, access: Access, id: int, body: AddUser) -> Project:
        """Make a user a member of the project, or give a member another role."""
        project = self.changeable(transaction, access, id)
        role = self._roles.of_scope(transaction, body.role_id, "project", "spec.role_id")
        user = self._users.get(transaction, body.user_id, lock=True, labels=False)
        if user is None or user.spec.deletion_begin is not None:
            raise Invalid(field="spec.user_id", reason=f"there is no user {body.user_id}")
        put_member(transaction, project_id=id, user_id=body.user_id, role_id=role.id)
        work.ask(transaction, USER.name, body.user_id)
        return self.acted(transaction, access, project, "add-user", given(body))

    @action("remove-user", RemoveUser)
    def remove_user(self, transaction: Transaction, access: Access, id: int, body: RemoveUser) -> Project:
        """Take a member out of the project. Their tokens for it end at once."""
        project = self.changeable(transaction, access, id)
        if drop_members(transaction, project_id=id, user_id=body.user_id) == 0:
            raise Invalid(field="spec.user_id", reason=f"user {body.user_id} is not a member of project {id}")
        users = USER.tables.spec
        transaction.execute(
            update(users)
            .where(users.c.id == body.user_id, users.c.default_project_id == id)
            .values(default_project_id=None, updated_at=transaction.now)
        )
        transaction.execute(TOKEN.delete().where(TOKEN.c.project_id == id, TOKEN.c.user_id == body.user_id))
        work.ask(transaction, USER.name, body.user_id)
        return self.acted(transaction, access, project, "remove-user", given(body))
