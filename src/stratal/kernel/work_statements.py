"""The table of work rows, and the statements about them. Called by `work` only."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    ColumnClause,
    ColumnElement,
    Executable,
    Index,
    Integer,
    Interval,
    Select,
    Table,
    Text,
    Update,
    and_,
    any_,
    bindparam,
    case,
    func,
    literal_column,
    not_,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from stratal.kernel.columns import UtcTime
from stratal.kernel.prepared import Prepared
from stratal.kernel.tables import METADATA

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

Statement = Prepared | Executable
Insert = sqlite.Insert | postgresql.Insert


def _request(insert: Insert) -> Insert:
    # whoever has been waiting longer keeps their place in the queue
    earlier = case((WORK.c.due_at < insert.excluded.due_at, WORK.c.due_at), else_=insert.excluded.due_at)
    return insert.on_conflict_do_update(
        index_elements=[WORK.c.kind, WORK.c.id],
        set_={"due_at": earlier, "attempts": 0, "requested": WORK.c.requested + 1},
    )


def free(moment: Any) -> ColumnElement[bool]:
    return or_(WORK.c.lease_until.is_(None), WORK.c.lease_until <= moment)


@dataclass(frozen=True, kw_only=True)
class Statements:
    """What differs between the databases: how a row is written over, whose clock counts, and how a set of
    values is handed over: to SQLite as JSON, to PostgreSQL as arrays, which leaves the statement the same.
    """

    request: Prepared
    due: Statement
    take: Statement
    lock: Statement
    extend: Executable
    release: Prepared
    #: a row of the earliest `due_at` and the time that it is now
    next_due: Statement


_KEY = tuple_(WORK.c.kind, WORK.c.id)
_HELD = and_(
    WORK.c.kind == bindparam("of"),
    WORK.c.id == bindparam("one"),
    WORK.c.owner == bindparam("by"),
    WORK.c.fence == bindparam("under"),
)
_ASKED_AGAIN = WORK.c.requested != bindparam("seen")
PUT_BACK = update(WORK).where(_HELD).values(owner=None, lease_until=None)
FORGET = WORK.delete().where(_HELD)


def _due(of_kinds: ColumnElement[bool], moment: Any) -> Select[*tuple[Any, ...]]:
    columns = (WORK.c.kind, WORK.c.id, WORK.c.fence, WORK.c.attempts, WORK.c.requested)
    return (
        select(*columns)
        .where(WORK.c.due_at <= moment, free(moment), of_kinds)
        .order_by(WORK.c.due_at)
        .limit(bindparam("most"))
        .with_for_update(skip_locked=True)
    )


def _take(these: ColumnElement[bool], until: Any) -> Update:
    fence = WORK.c.fence + 1
    return update(WORK).where(these).values(owner=bindparam("by"), lease_until=until, fence=fence)


def _lock(these: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    columns = (WORK.c.kind, WORK.c.id, WORK.c.owner, WORK.c.fence, WORK.c.requested)
    return select(*columns).where(these).order_by(WORK.c.kind, WORK.c.id).with_for_update(of=WORK)


def _extend(until: Any) -> Update:
    return update(WORK).where(_HELD).values(lease_until=until)


def _release(due_at: Any) -> Prepared:
    values: dict[str, Any] = {
        "due_at": case((_ASKED_AGAIN, WORK.c.due_at), else_=due_at),
        "attempts": case((_ASKED_AGAIN, 0), else_=bindparam("failures", type_=Integer())),
        "error": bindparam("said"),
    }
    return Prepared(PUT_BACK.values(values))


def _next_due(of_kinds: ColumnElement[bool], these: ColumnElement[bool], moment: Any) -> Select[Any, Any]:
    return select(func.min(WORK.c.due_at), moment).where(
        WORK.c.due_at.is_not(None), free(moment), of_kinds, not_(these)
    )


def _on_sqlite() -> Statements:
    moment, until = bindparam("moment", type_=UtcTime()), bindparam("until", type_=UtcTime())
    # SQLite has no index for `(kind, id) IN (…)`: it would go through the whole table. One join finds each.
    wanted = func.json_each(bindparam("keys", type_=Text())).table_valued("value", name="wanted")
    found = WORK.alias("found")
    rowid: ColumnClause[int] = literal_column("found.rowid", Integer())
    matching = and_(
        found.c.kind == func.json_extract(wanted.c.value, "$[0]"),
        found.c.id == func.json_extract(wanted.c.value, "$[1]"),
    )
    these = literal_column("work.rowid", Integer()).in_(
        select(rowid).select_from(wanted.join(found, matching))
    )
    kinds = func.json_each(bindparam("kinds", type_=Text())).table_valued("value", name="kinds")
    # the plus keeps SQLite from going through all rows of a kind, where the few that are due are wanted
    of_kinds = literal_column("+work.kind", Text()).in_(select(kinds.c.value))
    columns = ["kind", "id", "due_at", "attempts", "requested", "fence"]
    return Statements(
        request=Prepared(_request(sqlite.insert(WORK)), columns),
        due=Prepared(_due(of_kinds, moment)),
        take=Prepared(_take(these, until)),
        lock=Prepared(_lock(these)),
        extend=_extend(until),
        release=_release(bindparam("next", type_=UtcTime())),
        next_due=_next_due(of_kinds, these, moment),
    )


def _on_postgresql() -> Statements:
    now = func.now()
    until = now + bindparam("lease", type_=Interval())
    arrays = (bindparam("key_kinds", type_=ARRAY(Text)), bindparam("key_ids", type_=ARRAY(BigInteger)))
    keys = func.unnest(*arrays).table_valued("kind", "id", name="keys").render_derived()
    these = _KEY.in_(select(keys.c.kind, keys.c.id))
    of_kinds = WORK.c.kind == any_(bindparam("kinds", type_=ARRAY(Text)))
    asked = select(
        keys.c.kind,
        keys.c.id,
        now,
        *(bindparam(name, type_=Integer()) for name in ("attempts", "requested", "fence")),
    ).order_by(keys.c.kind, keys.c.id)
    columns = ["kind", "id", "due_at", "attempts", "requested", "fence"]
    return Statements(
        request=Prepared(_request(postgresql.insert(WORK).from_select(columns, asked))),
        due=Prepared(_due(of_kinds, now)),
        take=Prepared(_take(these, until)),
        lock=Prepared(_lock(these)),
        extend=_extend(until),
        release=_release(now + bindparam("rest", type_=Interval())),
        next_due=Prepared(_next_due(of_kinds, these, now)),
    )


STATEMENTS = {"sqlite": _on_sqlite(), "postgresql": _on_postgresql()}
