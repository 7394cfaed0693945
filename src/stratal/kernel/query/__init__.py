"""The query language of the lists: filtering by `q`, sorting by `sort`, paging by `limit` and `offset`.

Kinds declare their fields as `QueryField`s; services do the rest:

    predicate = compile_filter(parse_filter(q), fields)
    order = parse_sort(sort, fields, tie_break=table.c.id)
    page = Page.parse(limit=limit, offset=offset, index=index)
    statement = select(table).where(predicate).order_by(*order).limit(page.limit).offset(page.offset)

What a client may write stands in `parse`. Whatever a client does write, the only error is
`stratal.kernel.errors.Invalid`, on the field `q`, `sort`, `limit`, `offset` or `index`. A connection to
SQLite needs `register_sqlite_functions` once, before its first regular expression.
"""

from stratal.kernel.query.compile import compile_filter
from stratal.kernel.query.dialect import register_sqlite_functions
from stratal.kernel.query.expression import (
    And,
    Bound,
    Exact,
    Expression,
    Matches,
    Not,
    Null,
    OneOf,
    Or,
    Prefix,
    Term,
    Test,
    Value,
    Within,
)
from stratal.kernel.query.fields import QueryField, ValueType
from stratal.kernel.query.page import Page
from stratal.kernel.query.parse import parse_filter
from stratal.kernel.query.sort import parse_sort

__all__ = [
    "And",
    "Bound",
    "Exact",
    "Expression",
    "Matches",
    "Not",
    "Null",
    "OneOf",
    "Or",
    "Page",
    "Prefix",
    "QueryField",
    "Term",
    "Test",
    "Value",
    "ValueType",
    "Within",
    "compile_filter",
    "parse_filter",
    "parse_sort",
    "register_sqlite_functions",
]
