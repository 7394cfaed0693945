"""Listing and showing plain records (events, audit logs). Called by the operations domain."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

import msgspec
from sqlalchemy import ColumnElement, delete, false, func, select

from stratal.kernel.access import Access, Reach
from stratal.kernel.errors import NotFound
from stratal.kernel.kind import RecordKind
from stratal.kernel.listing import ListRequest, record_fields_of
from stratal.kernel.transaction import Transaction

R = TypeVar("R", bound=msgspec.Struct)


@dataclass(frozen=True, kw_only=True)
class RecordListing(Generic[R]):
    """A page of records, and how many there are on all pages."""

    items: list[R]
    total_count: int


class RecordService(Generic[R]):
    """Reads the records of one kind. Whoever has less than full reach sees those of the token's project."""

    def __init__(self, kind: RecordKind[R]) -> None:
        self.kind = kind
        self._names = kind.record.__struct_fields__
        self._columns = [kind.table.c[name] for name in self._names]
        self._fields = record_fields_of(kind)

    def page(self, transaction: Transaction, access: Access, request: ListRequest) -> RecordListing[R]:
        wanted = request.page
        where = [*self._within_reach(access), *request.where(self._fields)]
        order = request.order_by(self._fields, self.kind.table.c.id)
        chosen = select(*self._columns).where(*where)
        rows = transaction.execute(chosen.order_by(*order).limit(wanted.limit).offset(wanted.offset)).all()
        total = transaction.execute(
            select(func.count()).select_from(self.kind.table).where(*where)
        ).scalar_one()
        return RecordListing(items=[self._record(row) for row in rows], total_count=total)

    def show(self, transaction: Transaction, access: Access, id: int) -> R:
        """The record. NotFound also when it lies beyond the caller's reach."""
        statement = select(*self._columns).where(self.kind.table.c.id == id, *self._within_reach(access))
        row = transaction.execute(statement).first()
        if row is None:
            raise NotFound(kind=self.kind.name, id=id)
        return self._record(row)

    def prune(self, transaction: Transaction, before: datetime, most: int) -> int:
        """Remove up to `most` of the oldest records that were written before then. Returns how many."""
        table = self.kind.table
        oldest = (
            select(table.c.id).where(table.c.created_at < before).order_by(table.c.created_at).limit(most)
        )
        return transaction.execute(delete(table).where(table.c.id.in_(oldest))).rowcount

    def _within_reach(self, access: Access) -> list[ColumnElement[bool]]:
        if access.reach is Reach.ALL:
            return []
        # a token without a project must not see what belongs to none: that is the installation's own
        if access.reach is not Reach.PROJECT or access.project_id is None:
            return [false()]
        return [self.kind.table.c.project_id == access.project_id]

    def _record(self, row: Any) -> R:
        return self.kind.record(**dict(zip(self._names, row, strict=True)))
