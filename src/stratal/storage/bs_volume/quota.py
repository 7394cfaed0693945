"""How much may be promised: a project's quota and a policy's over-commitment.

Called by the services whose requests make volumes or let them grow, in the transactions that do so. Both
checks lock the row whose limit they enforce, so that no two requests can each take the last of it.
"""

from collections.abc import Callable

from sqlalchemy import func, select

from stratal.kernel.errors import Conflict
from stratal.kernel.kind import Catalogue
from stratal.kernel.store import Resource, Store
from stratal.kernel.transaction import Transaction
from stratal.storage.bs_policy.model import BS_POLICY, BsPolicySpec, BsPolicyStatus
from stratal.storage.bs_volume.model import BS_VOLUME, MIB


class QuotaExceeded(Conflict):
    """A project's storage quota would be exceeded."""

    code = "quota_exceeded"
    template = (
        "project {project_id} uses {used_mb} of {quota_mb} MiB of storage; {wanted_mb} MiB more are too many"
    )
    remedy = "Delete volumes, ask for less, or have the project's storage_mb_quota raised."


class Overcommitted(Conflict):
    """A policy would promise more than it may."""

    code = "overcommitted"
    template = (
        "volumes of {promised_mb} of at most {most_mb} MiB are promised by policy {policy};"
        " {wanted_mb} MiB more are too many"
    )
    remedy = "Ask for less, use another policy, or have this one's capacity or overcommit raised."


ProjectChanged = Callable[[Transaction, int], None]
"""Told, in the transaction, that a project uses more or less storage from now on."""


def nobody_counts(transaction: Transaction, project_id: int) -> None:
    """Where nobody counts what projects use."""


class Quota:
    def __init__(self, catalogue: Catalogue, project_changed: ProjectChanged = nobody_counts) -> None:
        self.project_changed = project_changed
        project = catalogue.get("project")
        self._projects = None if project is None else Store(project)
        self._policies = Store(BS_POLICY)
        self._volumes = BS_VOLUME.tables.spec.c

    def check(
        self, transaction: Transaction, *, project_id: int | None, policy_id: int, more_mb: int
    ) -> None:
        """Raises QuotaExceeded or Overcommitted unless so much more may be promised."""
        if project_id is not None:
            self._check_project(transaction, project_id, more_mb)
        policy = self._policies.get(transaction, policy_id, labels=False)
        if policy is not None and policy.spec.overcommit:
            locked = self._policies.get(transaction, policy_id, lock=True, labels=False)
            self._check_policy(transaction, locked or policy, more_mb)

    def used_mb(self, transaction: Transaction, project_id: int) -> int:
        """MiB of all volumes of a project, but for those that are being deleted."""
        statement = select(func.coalesce(func.sum(self._volumes.size_mb), 0)).where(
            self._volumes.project_id == project_id,
            self._volumes.deleted_at.is_(None),
            self._volumes.deletion_begin.is_(None),
        )
        return int(transaction.execute(statement).scalar_one())

    def _check_project(self, transaction: Transaction, project_id: int, more_mb: int) -> None:
        if self._projects is None:
            return
        project = self._projects.get(transaction, project_id, labels=False)
        if project is None or not project.spec.storage_mb_quota:
            return
        self._projects.get(transaction, project_id, lock=True, labels=False)
        used = self._sum(transaction, "project_id", project_id)
        if used + more_mb > project.spec.storage_mb_quota:
            raise QuotaExceeded(
                project_id=project_id,
                used_mb=used,
                quota_mb=project.spec.storage_mb_quota,
                wanted_mb=more_mb,
            )

    def _check_policy(
        self, transaction: Transaction, policy: Resource[BsPolicySpec, BsPolicyStatus], more_mb: int
    ) -> None:
        if not policy.status.total_byte:
            return  # its place has not been looked at yet
        most = int(policy.status.total_byte * policy.spec.overcommit) // MIB
        promised = self._sum(transaction, "bs_policy_id", policy.id)
        if promised + more_mb > most:
            raise Overcommitted(
                policy=policy.spec.name, promised_mb=promised, most_mb=most, wanted_mb=more_mb
            )

    def _sum(self, transaction: Transaction, column: str, id: int) -> int:
        """The sizes of all volumes, those that are on their way out included: they still take space."""
        statement = select(func.coalesce(func.sum(self._volumes.size_mb), 0)).where(
            self._volumes[column] == id, self._volumes.deleted_at.is_(None)
        )
        return int(transaction.execute(statement).scalar_one())
