"""Who is asking, and what they may do: users, roles, projects, memberships, tokens, RSA keys.

The names exported here are all that other packages use.
"""

from collections.abc import Callable
from typing import Final

from stratal.identity.access_key.service import AccessKey, AccessKeyService
from stratal.identity.access_key.signatures import UsedSignatures
from stratal.identity.application_credential.service import (
    ApplicationCredential,
    ApplicationCredentialService,
)
from stratal.identity.bootstrap import Bootstrap
from stratal.identity.credentials import Credentials
from stratal.identity.memberships import Members, Membership
from stratal.identity.passwords import Verifiers
from stratal.identity.policy import PasswordChangeRequired, RoleName, authorised, grants, reach_of
from stratal.identity.project.model import PROJECT
from stratal.identity.project.reconcile import ProjectReconciler
from stratal.identity.project.service import ProjectService
from stratal.identity.role.model import ROLE
from stratal.identity.role.reconcile import RoleReconciler
from stratal.identity.role.service import RoleService
from stratal.identity.rsa_key.service import RsaKey, RsaKeyService
from stratal.identity.token.model import Login, Reauth, Session
from stratal.identity.token.service import LoginLimits, TokenService
from stratal.identity.user.model import USER, SetRole, VerifyPassword
from stratal.identity.user.reconcile import UserReconciler
from stratal.identity.user.service import UserService
from stratal.kernel.database import Database
from stratal.kernel.kind import AnyKind, Catalogue
from stratal.kernel.reconcile import AnyReconciler
from stratal.kernel.transaction import Transaction

KINDS: Final[tuple[AnyKind, ...]] = (ROLE, PROJECT, USER)

__all__ = [
    "KINDS",
    "AccessKey",
    "ApplicationCredential",
    "Identity",
    "Login",
    "LoginLimits",
    "Members",
    "Membership",
    "PasswordChangeRequired",
    "Reauth",
    "RoleName",
    "RsaKey",
    "Session",
    "SetRole",
    "Verifiers",
    "VerifyPassword",
    "authorised",
    "grants",
    "reach_of",
]


class Identity:
    """The services of this domain, put together."""

    def __init__(
        self,
        catalogue: Catalogue,
        database: Database,
        verifiers: Verifiers,
        *,
        password_min_length: int,
        limits: Callable[[Transaction], LoginLimits],
        used_storage_mb: Callable[[Transaction, int], int] = lambda transaction, project_id: 0,
    ) -> None:
        credentials = Credentials(database, verifiers, min_length=password_min_length)
        self.decrypt = credentials.decrypt
        self.roles = RoleService(catalogue)
        self.projects = ProjectService(catalogue, self.roles)
        self.users = UserService(catalogue, database, self.roles, self.projects, credentials)
        self.tokens = TokenService(database, credentials, limits)
        self.access_keys = AccessKeyService()
        self.used_signatures = UsedSignatures()
        self.application_credentials = ApplicationCredentialService(database, verifiers)
        self.rsa_keys = RsaKeyService(database)
        self.bootstrap = Bootstrap(database, self.roles, self.projects, self.users, credentials)
        self.reconcilers: list[AnyReconciler] = [
            RoleReconciler(),
            ProjectReconciler(used_storage_mb),
            UserReconciler(),
        ]
