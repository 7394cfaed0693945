"""Work rows: which resource wants a look, when, and who is looking.

One row per resource, written in the transaction that gives a reason to look, and kept while the resource
lives: `due_at` is null when nothing is to be done. Claiming takes a lease and raises the fence, so that
whoever held an older lease finds out when it writes. `requested` counts the requests: one that arrives
while somebody is looking is not lost when that look ends.

Lease times are PostgreSQL's own, since the clocks of its clients may differ by more than a lease.

Rows are locked in the order of their keys, and after the spec rows of the same transaction. That is what
keeps requests, looks and claims from waiting for each other in a circle.

Called by services (through `ask`), by `database` (to write down what was asked), by the reconcile engine
(all else).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    BindParameter,
    Column,
    ColumnElement,
    Executable,
    Index,
    Integer,
    Interval,
    Table,
    Text,
    and_,
    bindparam,
    case,
    func,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from stratal.kernel.columns import UtcTime
from stratal.kernel.errors import StratalError
from stratal.kernel.prepared import Prepared
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
    """Ask for a look at a resource as soon as this transaction is durable. Idempotent.

    The row is written at the end of the transaction, and not to be found before.
    """
    transaction.asked.add((kind, id))


def write_down(transaction: Transaction) -> None:
    """Write the rows of all that was asked for in this transaction: the last thing that happens in it."""
    if transaction.asked:
        new = {"due_at": transaction.now, "attempts": 0, "requested": 1, "fence": 0}
        transaction.run(
            _STATEMENTS[transaction.dialect].request,
            *({"kind": kind, "id": id, **new} for kind, id in sorted(transaction.asked)),
        )


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
    statements = _STATEMENTS[transaction.dialect]
    left: dict[str, int] = {kind: free for kind, free in room.items() if free > 0}
    taken: set[tuple[str, int]] = set(held)
    rows: list[Any] = []
    while left and len(rows) < most:
        wanted = most - len(rows) + len(taken)
        parameters = {"due": transaction.now, "kinds": list(left), "most": wanted}
        found = transaction.execute(statements.due, {**parameters, **_moment(transaction)}).all()
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
    transaction.execute(statements.take, {"by": owner, "keys": keys, **_until(transaction, lease)})
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
    extend, until = _STATEMENTS[transaction.dialect].extend, _until(transaction, lease)
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
    rows: dict[tuple[str, int], Any] = {
        (row.kind, row.id): row for row in transaction.execute(_LOCK, {"keys": keys})
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
    due_at: datetime | None,
    attempts: int = 0,
    error: str | None = None,
) -> None:
    """Give the lease back. The next look is at `due_at`, or at once when one was asked for meanwhile."""
    outcome = {"next": due_at, "failures": attempts, "said": error, "seen": lease.requested}
    if transaction.run(_RELEASE, {**_holder(lease), **outcome}) == 0:
        raise LeaseLost(kind=lease.kind, id=lease.id)


def release_all(transaction: Transaction, leases: Sequence[Lease]) -> None:
    """Give back leases that were just confirmed. There is nothing more to do, unless it was asked for."""
    nothing_more = {"next": None, "failures": 0, "said": None}
    transaction.run(
        _RELEASE, *({**_holder(lease), **nothing_more, "seen": lease.requested} for lease in leases)
    )


def forget(transaction: Transaction, lease: Lease) -> None:
    """Remove the row of a resource that is gone."""
    if transaction.execute(_FORGET, _holder(lease)).rowcount == 0:
        raise LeaseLost(kind=lease.kind, id=lease.id)


def put_back(transaction: Transaction, leases: Sequence[Lease]) -> None:
    """Give leases back as if they had never been taken. Those that are not held any more stay as they are."""
    for lease in sorted(leases, key=_key):
        transaction.execute(_PUT_BACK, _holder(lease))


def free_leases_of_the_dead(transaction: Transaction) -> int:
    """Void every lease. Only for a database that one process at a time uses, at the start of that process."""
    statement = update(WORK).where(WORK.c.owner.is_not(None)).values(owner=None, lease_until=None)
    return transaction.execute(statement).rowcount


def next_due(
    transaction: Transaction, kinds: Collection[str], held: Collection[tuple[str, int]] = ()
) -> datetime | None:
    """When the next row of these kinds becomes due that nobody holds."""
    parameters = {"kinds": list(kinds), "keys": list(held), **_moment(transaction)}
    return transaction.execute(_STATEMENTS[transaction.dialect].next_due, parameters).scalar_one()


def count(transaction: Transaction) -> WorkCounts:
    free = _free(func.now() if transaction.dialect == "postgresql" else transaction.now)
    leased = ~free
    due = and_(WORK.c.due_at <= transaction.now, free)
    row: Any = transaction.execute(
        select(
            func.count().filter(due),
            func.count().filter(leased),
            func.count(),
            func.min(WORK.c.due_at).filter(due),
        )
    ).one()
    return WorkCounts(due=row[0], leased=row[1], idle=row[2] - row[0] - row[1], oldest_due_at=row[3])


def _request(insert: sqlite.Insert | postgresql.Insert) -> sqlite.Insert | postgresql.Insert:
    # whoever has been waiting longer keeps their place in the queue
    earlier = case((WORK.c.due_at < insert.excluded.due_at, WORK.c.due_at), else_=insert.excluded.due_at)
    return insert.on_conflict_do_update(
        index_elements=[WORK.c.kind, WORK.c.id],
        set_={"due_at": earlier, "attempts": 0, "requested": WORK.c.requested + 1},
    )


def _free(moment: Any) -> ColumnElement[bool]:
    return or_(WORK.c.lease_until.is_(None), WORK.c.lease_until <= moment)


@dataclass(frozen=True, kw_only=True)
class _Statements:
    """What differs between the databases: how a row is written over, and whose clock leases go by."""

    request: Prepared
    due: Executable
    take: Executable
    extend: Executable
    next_due: Executable


_KEY = tuple_(WORK.c.kind, WORK.c.id)
_KINDS: BindParameter[Any] = bindparam("kinds", expanding=True)
_KEYS: BindParameter[Any] = bindparam("keys", expanding=True)
_HELD = and_(
    WORK.c.kind == bindparam("of"),
    WORK.c.id == bindparam("one"),
    WORK.c.owner == bindparam("by"),
    WORK.c.fence == bindparam("under"),
)
_ASKED_AGAIN = WORK.c.requested != bindparam("seen")
_LOCK = (
    select(WORK.c.kind, WORK.c.id, WORK.c.owner, WORK.c.fence, WORK.c.requested)
    .where(_KEY.in_(_KEYS))
    .order_by(WORK.c.kind, WORK.c.id)
    .with_for_update()
)
_PUT_BACK = update(WORK).where(_HELD).values(owner=None, lease_until=None)
_RELEASE = Prepared(
    _PUT_BACK.values(
        due_at=case((_ASKED_AGAIN, WORK.c.due_at), else_=bindparam("next", type_=UtcTime())),
        attempts=case((_ASKED_AGAIN, 0), else_=bindparam("failures", type_=Integer())),
        error=bindparam("said"),
    )
)
_FORGET = WORK.delete().where(_HELD)


def _statements(insert: sqlite.Insert | postgresql.Insert, moment: Any, until: Any) -> _Statements:
    due = select(WORK.c.kind, WORK.c.id, WORK.c.fence, WORK.c.attempts, WORK.c.requested)
    return _Statements(
        request=Prepared(_request(insert), ["kind", "id", "due_at", "attempts", "requested", "fence"]),
        due=due.where(WORK.c.due_at <= bindparam("due"), _free(moment), WORK.c.kind.in_(_KINDS))
        .order_by(WORK.c.due_at)
        .limit(bindparam("most"))
        .with_for_update(skip_locked=True),
        take=update(WORK)
        .where(_KEY.in_(_KEYS))
        .values(owner=bindparam("by"), lease_until=until, fence=WORK.c.fence + 1),
        extend=update(WORK).where(_HELD).values(lease_until=until),
        next_due=select(func.min(WORK.c.due_at)).where(
            _free(moment), WORK.c.kind.in_(_KINDS), _KEY.not_in(_KEYS)
        ),
    )


_STATEMENTS = {
    "sqlite": _statements(
        sqlite.insert(WORK), bindparam("moment", type_=UtcTime()), bindparam("until", type_=UtcTime())
    ),
    "postgresql": _statements(
        postgresql.insert(WORK), func.now(), func.now() + bindparam("lease", type_=Interval())
    ),
}


def _moment(transaction: Transaction) -> dict[str, Any]:
    """The moment that leases are compared with, where it is not the database's own."""
    return {} if transaction.dialect == "postgresql" else {"moment": transaction.now}


def _until(transaction: Transaction, lease: timedelta) -> dict[str, Any]:
    """The end of a lease that is taken now."""
    return {"lease": lease} if transaction.dialect == "postgresql" else {"until": transaction.now + lease}


def _holder(lease: Lease) -> dict[str, Any]:
    return {"of": lease.kind, "one": lease.id, "by": lease.owner, "under": lease.fence}


def _key(lease: Lease) -> tuple[str, int]:
    return lease.kind, lease.id
