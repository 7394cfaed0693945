"""Counts what a project has; takes its memberships away with it."""

from collections.abc import Callable

import msgspec

from stratal.identity.memberships import count_members, drop_members
from stratal.identity.project.model import PROJECT, ProjectSpec, ProjectStatus
from stratal.kernel.reconcile import Gone, Look, RecordReconciler
from stratal.kernel.store import Resource
from stratal.kernel.transaction import Transaction

Count = Callable[[Transaction, int], int]
"""Counts something that a project has, by the project's id."""


class ProjectReconciler(RecordReconciler[ProjectSpec, ProjectStatus]):
    def __init__(self, used_storage_mb: Count) -> None:
        super().__init__(PROJECT)
        self._used_storage_mb = used_storage_mb

    def observe(
        self, transaction: Transaction, resource: Resource[ProjectSpec, ProjectStatus]
    ) -> ProjectStatus:
        members = count_members(transaction, project_id=resource.id)
        used_mb = self._used_storage_mb(transaction, resource.id)
        return msgspec.structs.replace(resource.status, user_num=members, used_storage_mb=used_mb)

    def remove(self, resource: Resource[ProjectSpec, ProjectStatus], look: Look) -> Gone:
        look.write(lambda transaction: drop_members(transaction, project_id=resource.id))
        return Gone()
