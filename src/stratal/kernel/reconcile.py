"""What a reconciler is. Implemented once per kind by the domain packages, driven by `engine`.

A reconciler looks at the world, takes the next idempotent step, and says what it saw. It may be killed
between any two instructions, run again at any time, and run for a resource that is already as it should
be. It runs in a thread of the engine and may block.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Generic, Protocol, TypeVar, final

from stratal.kernel.database import Database
from stratal.kernel.fields import Spec, Status
from stratal.kernel.kind import Kind
from stratal.kernel.store import Resource
from stratal.kernel.transaction import Transaction
from stratal.kernel.work import Lease, LeaseLost, confirm

S = TypeVar("S", bound=Spec)
T = TypeVar("T", bound=Status)
R = TypeVar("R")


@dataclass(frozen=True, kw_only=True)
class Observed(Generic[T]):
    """The outcome of a look: what was observed, and when to look again."""

    status: T
    #: look again after this time even if nobody asks; None: only when asked
    again_after: timedelta | None = None
    #: whether the world is as the spec wants it, as far as it can be now; False: a step was taken, look again
    settled: bool = True
    #: fields that cannot follow the spec now, each with the reason, which goes into an event
    irreconcilable: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, kw_only=True)
class Gone:
    """The outcome of a removal: nothing of the resource is left in the world."""


@dataclass(frozen=True, kw_only=True)
class StillRemoving(Generic[T]):
    """The outcome of a removal that has to wait, with what was observed meanwhile."""

    status: T
    again_after: timedelta


class Look:
    """The lease under which a reconciler works, and its way to the database."""

    def __init__(
        self, database: Database, lease: Lease, still_holds: Callable[[], bool] = lambda: True
    ) -> None:
        self._database = database
        self._still_holds = still_holds
        self.lease = lease

    def check(self) -> None:
        """Raise LeaseLost if somebody else may be at it by now. Cheap; for right before a side effect.

        It cannot rule out that the process is stalled between this and the effect: steps stay idempotent.
        """
        if not self._still_holds():
            raise LeaseLost(kind=self.lease.kind, id=self.lease.id)

    def read(self, work: Callable[[Transaction], R]) -> R:
        return self._database.read(work)

    def write(self, work: Callable[[Transaction], R]) -> R:
        """Run `work` durably, if the lease still stands; LeaseLost otherwise, with nothing written."""

        def fenced(transaction: Transaction) -> R:
            result = work(transaction)
            # last, since spec rows are locked before work rows
            confirm(transaction, self.lease, also=transaction.asked)
            return result

        return self._database.write(fenced)


class Reconciler(Protocol[S, T]):
    """Makes the world match the specs of one kind."""

    @property
    def kind(self) -> Kind[S, T]: ...

    @property
    def concurrency(self) -> int:
        """How many resources of the kind are reconciled at once, at most."""
        ...

    def reconcile(self, resource: Resource[S, T], look: Look) -> Observed[T]:
        """Take the world a step towards the spec. Idempotent. Raises to be called again later."""
        ...

    def remove(self, resource: Resource[S, T], look: Look) -> "Gone | StillRemoving[T]":
        """Take the resource out of the world. Idempotent. Raises to be called again later."""
        ...


AnyReconciler = Reconciler[Any, Any]


class RecordReconciler(Generic[S, T]):
    """The reconciler of a kind that exists in the database alone: there is nothing to do but to count.

    Subclasses override `observe` where the status says something about other rows. The engine looks at up to
    `concurrency` of them in one transaction, without calling `reconcile`.
    """

    concurrency = 32

    def __init__(self, kind: Kind[S, T]) -> None:
        self.kind = kind

    def observe(self, transaction: Transaction, resource: Resource[S, T]) -> T:
        """The status as it should read now. Pure but for reading."""
        return resource.status

    @final
    def reconcile(self, resource: Resource[S, T], look: Look) -> Observed[T]:
        return Observed(status=look.read(lambda transaction: self.observe(transaction, resource)))

    def remove(self, resource: Resource[S, T], look: Look) -> "Gone | StillRemoving[T]":
        return Gone()
