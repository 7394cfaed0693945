"""From the text of `sort` to an ORDER BY. Called by services that list resources."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, UnaryExpression

from stratal.kernel.errors import Invalid
from stratal.kernel.query.fields import QueryField, unknown_field
from stratal.kernel.query.problem import shown

MAXIMUM_KEYS = 8


def parse_sort(
    text: str | None, fields: Mapping[str, QueryField], *, tie_break: ColumnElement[Any]
) -> list[UnaryExpression[Any]]:
    """The order that `text` asks for, such as `spec.created_at:desc,spec.name`; `asc` unless it says `desc`.

    `tie_break`, a column without equal values, comes last in the direction of the key before it, unless it
    is itself among the keys. So the order is total, and pages neither overlap nor leave rows out. A missing
    value sorts below all others on every database. Raises Invalid.
    """
    keys = text.split(",") if text and not text.isspace() else []
    if len(keys) > MAXIMUM_KEYS:
        raise Invalid(field="sort", reason=f"more than {MAXIMUM_KEYS} keys")
    order: list[UnaryExpression[Any]] = []
    seen: set[str] = set()
    descending = False
    for number, key in enumerate(keys, start=1):
        name, _, direction = (part.strip() for part in key.partition(":"))
        if name in seen:
            raise _problem(number, f"{shown(name)} is there twice")
        seen.add(name)
        field = _sortable(number, name, fields)
        descending = _descends(number, direction)
        order.append(_ordered(field.column, nullable=field.nullable, descending=descending))
    if not any(fields[name].column is tie_break for name in seen):
        order.append(_ordered(tie_break, nullable=False, descending=descending))
    return order


def _sortable(number: int, name: str, fields: Mapping[str, QueryField]) -> QueryField:
    if not name:
        raise _problem(number, "expected a field name")
    field = fields.get(name)
    if field is None:
        raise _problem(number, unknown_field(name, fields))
    if field.exists is not None:
        raise _problem(number, f"{shown(name)} may have many values for one resource, so it gives no order")
    return field


def _descends(number: int, direction: str) -> bool:
    if direction not in ("", "asc", "desc"):
        raise _problem(number, f"expected asc or desc, found {shown(direction)}")
    return direction == "desc"


def _ordered(column: ColumnElement[Any], *, nullable: bool, descending: bool) -> UnaryExpression[Any]:
    # NULL lowest is what SQLite does anyway, and its planner knows that: the words cost it no index there.
    # PostgreSQL puts NULL highest unless told.
    if descending:
        return column.desc().nulls_last() if nullable else column.desc()
    return column.asc().nulls_first() if nullable else column.asc()


def _problem(number: int, reason: str) -> Invalid:
    return Invalid(field="sort", reason=f"key {number}: {reason}")
