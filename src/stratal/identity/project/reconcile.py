"""Counts what a project has; takes its memberships away with it."""

import msgspec

from stratal.identity.memberships import count_members, drop_members
from stratal.identity.project.model import PROJECT, ProjectSpec, ProjectStatus
from stratal.kernel.reconcile import Gone, Look, RecordReconciler
from stratal.kernel.store import Resource
from stratal.kernel.transaction import Transaction


class ProjectReconciler(RecordReconciler[ProjectSpec, ProjectStatus]):
    def __init__(self) -> None:
        super().__init__(PROJECT)

    def observe(
        self, transaction: Transaction, resource: Resource[ProjectSpec, ProjectStatus]
    ) -> ProjectStatus:
        members = count_members(transaction, project_id=resource.id)
        return msgspec.structs.replace(resource.status, user_num=members)

    def remove(self, resource: Resource[ProjectSpec, ProjectStatus], look: Look) -> Gone:
        look.write(lambda transaction: drop_members(transaction, project_id=resource.id))
        return Gone()
