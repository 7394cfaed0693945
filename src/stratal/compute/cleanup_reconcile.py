"""Says how far a removal is. Called by the reconcile engine.

A job does nothing: what it stands for is done by the reconcilers of machines and their parts. It looks at
what is being removed, more and more seldom, and ends when that is gone.
"""

from datetime import timedelta
from typing import Final, Generic, TypeVar

import msgspec
from sqlalchemy import select

from stratal.compute.jobs import CleanupStage, CleanupStatus
from stratal.kernel.fields import TenantSpec
from stratal.kernel.kind import AnyKind, Kind
from stratal.kernel.reconcile import Gone, Look, Observed
from stratal.kernel.store import Resource
from stratal.kernel.transaction import Transaction
from stratal.kernel.work import WORK

S = TypeVar("S", bound=TenantSpec)
T = TypeVar("T", bound=CleanupStatus)

_SHORTEST: Final = timedelta(seconds=1)
_LONGEST: Final = timedelta(minutes=1)


class CleanupReconciler(Generic[S, T]):
    """Watches what the column `field` of a job names, which is of the kind `watched`."""

    concurrency = 16

    def __init__(self, kind: Kind[S, T], watched: AnyKind, field: str) -> None:
        self.kind = kind
        self._field = field
        self._watched = watched

    def reconcile(self, resource: Resource[S, T], look: Look) -> Observed[T]:
        status, age = look.read(lambda tx: self._observe(tx, resource))
        if status.stage is CleanupStage.FINISHED:
            return Observed(status=status)
        return Observed(status=status, again_after=min(max(age / 2, _SHORTEST), _LONGEST))

    def remove(self, resource: Resource[S, T], look: Look) -> Gone:
        return Gone()

    def _observe(self, transaction: Transaction, resource: Resource[S, T]) -> tuple[T, timedelta]:
        before, age = resource.status, transaction.now - resource.spec.created_at
        if before.stage is CleanupStage.FINISHED:
            return before, age
        id = int(getattr(resource.spec, self._field))
        spec, seen = self._watched.tables.spec.c, self._watched.tables.status.c
        found = transaction.execute(
            select(seen.problem, WORK.c.error, WORK.c.attempts)
            .join_from(self._watched.tables.spec, self._watched.tables.status, spec.id == seen.id)
            .outerjoin(WORK, (WORK.c.kind == self._watched.name) & (WORK.c.id == spec.id))
            .where(spec.id == id, spec.deleted_at.is_(None))
        ).first()
        if found is None:
            ended = {"stage": CleanupStage.FINISHED, "finished_at": transaction.now, "error_message": None}
            return msgspec.structs.replace(before, **ended), age
        failing = {
            "stage": CleanupStage.RUNNING,
            "retry_num": max(before.retry_num, found.attempts or 0),
            "error_message": found.error or found.problem,
        }
        return msgspec.structs.replace(before, **failing), age
