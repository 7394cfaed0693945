"""What a kind declares about the fields that can be filtered and sorted by. Called by kinds and faces to
declare them, by `compile` and `sort` to find them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum
from typing import Any

from sqlalchemy import ColumnElement

from stratal.kernel.query.problem import shown


class ValueType(Enum):
    """What the values of a field are, and so how they are written in a filter."""

    INTEGER = "integer"
    """A signed 64-bit integer."""

    NUMBER = "number"
    """A floating-point number."""

    TEXT = "text"
    """Text, compared character by character, case included."""

    BOOLEAN = "boolean"
    """`true` or `false`."""

    TIME = "time"
    """ISO 8601; without an offset it is UTC. Bound as an aware datetime in UTC, in the column's own type."""

    TEXT_LIST = "text_list"
    """Texts without commas, stored joined by commas. A test holds when it holds for any of them."""


@dataclass(frozen=True, kw_only=True)
class QueryField:
    """One field: where its values are, and what they are."""

    #: The column, or an expression over columns of the selected row.
    column: ColumnElement[Any]
    value_type: ValueType
    #: False only if the column is never NULL in the statement; a column of an outer-joined table may be.
    nullable: bool = True
    #: For a field of another table with any number of rows for each selected row, as labels have: wraps a
    #: predicate on that table in a correlated EXISTS. Such a field has "no value" when no row has one.
    exists: Callable[[ColumnElement[bool]], ColumnElement[bool]] | None = None


def unknown_field(name: str, fields: Mapping[str, QueryField]) -> str:
    """The reason to give for a name that is not among `fields`."""
    close = get_close_matches(name, fields, n=3)
    hint = f"; did you mean {' or '.join(close)}?" if close else ""
    return f"there is no field {shown(name)}{hint}"
