"""The predicates that SQLite and PostgreSQL spell differently, and SQLite's function for one of them.

Called by `compile` for the predicates, and by whoever opens SQLite connections for the function.
"""

import sqlite3
from typing import Any

from sqlalchemy import Boolean, ColumnElement, String, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.operators import OperatorType

from stratal.kernel.query.re2_engine import compile_pattern

REGEXP_FUNCTION = "stratal_regexp"


class _Predicate(FunctionElement[bool]):
    """A predicate that stands by itself between AND and OR.

    SQLAlchemy would add `= 1` for a database without booleans, and SQLite then sees no use for an index.
    """

    type = Boolean()
    inherit_cache = True

    def self_group(self, against: OperatorType | None = None) -> "_Predicate":
        return self


class RegexMatch(_Predicate):
    """The column, as a whole, matches a pattern from `regex.portable_pattern`. NULL when the column is."""

    inherit_cache = True

    def __init__(self, column: ColumnElement[Any], pattern: str) -> None:
        super().__init__(bindparam(None, pattern, type_=String()), column)


class TextMatch(_Predicate):
    """The column begins with a text, or contains it. Case counts. NULL when the column is NULL.

    LIKE on PostgreSQL, but GLOB on SQLite, whose LIKE takes `a` for `A` and therefore uses no index either.
    """

    inherit_cache = True

    def __init__(self, column: ColumnElement[Any], text: str, *, anywhere: bool) -> None:
        before = anywhere
        super().__init__(
            column,
            bindparam(None, "%" * before + _escape_like(text) + "%", type_=String()),
            bindparam(None, "*" * before + _escape_glob(text) + "*", type_=String()),
        )


def _escape_like(text: str) -> str:
    return text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")


def _escape_glob(text: str) -> str:
    return text.replace("[", "[[]").replace("*", "[*]").replace("?", "[?]")


@compiles(RegexMatch)
def _regex(element: RegexMatch, compiler: SQLCompiler, **options: Any) -> str:
    pattern, column = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{REGEXP_FUNCTION}({pattern}, {column})"


@compiles(RegexMatch, "postgresql")
def _regex_on_postgresql(element: RegexMatch, compiler: SQLCompiler, **options: Any) -> str:
    pattern, column = (compiler.process(clause, **options) for clause in element.clauses)
    return f"({column} ~ {pattern})"


@compiles(TextMatch)
def _text(element: TextMatch, compiler: SQLCompiler, **options: Any) -> str:
    column, _, glob = element.clauses
    return f"({compiler.process(column, **options)} GLOB {compiler.process(glob, **options)})"


@compiles(TextMatch, "postgresql")
def _text_on_postgresql(element: TextMatch, compiler: SQLCompiler, **options: Any) -> str:
    column, like, _ = element.clauses
    return f"({compiler.process(column, **options)} LIKE {compiler.process(like, **options)})"


def register_sqlite_functions(dbapi_connection: sqlite3.Connection) -> None:
    """Give a new connection the function that `RegexMatch` calls. Idempotent."""
    dbapi_connection.create_function(REGEXP_FUNCTION, 2, _regexp, deterministic=True)


def _regexp(pattern: str, value: object) -> bool | None:
    if value is None:
        return None
    return compile_pattern(pattern).fullmatch(str(value).encode()) is not None
