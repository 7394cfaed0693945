"""What a list can be filtered and sorted by, derived from a kind's declaration, and the list request itself.

Called by services. Fields are named as they are shown: `metadata.name`, `spec.x`, `status.y` for resources,
plain names for records.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Double,
    Table,
    UnaryExpression,
    exists,
)
from sqlalchemy.types import TypeEngine

from stratal.kernel.columns import EnumColumn, StringSliceColumn, UtcTime
from stratal.kernel.kind import AnyKind, RecordKind
from stratal.kernel.labels import ATTACHMENT, Label
from stratal.kernel.query import Page, QueryField, ValueType, compile_filter, parse_filter, parse_sort
from stratal.kernel.state import state_expression

Fields = dict[str, QueryField]


@dataclass(frozen=True, kw_only=True)
class ListRequest:
    """The parameters of a list, as a client wrote them."""

    q: str | None = None
    sort: str | None = None
    limit: str | None = None
    offset: str | None = None
    index: str | None = None

    @property
    def page(self) -> Page:
        """Raises Invalid."""
        return Page.parse(limit=self.limit, offset=self.offset, index=self.index)

    def where(self, fields: Fields) -> list[ColumnElement[bool]]:
        """The filter. Raises Invalid."""
        if self.q is None or not self.q.strip():
            return []
        return [compile_filter(parse_filter(self.q), fields)]

    def order_by(self, fields: Fields, tie_break: ColumnElement[Any]) -> list[UnaryExpression[Any]]:
        """The order, by `tie_break` in the end. Raises Invalid."""
        return parse_sort(self.sort, fields, tie_break=tie_break)


@cache
def fields_of(kind: AnyKind) -> Fields:
    """The fields of a kind with spec and status. Not to be changed: all services of the kind share them."""
    spec, status = kind.tables.spec, kind.tables.status
    fields = {
        **_fields(spec, kind.spec.__struct_fields__, "spec."),
        **_fields(status, kind.status.__struct_fields__, "status."),
    }
    metadata = (
        "id",
        "name",
        "project_id",
        "created_at",
        "creation_finish",
        "deletion_begin",
        "deletion_finish",
    )
    fields |= {f"metadata.{name}": fields[f"spec.{name}"] for name in metadata if f"spec.{name}" in fields}
    fields["metadata.state.state"] = QueryField(
        column=state_expression(kind), value_type=ValueType.TEXT, nullable=False
    )
    return fields | _label_fields(kind)


def record_fields_of(kind: RecordKind[Any]) -> Fields:
    """The fields of a kind of plain records."""
    return _fields(kind.table, kind.record.__struct_fields__, "")


def _fields(table: Table, names: tuple[str, ...], prefix: str) -> Fields:
    columns = [table.c[name] for name in names]
    return {
        f"{prefix}{column.name}": QueryField(
            column=column, value_type=value_type, nullable=bool(column.nullable)
        )
        for column in columns
        if (value_type := _value_type(column.type)) is not None
    }


def _label_fields(kind: AnyKind) -> Fields:
    def on_this_resource(predicate: ColumnElement[bool]) -> ColumnElement[bool]:
        return exists().where(
            ATTACHMENT.c.resource_type == kind.name,
            ATTACHMENT.c.resource_id == kind.tables.spec.c.id,
            predicate,
        )

    columns: list[Column[Any]] = [ATTACHMENT.c[name] for name in Label.__struct_fields__]
    return {
        f"metadata.labels.{column.name}": QueryField(
            column=column,
            value_type=_value_type(column.type) or ValueType.TEXT,
            nullable=False,
            exists=on_this_resource,
        )
        for column in columns
    }


def _value_type(type_: TypeEngine[Any]) -> ValueType | None:
    match type_:
        case UtcTime():
            return ValueType.TIME
        case StringSliceColumn():
            return ValueType.TEXT_LIST
        case Boolean():
            return ValueType.BOOLEAN
        case BigInteger():
            return ValueType.INTEGER
        case Double():
            return ValueType.NUMBER
        case EnumColumn():
            return ValueType.TEXT
        case _ if type_.python_type is str:
            return ValueType.TEXT
        case _:
            return None  # JSON: shown, but neither filtered nor sorted by
