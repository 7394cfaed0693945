"""Roles are seeded from the policy table and cannot be changed through an API."""

from stratal.identity.policy import CLUSTER_ROLES, RoleName, permissions
from stratal.identity.role.model import ROLE, RoleSpec, RoleStatus
from stratal.kernel import work
from stratal.kernel.errors import Invalid
from stratal.kernel.kind import Catalogue
from stratal.kernel.service import ResourceService
from stratal.kernel.store import Resource
from stratal.kernel.transaction import Transaction

_DESCRIPTIONS = {
    RoleName.SYSTEM_ADMIN: "May do everything, in every project.",
    RoleName.SECURITY_ADMIN: "Manages users and memberships; sees audit logs and infrastructure.",
    RoleName.AUDITOR: "Sees everything and changes nothing.",
    RoleName.PROJECT_ADMIN: "May do everything inside the project, and manages its members' roles.",
    RoleName.PROJECT_MEMBER: "Works with the resources of the project.",
    RoleName.OBSERVER: "Sees the resources of the project.",
}


class RoleService(ResourceService[RoleSpec, RoleStatus]):
    """Lists and shows roles; `seed` keeps the rows in step with the policy table."""

    def __init__(self, catalogue: Catalogue) -> None:
        super().__init__(ROLE, catalogue)

    def seed(self, transaction: Transaction) -> None:
        """Create the roles that are missing and refresh what the others say. Idempotent."""
        present = {role.spec.name: role for role in self.store.find(transaction, labels=False)}
        for name in RoleName:
            wanted = {
                "description": _DESCRIPTIONS[name],
                "scope": "cluster" if name in CLUSTER_ROLES else "project",
                "permissions": permissions(name),
            }
            role = present.get(name)
            if role is None:
                id = self.store.insert(transaction, {"name": name.value, **wanted})
                work.ask(transaction, ROLE.name, id)
            elif any(getattr(role.spec, field) != value for field, value in wanted.items()):
                self.store.change_spec(transaction, role.id, wanted)

    def named(self, transaction: Transaction, name: RoleName) -> Resource[RoleSpec, RoleStatus]:
        """A seeded role."""
        return self.store.find(transaction, self.columns.name == name.value, labels=False)[0]

    def of_scope(
        self, transaction: Transaction, id: int, scope: str, field: str
    ) -> Resource[RoleSpec, RoleStatus]:
        """The role with this id. Raises Invalid on `field` when there is none of this scope."""
        role = self.store.get(transaction, id, labels=False)
        if role is None:
            raise Invalid(field=field, reason=f"there is no role {id}")
        if role.spec.scope != scope:
            raise Invalid(
                field=field, reason=f"{role.spec.name} is a {role.spec.scope} role; a {scope} role is needed"
            )
        return role
