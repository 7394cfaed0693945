"""What may be asked of users, except to log in."""

from typing import Any

import msgspec
from sqlalchemy import ColumnElement, or_, select

from stratal.identity.access_key.service import ACCESS_KEY
from stratal.identity.application_credential.service import APPLICATION_CREDENTIAL
from stratal.identity.credentials import Credentials
from stratal.identity.memberships import Members, memberships, put_member
from stratal.identity.policy import RoleName
from stratal.identity.project.service import ProjectService
from stratal.identity.role.service import RoleService
from stratal.identity.tables import LOGIN_RECORD, MEMBERSHIP, TOKEN
from stratal.identity.user.model import (
    USER,
    AllowLogin,
    SetDefaultProject,
    SetRole,
    UserCreate,
    UserSpec,
    UserStatus,
    UserUpdate,
    VerifyPassword,
)
from stratal.identity.user.ui_profile import MAX_PROFILE_BYTES, profile_problem
from stratal.kernel import work
from stratal.kernel.access import Access, Reach
from stratal.kernel.actions import action
from stratal.kernel.database import Database
from stratal.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from stratal.kernel.fields import given
from stratal.kernel.kind import Catalogue
from stratal.kernel.service import Change, ResourceService
from stratal.kernel.store import Resource
from stratal.kernel.transaction import Transaction

User = Resource[UserSpec, UserStatus]

_PASSWORD_FIELDS = frozenset(
    ("password", "original_password", "encrypted_password", "encrypted_original_password", "rsa_key_id")
)
_SELF_MAY_CHANGE = frozenset(
    ("description", "email", "password_verifier", "password_set_at", "force_password_change")
)


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """A body whose password has been turned into a verifier; None: it carried no password."""

    body: UserCreate | UserUpdate
    verifier: str | None


class UserService(ResourceService[UserSpec, UserStatus]):
    create_body = UserCreate
    update_body = UserUpdate
    prepares = True

    def __init__(
        self,
        catalogue: Catalogue,
        database: Database,
        roles: RoleService,
        projects: ProjectService,
        credentials: Credentials,
    ) -> None:
        super().__init__(USER, catalogue)
        self._database = database
        self._roles = roles
        self._projects = projects
        self._credentials = credentials

    # -- before the transaction: what takes time -----------------------------------------------------

    def prepare_create(self, access: Access, body: UserCreate) -> Prepared:
        return Prepared(body=body, verifier=self._credentials.verifier_of_new(body, body.name))

    def prepare_update(self, access: Access, id: int, body: UserUpdate) -> Prepared:
        """Check the original password where one is needed, and make the verifier of the new one."""
        if not _PASSWORD_FIELDS & given(body).keys():
            return Prepared(body=body, verifier=None)

        def current(transaction: Transaction) -> tuple[User, str]:
            return self.show(transaction, access, id), self.store.private(
                transaction, id, "password_verifier"
            )

        user, verifier = self._database.read(current)
        if id == access.user_id:
            original = body.original_password, body.encrypted_original_password
            if original == (msgspec.UNSET, msgspec.UNSET):
                raise Invalid(
                    field="spec.encrypted_original_password", reason="is needed to change one's own password"
                )
            key = body.rsa_key_id if isinstance(body.encrypted_original_password, str) else msgspec.UNSET
            if not self._credentials.matches_original(verifier, *original, key):
                raise Invalid(field="spec.encrypted_original_password", reason="is not the current password")
        return Prepared(body=body, verifier=self._credentials.verifier_of_new(body, user.spec.name))

    def verify_password(self, access: Access, body: VerifyPassword) -> bool:
        """Whether this is the caller's own password."""
        verifier = self._database.read(
            lambda transaction: self.store.private(transaction, access.user_id, "password_verifier")
        )
        return self._credentials.matches(verifier, body)

    # -- hooks ---------------------------------------------------------------------------------------

    def own(self, access: Access) -> ColumnElement[bool]:
        """The caller; for a grant in a project also the members of the token's project."""
        myself = self.columns.id == access.user_id
        if access.reach is not Reach.PROJECT:
            return myself
        members = select(MEMBERSHIP.c.user_id).where(MEMBERSHIP.c.project_id == access.project_id)
        return or_(myself, self.columns.id.in_(members))

    def new(self, transaction: Transaction, access: Access, body: Prepared) -> Change:
        role_id = body.body.role_id if isinstance(body.body, UserCreate) else None
        if role_id is not None:
            role = self._roles.of_scope(transaction, role_id, "cluster", "spec.role_id")
            self._only_system_admin(access, role.spec.name)
        return {
            **_without_passwords(body.body),
            "login_allowed": True,
            "ui_profile": {},
            "password_verifier": body.verifier,
            "password_set_at": transaction.now,
        }

    def changed(self, transaction: Transaction, access: Access, resource: User, body: Prepared) -> Change:
        values: dict[str, Any] = _without_passwords(body.body)
        if body.verifier is not None:
            values |= {"password_verifier": body.verifier, "password_set_at": transaction.now}
            if resource.id == access.user_id:
                values["force_password_change"] = False
        if access.reach is Reach.ALL:
            self._not_above(transaction, access, resource)
        elif not values.keys() <= _SELF_MAY_CHANGE:
            raise Forbidden(
                verb=f"change {', '.join(sorted(values.keys() - _SELF_MAY_CHANGE))} of", kind="user"
            )
        if values.get("enabled") is False and resource.id == access.user_id:
            raise Conflict(reason="one cannot disable oneself")
        if values.get("enabled") is False or body.verifier is not None:
            self._end_sessions(transaction, access, resource.id)
        return values

    def before_delete(self, transaction: Transaction, access: Access, resource: User) -> None:
        self._not_above(transaction, access, resource)
        if resource.id == access.user_id:
            raise Conflict(reason="one cannot delete oneself")
        for table in (TOKEN, ACCESS_KEY, APPLICATION_CREDENTIAL):
            transaction.execute(table.delete().where(table.c.user_id == resource.id))

    # -- actions -------------------------------------------------------------------------------------

    @action("allow-login", AllowLogin)
    def allow_login(self, transaction: Transaction, access: Access, id: int, body: AllowLogin) -> User:
        """Let a user log in again after a lock-out, or lock them out."""
        user = self.changeable(transaction, access, id)
        self._not_above(transaction, access, user)
        if not body.allowed:
            if id == access.user_id:
                raise Conflict(reason="one cannot lock oneself out")
            self._end_sessions(transaction, access, id)
        transaction.execute(
            LOGIN_RECORD.update().where(LOGIN_RECORD.c.user_id == id).values(failure_num=0, locked_until=None)
        )
        return self.change(transaction, access, user, "allow-login", {"login_allowed": body.allowed})

    @action("set-default-project", SetDefaultProject)
    def set_default_project(
        self, transaction: Transaction, access: Access, id: int, body: SetDefaultProject
    ) -> User:
        """Choose the project that a login is for when it names none."""
        user = self.changeable(transaction, access, id)
        self._not_above(transaction, access, user)
        mine = memberships(transaction, user_id=id, project_id=body.project_id)
        if not mine.items:
            raise Invalid(
                field="spec.project_id", reason=f"user {id} is not a member of project {body.project_id}"
            )
        return self.change(
            transaction, access, user, "set-default-project", {"default_project_id": body.project_id}
        )

    def projects(self, transaction: Transaction, access: Access, id: int) -> Members:
        """The projects of a user, with the role in each."""
        self.show(transaction, access, id)
        return memberships(transaction, user_id=id)

    def set_role(
        self, transaction: Transaction, access: Access, id: int, project_id: int, body: SetRole
    ) -> User:
        """Give a member of a project another role there."""
        role = self._roles.of_scope(transaction, body.role_id, "project", "spec.role_id")
        self._projects.changeable(transaction, access, project_id)
        if not memberships(transaction, user_id=id, project_id=project_id).items:
            raise NotFound(kind=f"member of project {project_id} with user id", id=id)
        user = self.changeable(transaction, access, id)
        put_member(transaction, project_id=project_id, user_id=id, role_id=role.id)
        work.ask(transaction, "project", project_id)
        return self.acted(transaction, access, user, "set-role", {"project_id": project_id, **given(body)})

    def ui_profile(self, transaction: Transaction, access: Access, id: int) -> dict[str, Any]:
        """What the console keeps for this user."""
        self.show(transaction, access, id)
        return self.store.private(transaction, id, "ui_profile") or {}

    def change_ui_profile(
        self, transaction: Transaction, access: Access, id: int, changes: dict[str, Any]
    ) -> dict[str, Any]:
        """Merge keys into the profile; a key set to null is removed."""
        user = self.changeable(transaction, access, id)
        problem = profile_problem(changes)
        if problem is not None:
            raise Invalid(field="spec.profile", reason=problem)
        profile = {**self.ui_profile(transaction, access, id), **changes}
        profile = {key: value for key, value in profile.items() if value is not None}
        if len(msgspec.json.encode(profile)) > MAX_PROFILE_BYTES:
            raise Invalid(
                field="spec.profile", reason=f"the whole would be larger than {MAX_PROFILE_BYTES} bytes"
            )
        self.store.mark(transaction, id, {"ui_profile": profile})
        self.acted(transaction, access, user, "update-ui-profile", {"keys": sorted(changes)})
        return profile

    # -- checks --------------------------------------------------------------------------------------

    def _not_above(self, transaction: Transaction, access: Access, user: User) -> None:
        """Only a system administrator may touch one: else a security administrator could become one."""
        if user.spec.role_id is not None and user.id != access.user_id:
            role = self._roles.store.get(transaction, user.spec.role_id, labels=False)
            if role is not None:
                self._only_system_admin(access, role.spec.name)

    @staticmethod
    def _only_system_admin(access: Access, role_name: str) -> None:
        if role_name == RoleName.SYSTEM_ADMIN and RoleName.SYSTEM_ADMIN not in access.roles:
            raise Forbidden(verb="create or change", kind="user with the role system_admin")

    @staticmethod
    def _end_sessions(transaction: Transaction, access: Access, id: int) -> None:
        """Revoke the user's tokens, but for those of a user who changes their own password."""
        if id != access.user_id:
            transaction.execute(TOKEN.delete().where(TOKEN.c.user_id == id))


def _without_passwords(body: msgspec.Struct) -> dict[str, Any]:
    return {name: value for name, value in given(body).items() if name not in _PASSWORD_FIELDS}
