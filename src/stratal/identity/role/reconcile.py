"""Roles exist in the database alone."""

from stratal.identity.role.model import ROLE, RoleSpec, RoleStatus
from stratal.kernel.reconcile import RecordReconciler


class RoleReconciler(RecordReconciler[RoleSpec, RoleStatus]):
    def __init__(self) -> None:
        super().__init__(ROLE)
