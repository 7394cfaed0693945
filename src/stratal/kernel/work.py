"""Work rows: which resource wants a look, when, and who is looking.

One row per resource, written in the transaction that gives a reason to look, and kept while the resource
lives: `due_at` is null when nothing is to be done. Claiming takes a lease and raises the fence, so that
whoever held an older lease finds out when it writes. `requested` counts the requests: one that arrives
while somebody is looking is not lost when that look ends.

On PostgreSQL all times here are the server's own: the clocks of its clients may differ by more than a lease.

Rows are locked in the order of their keys, and after the spec rows of the same transaction. That is what
keeps requests, looks and claims from waiting for each other in a circle.

Called by services (through `ask`), by `database` (to write down what was asked), by the reconcile engine
(all else).
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, func, select, update

from stratal.kernel.errors import StratalError
from stratal.kernel.prepared import Prepared
from stratal.kernel.transaction import Transaction
from stratal.kernel.work_statements import FORGET, PUT_BACK, STATEMENTS, WORK, Statement, free

__all__ = ["WORK", "Lease", "LeaseLost"]


class LeaseLost(StratalError):
    """Somebody else may be looking after this resource by now: nothing more may be written."""

    code = "lease_lost"
    template = "the lease on {kind} {id} has moved on"


@dataclass(frozen=True, kw_only=True)
class Lease:
    """The right to reconcile one resource, until `until`."""

    kind: str
    id: int
    owner: str
    fence: int
    #: looks that failed since the last one that did not
    attempts: int
    #: requests that had arrived when the lease was taken
    requested: int


@dataclass(frozen=True, kw_only=True)
class WorkCounts:
    """How many work rows there are, and since when the oldest has been waiting."""

    due: int
    leased: int
    idle: int
    oldest_due_at: datetime | None


def ask(transaction: Transaction, kind: str, id: int) -> None:
    """Ask for a look at a resource as soon as this transaction is durable. Idempotent.

    The row is written at the end of the transaction, and not to be found before.
    """
    transaction.asked.add((kind, id))


def write_down(transaction: Transaction) -> None:
    """Write the rows of all that was asked for in this transaction: the last thing that happens in it."""
    if transaction.asked:
        new = {"attempts": 0, "requested": 1, "fence": 0}
        request, keys = STATEMENTS[transaction.dialect].request, sorted(transaction.asked)
        if transaction.dialect == "postgresql":
            transaction.run(request, {**_keys(transaction, keys), **new})
        else:
            due = {"due_at": transaction.now, **new}
            transaction.run(request, *({"kind": kind, "id": id, **due} for kind, id in keys))


def claim(
    transaction: Transaction,
    *,
    owner: str,
    lease: timedelta,
    most: int,
    room: Mapping[str, int],
    held: Collection[tuple[str, int]] = (),
) -> list[Lease]:
    """Take leases on up to `most` rows that are due and not leased, longest overdue first.

    Takes no more of a kind than there is `room` for, nothing of kinds that are not named there, and none of
    `held`: what the caller is still busy with, though it may have lost the lease.
    """
    statements = STATEMENTS[transaction.dialect]
    left: dict[str, int] = {kind: free for kind, free in room.items() if free > 0}
    taken: set[tuple[str, int]] = set(held)
    rows: list[Any] = []
    while left and len(rows) < most:
        wanted = most - len(rows) + len(taken)
        parameters = {"kinds": _list(transaction, left), "most": wanted}
        found = _rows(transaction, statements.due, {**parameters, **_moment(transaction)})
        for row in found:
            if left.get(row.kind) and (row.kind, row.id) not in taken and len(rows) < most:
                left[row.kind] -= 1
                taken.add((row.kind, row.id))
                rows.append(row)
        left = {kind: free for kind, free in left.items() if free > 0}
        if len(found) < wanted:
            break
    if not rows:
        return []
    keys = [(row.kind, row.id) for row in rows]
    holder = {"by": owner, **_until(transaction, lease)}
    _run(transaction, statements.take, {**_keys(transaction, keys), **holder})
    return [
        Lease(
            kind=row.kind,
            id=row.id,
            owner=owner,
            fence=row.fence + 1,
            attempts=row.attempts,
            requested=row.requested,
        )
        for row in rows
    ]


def renew(transaction: Transaction, leases: Sequence[Lease], lease: timedelta) -> list[Lease]:
    """Extend the leases that are still held. Returns those that are not."""
    extend, until = STATEMENTS[transaction.dialect].extend, _until(transaction, lease)
    return [
        held
        for held in sorted(leases, key=_key)
        if transaction.execute(extend, {**_holder(held), **until}).rowcount == 0
    ]


def confirm(transaction: Transaction, lease: Lease, also: Collection[tuple[str, int]] = ()) -> bool:
    """Raise LeaseLost unless the lease is still the newest; keep it so until this transaction ends.

    True when nothing new was asked for since the lease was taken. `also` names the rows of other resources
    that the transaction will ask for: all are locked here, in order.
    """
    return lease in confirm_all(transaction, [lease], also)


def confirm_all(
    transaction: Transaction, leases: Sequence[Lease], also: Collection[tuple[str, int]] = ()
) -> set[Lease]:
    """`confirm` for many leases. Returns those since which nothing new was asked for."""
    keys = sorted({*map(_key, leases), *also})
    lock = STATEMENTS[transaction.dialect].lock
    rows: dict[tuple[str, int], Any] = {
        (row.kind, row.id): row for row in _rows(transaction, lock, _keys(transaction, keys))
    }
    quiet: set[Lease] = set()
    for lease in leases:
        row = rows.get(_key(lease))
        if row is None or (row.owner, row.fence) != (lease.owner, lease.fence):
            raise LeaseLost(kind=lease.kind, id=lease.id)
        if row.requested == lease.requested:
            quiet.add(lease)
    return quiet


def release(
    transaction: Transaction,
    lease: Lease,
    *,
    after: timedelta | None,
    attempts: int = 0,
    error: str | None = None,
) -> None:
    """Give the lease back. The next look is after so long (None: when it is asked for), or at once when one
    was asked for meanwhile.
    """
    outcome = {**_after(transaction, after), "failures": attempts, "said": error, "seen": lease.requested}
    if transaction.run(STATEMENTS[transaction.dialect].release, {**_holder(lease), **outcome}) == 0:
        raise LeaseLost(kind=lease.kind, id=lease.id)


def release_all(transaction: Transaction, leases: Sequence[Lease]) -> None:
    """Give back leases that were just confirmed. There is nothing more to do, unless it was asked for."""
    nothing_more = {**_after(transaction, None), "failures": 0, "said": None}
    transaction.run(
        STATEMENTS[transaction.dialect].release,
        *({**_holder(lease), **nothing_more, "seen": lease.requested} for lease in leases),
    )


def forget(transaction: Transaction, lease: Lease) -> None:
    """Remove the row of a resource that is gone."""
    if transaction.execute(FORGET, _holder(lease)).rowcount == 0:
        raise LeaseLost(kind=lease.kind, id=lease.id)


def put_back(transaction: Transaction, leases: Sequence[Lease]) -> None:
    """Give leases back as if they had never been taken. Those that are not held any more stay as they are."""
    for lease in sorted(leases, key=_key):
        transaction.execute(PUT_BACK, _holder(lease))


def free_leases_of_the_dead(transaction: Transaction) -> int:
    """Void every lease. Only for a database that one process at a time uses, at the start of that process."""
    statement = update(WORK).where(WORK.c.owner.is_not(None)).values(owner=None, lease_until=None)
    return transaction.execute(statement).rowcount


def rest(
    transaction: Transaction, kinds: Collection[str], held: Collection[tuple[str, int]] = ()
) -> timedelta | None:
    """How long until a row of these kinds is due that nobody holds. Less than nothing: it is overdue."""
    parameters = {"kinds": _list(transaction, kinds), **_keys(transaction, held), **_moment(transaction)}
    [(due, now)] = _rows(transaction, STATEMENTS[transaction.dialect].next_due, parameters)
    return None if due is None else due - now


def count(transaction: Transaction) -> WorkCounts:
    now = func.now() if transaction.dialect == "postgresql" else transaction.now
    leased = ~free(now)
    due = and_(WORK.c.due_at <= now, free(now))
    row: Any = transaction.execute(
        select(
            func.count().filter(due),
            func.count().filter(leased),
            func.count(),
            func.min(WORK.c.due_at).filter(due),
        )
    ).one()
    return WorkCounts(due=row[0], leased=row[1], idle=row[2] - row[0] - row[1], oldest_due_at=row[3])


def _rows(transaction: Transaction, statement: Statement, parameters: Mapping[str, Any]) -> Sequence[Any]:
    if isinstance(statement, Prepared):
        return transaction.rows(statement, parameters)
    return transaction.execute(statement, parameters).all()


def _run(transaction: Transaction, statement: Statement, parameters: Mapping[str, Any]) -> None:
    if isinstance(statement, Prepared):
        transaction.run(statement, parameters)
    else:
        transaction.execute(statement, parameters)


def _keys(transaction: Transaction, keys: Collection[tuple[str, int]]) -> dict[str, Any]:
    """What the statements about a set of rows are given."""
    if transaction.dialect == "postgresql":
        return {"key_kinds": [kind for kind, _ in keys], "key_ids": [id for _, id in keys]}
    return {"keys": json.dumps(list(keys))}


def _list(transaction: Transaction, kinds: Collection[str]) -> Any:
    return list(kinds) if transaction.dialect == "postgresql" else json.dumps(list(kinds))


def _moment(transaction: Transaction) -> dict[str, Any]:
    """The time that it is now, where that is not the database's own."""
    return {} if transaction.dialect == "postgresql" else {"moment": transaction.now}


def _until(transaction: Transaction, lease: timedelta) -> dict[str, Any]:
    """The end of a lease that is taken now."""
    return {"lease": lease} if transaction.dialect == "postgresql" else {"until": transaction.now + lease}


def _after(transaction: Transaction, after: timedelta | None) -> dict[str, Any]:
    """The time that is so long after now."""
    if transaction.dialect == "postgresql":
        return {"rest": after}
    return {"next": None if after is None else transaction.now + after}


def _holder(lease: Lease) -> dict[str, Any]:
    return {"of": lease.kind, "one": lease.id, "by": lease.owner, "under": lease.fence}


def _key(lease: Lease) -> tuple[str, int]:
    return lease.kind, lease.id
