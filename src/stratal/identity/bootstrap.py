"""The first start: roles, the first project, and an administrator with a generated password."""

from stratal.identity.credentials import Credentials
from stratal.identity.memberships import put_member
from stratal.identity.passwords import generate_password
from stratal.identity.policy import RoleName
from stratal.identity.project.service import ProjectService
from stratal.identity.role.service import RoleService
from stratal.identity.tables import LOGIN_RECORD, TOKEN
from stratal.identity.user.service import UserService
from stratal.kernel import work
from stratal.kernel.access import SYSTEM
from stratal.kernel.database import Database
from stratal.kernel.errors import NotFound
from stratal.kernel.journal import record_audit
from stratal.kernel.transaction import Transaction

ADMINISTRATOR = "admin"
FIRST_PROJECT = "default"


class Bootstrap:
    """Makes an empty database one that somebody can log in to."""

    def __init__(
        self,
        database: Database,
        roles: RoleService,
        projects: ProjectService,
        users: UserService,
        credentials: Credentials,
    ) -> None:
        self._database = database
        self._roles = roles
        self._projects = projects
        self._users = users
        self._credentials = credentials

    def prepare(self) -> str | None:
        """Seed the roles; with no user there, create the administrator. Idempotent.

        Returns the administrator's password, which is nowhere else, or None when there were users already.
        """
        password = generate_password(self._database.entropy)
        if self._database.read(lambda transaction: self._users.store.count(transaction)):
            self._database.write(self._roles.seed)
            return None
        verifier = self._credentials.verifier_of_clear(password)
        created = self._database.write(lambda transaction: self._create(transaction, verifier))
        return password if created else None

    def reset_password(self, name: str) -> str:
        """Give a user a new generated password and lift any lock-out: for an operator at the machine.

        Raises NotFound.
        """
        password = generate_password(self._database.entropy)
        verifier = self._credentials.verifier_of_clear(password)

        def reset(transaction: Transaction) -> None:
            columns = self._users.columns
            found = self._users.store.find(
                transaction, columns.name == name, columns.deletion_begin.is_(None), labels=False
            )
            if not found:
                raise NotFound(kind="user", id=name)
            values = {
                "password_verifier": verifier,
                "password_set_at": transaction.now,
                "login_allowed": True,
                "enabled": True,
            }
            user = found[0]
            self._users.change(transaction, SYSTEM, user, "reset-password", values)
            transaction.execute(
                LOGIN_RECORD.update()
                .where(LOGIN_RECORD.c.user_id == user.id)
                .values(failure_num=0, locked_until=None)
            )
            transaction.execute(TOKEN.delete().where(TOKEN.c.user_id == user.id))

        self._database.write(reset)
        return password

    def _create(self, transaction: Transaction, verifier: str) -> bool:
        self._roles.seed(transaction)
        if self._users.store.count(transaction):
            return False  # another process was quicker
        project_id = self._projects.store.insert(
            transaction,
            {
                "name": FIRST_PROJECT,
                "description": "The first project.",
                "enabled": True,
                "cpu_quota": 0,
                "memory_mb_quota": 0,
                "storage_mb_quota": 0,
            },
        )
        user_id = self._users.store.insert(
            transaction,
            {
                "name": ADMINISTRATOR,
                "description": "The first administrator.",
                "email": "",
                "enabled": True,
                "login_allowed": True,
                "force_password_change": False,
                "default_project_id": project_id,
                "role_id": self._roles.named(transaction, RoleName.SYSTEM_ADMIN).id,
                "password_verifier": verifier,
                "password_set_at": transaction.now,
                "ui_profile": {},
            },
        )
        project_admin = self._roles.named(transaction, RoleName.PROJECT_ADMIN)
        put_member(transaction, project_id=project_id, user_id=user_id, role_id=project_admin.id)
        for kind, id in (("project", project_id), ("user", user_id)):
            work.ask(transaction, kind, id)
            record_audit(transaction, SYSTEM, "create", resource_type=kind, resource_id=id)
        return True
