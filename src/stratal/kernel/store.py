"""The rows of one kind: reading resources and writing their two halves.

Called by `service` (which alone writes what is wanted) and by the reconcile engine (which alone writes what
was observed). Rows with `deleted_at` set are tombstones and are never seen from here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar

from sqlalchemy import BindParameter, ColumnElement, Insert, Row, Update, bindparam, func, select, update

from stratal.kernel.fields import Spec, Status
from stratal.kernel.kind import AnyKind, Kind
from stratal.kernel.labels import Label, labels_of, labels_of_one
from stratal.kernel.prepared import Prepared
from stratal.kernel.state import ResourceState, derive_state
from stratal.kernel.transaction import Transaction

S = TypeVar("S", bound=Spec)
T = TypeVar("T", bound=Status)


@dataclass(kw_only=True)
class Resource(Generic[S, T]):
    """One resource, as it was at the moment of its transaction."""

    kind: Kind[S, T]
    spec: S
    status: T
    irreconcilable: list[str]
    labels: list[Label]

    @property
    def id(self) -> int:
        return self.spec.id

    @property
    def state(self) -> ResourceState:
        return derive_state(self.spec, self.status, self.irreconcilable)


@dataclass(frozen=True, kw_only=True)
class Listing(Generic[S, T]):
    """A page of resources, and how many there are on all pages."""

    items: list[Resource[S, T]]
    total_count: int


class _Statements:
    """The statements of one kind's rows."""

    def __init__(self, kind: AnyKind) -> None:
        spec, status = kind.tables.spec, kind.tables.status
        wanted_names: tuple[str, ...] = kind.spec.__struct_fields__
        observed_names: tuple[str, ...] = kind.status.__struct_fields__
        self.all = (
            select(
                *(spec.c[name] for name in wanted_names),
                *(status.c[name] for name in observed_names),
                status.c.irreconcilable,
            )
            .join_from(spec, status, spec.c.id == status.c.id)
            .where(spec.c.deleted_at.is_(None))
        )
        one = self.all.where(spec.c.id == bindparam("wanted"))
        self.one = Prepared(one)
        self.locked = Prepared(one.with_for_update(of=spec))
        self.shared = Prepared(one.with_for_update(of=spec, read=True))
        wanted: BindParameter[Any] = bindparam("wanted", expanding=True)
        self.many_locked = self.all.where(spec.c.id.in_(wanted)).order_by(spec.c.id).with_for_update(of=spec)
        self._spec = spec
        self._by: dict[str, Prepared] = {}
        self._counts: dict[str, Prepared] = {}
        #: what writes, by the columns that it sets
        self._writing: dict[tuple[Insert | Update, tuple[str, ...]], Prepared] = {}
        self.change_spec = update(spec).where(spec.c.id == bindparam("wanted"))
        self.change_and_show_spec = self.change_spec.returning(*(spec.c[name] for name in wanted_names))
        self.change_status = update(status).where(status.c.id == bindparam("wanted"))
        self.insert_spec = spec.insert().returning(spec.c.id)
        self.insert_status = status.insert()

    def setting(self, statement: Insert | Update, values: Mapping[str, Any]) -> Prepared:
        """One of those that write, for the columns that these are values of."""
        columns = tuple(values)
        found = self._writing.get((statement, columns))
        if found is None:
            found = self._writing[statement, columns] = Prepared(statement, columns)
        return found

    def with_value(self, name: str) -> Prepared:
        """All resources with a value of a spec's column, which is the parameter `value`."""
        found = self._by.get(name)
        if found is None:
            matching = self._spec.c[name] == bindparam("value", type_=self._spec.c[name].type)
            found = self._by[name] = Prepared(self.all.where(matching).order_by(self._spec.c.id))
        return found

    def count_with_value(self, name: str) -> Prepared:
        """How many of those there are."""
        found = self._counts.get(name)
        if found is None:
            matching = self._spec.c[name] == bindparam("value", type_=self._spec.c[name].type)
            counted = select(func.count()).where(self._spec.c.deleted_at.is_(None), matching)
            found = self._counts[name] = Prepared(counted)
        return found


@cache
def _statements_of(kind: AnyKind) -> _Statements:
    """Built and compiled once, however many stores a kind has: that takes longer than to execute them."""
    return _Statements(kind)


class Store(Generic[S, T]):
    """The rows of one kind. Stateless, and cheap to make: its statements are shared."""

    def __init__(self, kind: Kind[S, T]) -> None:
        self.kind = kind
        self._spec, self._status = kind.tables.spec, kind.tables.status
        self._spec_fields = kind.spec.__struct_fields__
        self._status_fields = kind.status.__struct_fields__
        self._statements = _statements_of(kind)

    def get(
        self, transaction: Transaction, id: int, *, lock: bool = False, labels: bool = True
    ) -> Resource[S, T] | None:
        """The resource, or None. With `lock`, nobody else changes its spec until the transaction ends."""
        rows = transaction.rows(self._statements.locked if lock else self._statements.one, {"wanted": id})
        if not rows:
            return None
        return self._resource(rows[0], labels_of_one(transaction, self.kind.name, id) if labels else [])

    def hold(self, transaction: Transaction, id: int) -> Resource[S, T] | None:
        """The resource without its labels, or None. Nobody changes its spec until the transaction ends, but
        any number of transactions may hold it.
        """
        rows = transaction.rows(self._statements.shared, {"wanted": id})
        return self._resource(rows[0], []) if rows else None

    def lock(self, transaction: Transaction, ids: Sequence[int]) -> list[Resource[S, T]]:
        """Those of these resources that there are, without their labels. Nobody else changes their specs
        until the transaction ends.
        """
        rows = transaction.execute(self._statements.many_locked, {"wanted": list(ids)}).all()
        return [self._resource(row, []) for row in rows]

    def find(
        self, transaction: Transaction, *where: ColumnElement[bool], labels: bool = True
    ) -> list[Resource[S, T]]:
        """Every resource for which all conditions hold, in the order of their ids."""
        rows = transaction.execute(self._statements.all.where(*where).order_by(self._spec.c.id)).all()
        return self._resources(transaction, rows) if labels else [self._resource(row, []) for row in rows]

    def with_value(self, transaction: Transaction, name: str, value: object) -> list[Resource[S, T]]:
        """Every resource with this value in a column of its spec, by their ids, without their labels."""
        rows = transaction.rows(self._statements.with_value(name), {"value": value})
        return [self._resource(row, []) for row in rows]

    def count_with_value(self, transaction: Transaction, name: str, value: object) -> int:
        """How many of those there are."""
        [row] = transaction.rows(self._statements.count_with_value(name), {"value": value})
        return int(row[0])

    def page(
        self,
        transaction: Transaction,
        where: Sequence[ColumnElement[bool]],
        order_by: Sequence[ColumnElement[Any]],
        *,
        limit: int,
        offset: int,
    ) -> Listing[S, T]:
        """A page of the resources for which all conditions hold, and the count of all of them."""
        chosen = self._statements.all.where(*where)
        rows = transaction.execute(chosen.order_by(*order_by).limit(limit).offset(offset)).all()
        if 0 < len(rows) < limit or (not rows and offset == 0 and limit > 0):
            total = offset + len(rows)
        else:
            total = self.count(transaction, *where)
        return Listing(items=self._resources(transaction, rows), total_count=total)

    def count(self, transaction: Transaction, *where: ColumnElement[bool]) -> int:
        """How many live resources there are for which all conditions hold."""
        statement = select(func.count()).where(self._spec.c.deleted_at.is_(None), *where)
        # the status table is joined only where a condition asks for it: a count over one table can
        # be answered from an index
        tables = {
            column.table for clause in where for column in _columns_in(clause) if column.table is not None
        }
        source = self._spec
        if self._status in tables:
            source = self._spec.join(self._status, self._spec.c.id == self._status.c.id)
        return transaction.execute(statement.select_from(source)).scalar_one()

    def insert(self, transaction: Transaction, spec: Mapping[str, Any]) -> int:
        """Write the rows of a new resource, nothing observed yet. Returns its id."""
        base: dict[str, Any] = {"created_at": transaction.now, "updated_at": transaction.now}
        values = {**base, "etag": transaction.entropy.etag(), "uuid": transaction.entropy.uuid(), **spec}
        statements = self._statements
        [row] = transaction.rows(statements.setting(statements.insert_spec, values), values)
        id = int(row[0])
        fresh = self.kind.status(id=id, etag=transaction.entropy.etag(), **base)
        observed: dict[str, Any] = {name: getattr(fresh, name) for name in self._status_fields}
        observed["irreconcilable"] = []
        transaction.run(statements.setting(statements.insert_status, observed), observed)
        return id

    def change_spec(self, transaction: Transaction, id: int, values: Mapping[str, Any]) -> S:
        """Write columns of the spec as a user's change: a new etag, and `updated_at` moves. Returns the spec
        as it is now.
        """
        stamped = {"etag": transaction.entropy.etag(), "updated_at": transaction.now, **values}
        statements = self._statements
        change = statements.setting(statements.change_and_show_spec, stamped)
        [row] = transaction.rows(change, {**stamped, "wanted": id})
        return self.kind.spec(**dict(zip(self._spec_fields, row, strict=True)))

    def mark(self, transaction: Transaction, id: int, values: Mapping[str, Any]) -> None:
        """Write columns of the spec that no user sets (times of its life, private ones): the etag stays."""
        statements = self._statements
        transaction.run(statements.setting(statements.change_spec, values), {**values, "wanted": id})

    def change_status(
        self, transaction: Transaction, id: int, status: T, irreconcilable: Sequence[str]
    ) -> None:
        """Write what was observed."""
        values = {name: getattr(status, name) for name in self._status_fields if name != "id"}
        stamped = {
            **values,
            "etag": transaction.entropy.etag(),
            "updated_at": transaction.now,
            "irreconcilable": list(irreconcilable),
        }
        self._write_status(transaction, id, stamped)

    def bury(self, transaction: Transaction, id: int) -> None:
        """Turn both rows into tombstones."""
        self.mark(transaction, id, {"deletion_finish": transaction.now, "deleted_at": transaction.now})
        self._write_status(transaction, id, {"deleted_at": transaction.now})

    def _write_status(self, transaction: Transaction, id: int, values: Mapping[str, Any]) -> None:
        statements = self._statements
        transaction.run(statements.setting(statements.change_status, values), {**values, "wanted": id})

    def private(self, transaction: Transaction, id: int, column: str) -> Any:
        """One private column of a live resource, or None."""
        statement = select(self._spec.c[column]).where(
            self._spec.c.id == id, self._spec.c.deleted_at.is_(None)
        )
        return transaction.execute(statement).scalar_one_or_none()

    def _resources(self, transaction: Transaction, rows: Sequence[Row[Any]]) -> list[Resource[S, T]]:
        ids = [row[0] for row in rows]
        attached = labels_of(transaction, self.kind.name, ids) if ids else {}
        return [self._resource(row, attached.get(row[0], [])) for row in rows]

    def _resource(self, row: Row[Any], labels: list[Label]) -> Resource[S, T]:
        border = len(self._spec_fields)
        return Resource(
            kind=self.kind,
            spec=self.kind.spec(**dict(zip(self._spec_fields, row, strict=False))),
            status=self.kind.status(**dict(zip(self._status_fields, row[border:], strict=False))),
            irreconcilable=row[-1],
            labels=labels,
        )


def _columns_in(clause: ColumnElement[bool]) -> list[Any]:
    from sqlalchemy.sql import visitors

    return [
        element for element in visitors.iterate(clause) if getattr(element, "__visit_name__", "") == "column"
    ]
