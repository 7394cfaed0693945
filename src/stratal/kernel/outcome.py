"""Writing down what a reconciler saw, in one transaction with the end of its lease. Called by `engine`."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, TypeVar

from stratal.kernel import work
from stratal.kernel.fields import Spec, Status
from stratal.kernel.journal import Level, finish_all_audits, finish_audits, record_event
from stratal.kernel.labels import drop_labels
from stratal.kernel.reconcile import Gone, Observed, RecordReconciler, StillRemoving
from stratal.kernel.store import Resource, Store
from stratal.kernel.transaction import Transaction
from stratal.kernel.work import Lease

S = TypeVar("S", bound=Spec)
T = TypeVar("T", bound=Status)


def record_outcome(
    transaction: Transaction,
    store: Store[Any, Any],
    lease: Lease,
    result: Observed[Any] | StillRemoving[Any] | Gone,
) -> None:
    """Write the status, the times of life and the events that follow from it, and release the lease.

    Raises LeaseLost, with nothing written, when somebody else may be looking by now.
    """
    # read again: the reconciler may have written something itself, and requests may have come in
    before = store.get(transaction, lease.id, lock=True, labels=False)
    if before is None:
        work.forget(transaction, lease)
        return
    nothing_new_asked = work.confirm(transaction, lease, also=_referenced(before))
    _record(transaction, store, lease, before, result, nothing_new_asked=nothing_new_asked)


def observe_together(
    transaction: Transaction,
    store: Store[S, T],
    reconciler: RecordReconciler[S, T],
    leases: Sequence[Lease],
) -> list[Lease]:
    """Look at records, which takes nothing but this database, and write down what was seen.

    Leaves alone what is gone or on its way out; returns the leases of that. Raises LeaseLost, with nothing
    written, when somebody else may be looking at one of them by now.
    """
    found = {each.id: each for each in store.lock(transaction, [lease.id for lease in leases])}
    live = {
        lease: found[lease.id]
        for lease in leases
        if lease.id in found and found[lease.id].spec.deletion_begin is None
    }
    seen = {lease: reconciler.observe(transaction, before) for lease, before in live.items()}
    also = {key for before in live.values() for key in _referenced(before)}
    quiet = work.confirm_all(transaction, list(live), also)
    for lease, before in live.items():
        _observe(transaction, store, before, seen[lease], [])
        if lease in quiet and before.spec.creation_finish is None:
            _finish_creation(transaction, store, before)
    finish_all_audits(transaction, store.kind.name, [lease.id for lease in quiet])
    work.release_all(transaction, list(live))
    return [lease for lease in leases if lease not in live]


def _record(
    transaction: Transaction,
    store: Store[Any, Any],
    lease: Lease,
    before: Resource[Any, Any],
    result: Observed[Any] | StillRemoving[Any] | Gone,
    *,
    nothing_new_asked: bool,
) -> None:
    match result:
        case Gone():
            _bury(transaction, store, before)
            work.forget(transaction, lease)
            wake_referenced(transaction, before)
            finish_audits(transaction, lease.kind, lease.id)
        case StillRemoving(status=status, again_after=again_after):
            _observe(transaction, store, before, status, before.irreconcilable)
            work.release(transaction, lease, after=again_after)
        case Observed():
            _observe(transaction, store, before, result.status, sorted(result.irreconcilable))
            _explain(transaction, before, result)
            after = result.again_after
            if not result.settled:
                after = after or timedelta(0)
            elif nothing_new_asked:
                if before.spec.creation_finish is None:
                    _finish_creation(transaction, store, before)
                finish_audits(transaction, lease.kind, lease.id)
            work.release(transaction, lease, after=after)


def wake_referenced(transaction: Transaction, resource: Resource[Any, Any]) -> None:
    """Ask for a look at whatever this resource refers to, because something about it changed."""
    for kind, id in _referenced(resource):
        work.ask(transaction, kind, id)


def _referenced(resource: Resource[Any, Any]) -> list[tuple[str, int]]:
    targets = (
        (reference.kind, getattr(resource.spec, reference.field)) for reference in resource.kind.references
    )
    return [(kind, target) for kind, target in targets if target is not None]


def _observe(
    transaction: Transaction,
    store: Store[Any, Any],
    before: Resource[Any, Any],
    status: Any,
    irreconcilable: list[str],
) -> None:
    if status == before.status and irreconcilable == before.irreconcilable:
        return
    store.change_status(transaction, before.id, status, irreconcilable)
    wake_referenced(transaction, before)


def _explain(transaction: Transaction, before: Resource[Any, Any], result: Observed[Any]) -> None:
    for name, reason in result.irreconcilable.items():
        if name not in before.irreconcilable:
            _event(
                transaction,
                before,
                "field_irreconcilable",
                f"{name} cannot change now: {reason}",
                Level.WARNING,
            )


def _finish_creation(transaction: Transaction, store: Store[Any, Any], resource: Resource[Any, Any]) -> None:
    store.mark(transaction, resource.id, {"creation_finish": transaction.now})
    # its status may have said all there is to say in an earlier look, whose end a request overtook
    wake_referenced(transaction, resource)
    _event(transaction, resource, f"{resource.kind.name}_created", f"{resource.spec.name} was created")


def _bury(transaction: Transaction, store: Store[Any, Any], resource: Resource[Any, Any]) -> None:
    store.bury(transaction, resource.id)
    drop_labels(transaction, resource.kind.name, resource.id)
    _event(transaction, resource, f"{resource.kind.name}_deleted", f"{resource.spec.name} was deleted")


def _event(
    transaction: Transaction,
    resource: Resource[Any, Any],
    event: str,
    message: str,
    level: Level = Level.INFO,
) -> None:
    record_event(
        transaction,
        event,
        message=message,
        level=level,
        resource_type=resource.kind.name,
        resource_id=resource.id,
        resource_name=resource.spec.name,
        project_id=getattr(resource.spec, "project_id", None),
    )
