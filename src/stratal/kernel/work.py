"""Work rows: which resource wants a look, when, and who is looking.

One row per resource, written in the transaction that gives a reason to look, and kept while the resource
lives: `due_at` is null when nothing is to be done. Claiming takes a lease and raises the fence, so that
whoever held an older lease finds out when it writes. `requested` counts the requests: one that arrives
while somebody is looking is not lost when that look ends.

Called by services (through `ask`), by the reconcile engine (all else).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    Table,
    Text,
    and_,
    case,
    func,
    literal,
    or_,
    select,
    tuple_,
    update,
)

from stratal.kernel.columns import UtcTime
from stratal.kernel.errors import StratalError
from stratal.kernel.tables import METADATA
from stratal.kernel.transaction import Transaction

WORK = Table(
    "work",
    METADATA,
    Column("kind", Text, primary_key=True),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("due_at", UtcTime),
    Column("attempts", Integer, nullable=False),
    Column("requested", BigInteger, nullable=False),
    Column("owner", Text),
    Column("lease_until", UtcTime),
    Column("fence", BigInteger, nullable=False),
    Column("error", Text),
)
Index(
    "ix_work_due_at",
    WORK.c.due_at,
    sqlite_where=WORK.c.due_at.is_not(None),
    postgresql_where=WORK.c.due_at.is_not(None),
)


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
    """Ask for a look at a resource as soon as this transaction is durable. Idempotent."""
    statement = transaction.insert(WORK).values(
        kind=kind, id=id, due_at=transaction.now, attempts=0, requested=1, fence=0
    )
    transaction.execute(
        statement.on_conflict_do_update(
            index_elements=[WORK.c.kind, WORK.c.id],
            set_={"due_at": transaction.now, "attempts": 0, "requested": WORK.c.requested + 1},
        )
    )
    transaction.wakes_engine = True


def claim(
    transaction: Transaction, *, owner: str, lease: timedelta, most: int, full_kinds: Collection[str]
) -> list[Lease]:
    """Take leases on up to `most` rows that are due and not leased, longest overdue first."""
    free = or_(WORK.c.lease_until.is_(None), WORK.c.lease_until <= transaction.now)
    statement = (
        select(WORK.c.kind, WORK.c.id, WORK.c.fence, WORK.c.attempts, WORK.c.requested)
        .where(WORK.c.due_at <= transaction.now, free)
        .order_by(WORK.c.due_at)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    if full_kinds:
        statement = statement.where(WORK.c.kind.not_in(full_kinds))
    rows = transaction.execute(statement).all()
    if not rows:
        return []
    until = transaction.now + lease
    transaction.execute(
        update(WORK)
        .where(tuple_(WORK.c.kind, WORK.c.id).in_([(row.kind, row.id) for row in rows]))
        .values(owner=owner, lease_until=until, fence=WORK.c.fence + 1)
    )
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
    until = transaction.now + lease
    return [
        held
        for held in leases
        if transaction.execute(update(WORK).where(_held(held)).values(lease_until=until)).rowcount == 0
    ]


def confirm(transaction: Transaction, lease: Lease) -> bool:
    """Raise LeaseLost unless the lease is still the newest; keep it so until this transaction ends.

    True when nothing new was asked for since the lease was taken.
    """
    statement = select(WORK.c.requested).where(_held(lease)).with_for_update()
    requested = transaction.execute(statement).scalar_one_or_none()
    if requested is None:
        raise LeaseLost(kind=lease.kind, id=lease.id)
    return requested == lease.requested


def release(
    transaction: Transaction,
    lease: Lease,
    *,
    due_at: datetime | None,
    attempts: int = 0,
    error: str | None = None,
) -> None:
    """Give the lease back. The next look is at `due_at`, or at once when one was asked for meanwhile."""
    again = WORK.c.requested != lease.requested
    result = transaction.execute(
        update(WORK)
        .where(_held(lease))
        .values(
            owner=None,
            lease_until=None,
            due_at=case((again, WORK.c.due_at), else_=literal(due_at, UtcTime())),
            attempts=case((again, 0), else_=attempts),
            error=error,
        )
    )
    if result.rowcount == 0:
        raise LeaseLost(kind=lease.kind, id=lease.id)


def forget(transaction: Transaction, lease: Lease) -> None:
    """Remove the row of a resource that is gone."""
    if transaction.execute(WORK.delete().where(_held(lease))).rowcount == 0:
        raise LeaseLost(kind=lease.kind, id=lease.id)


def free_leases_of_the_dead(transaction: Transaction) -> int:
    """Void every lease. Only for a database that one process at a time uses, at the start of that process."""
    statement = update(WORK).where(WORK.c.owner.is_not(None)).values(owner=None, lease_until=None)
    return transaction.execute(statement).rowcount


def next_due(transaction: Transaction) -> datetime | None:
    """When the next row that nobody holds becomes due."""
    free = or_(WORK.c.lease_until.is_(None), WORK.c.lease_until <= transaction.now)
    return transaction.execute(select(func.min(WORK.c.due_at)).where(free)).scalar_one()


def count(transaction: Transaction) -> WorkCounts:
    leased = and_(WORK.c.lease_until.is_not(None), WORK.c.lease_until > transaction.now)
    due = and_(WORK.c.due_at <= transaction.now, ~func.coalesce(leased, False))
    row: Any = transaction.execute(
        select(
            func.count().filter(due),
            func.count().filter(leased),
            func.count(),
            func.min(WORK.c.due_at).filter(due),
        )
    ).one()
    return WorkCounts(due=row[0], leased=row[1], idle=row[2] - row[0] - row[1], oldest_due_at=row[3])


def _held(lease: Lease) -> Any:
    return and_(
        WORK.c.kind == lease.kind,
        WORK.c.id == lease.id,
        WORK.c.owner == lease.owner,
        WORK.c.fence == lease.fence,
    )
