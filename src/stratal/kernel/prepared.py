"""SELECTs that every request runs: compiled once, and on SQLite executed by the driver itself.

SQLAlchemy takes about 40 µs to execute a statement that SQLite answers in 5. Where a request asks for two or
three rows by their keys, that is most of its time. Called by `store`, `labels` and identity's tokens.
"""

import sqlite3
from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from sqlalchemy import Connection, Dialect, Select


class Prepared:
    """A SELECT with parameters, each of which has one value: no IN over a list."""

    def __init__(self, statement: Select[*tuple[Any, ...]]) -> None:
        self._statement = statement
        self._on_sqlite: _OnSqlite | None = None

    def rows(self, connection: Connection, parameters: Mapping[str, Any]) -> Sequence[Any]:
        """All rows. Their columns have the names that the statement gives them, where these are unique."""
        if connection.dialect.name != "sqlite":
            return connection.execute(self._statement, parameters).all()
        if self._on_sqlite is None:
            self._on_sqlite = _OnSqlite(self._statement, connection.dialect)
        return self._on_sqlite.rows(driver_of(connection), parameters)


def driver_of(connection: Connection) -> sqlite3.Connection:
    """The driver's own connection to SQLite."""
    return cast(sqlite3.Connection, connection.connection.driver_connection)


class _OnSqlite:
    def __init__(self, statement: Select[*tuple[Any, ...]], dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        if compiled.post_compile_params or compiled.literal_execute_params:
            raise ValueError(f"this depends on its parameters' values: {compiled.string}")
        self._sql = compiled.string
        self._constants = {name: bind.value for name, bind in compiled.binds.items() if not bind.required}
        self._parameters = [
            (name, compiled.binds[name].type.dialect_impl(dialect).bind_processor(dialect))
            for name in compiled.positiontup or ()
        ]
        columns = list(statement.selected_columns)
        self._converters = [
            column.type.dialect_impl(dialect).result_processor(dialect, None) for column in columns
        ]
        names = [str(column.name) for column in columns]
        row: Any = namedtuple("Row", names, rename=True)  # pyright: ignore[reportUntypedNamedTuple]
        self._row: Callable[[list[Any]], Any] = row._make

    def rows(self, driver: sqlite3.Connection, parameters: Mapping[str, Any]) -> list[Any]:
        given = {**self._constants, **parameters}
        values = [
            given[name] if convert is None else convert(given[name]) for name, convert in self._parameters
        ]
        return [
            self._row(
                [
                    value if convert is None else convert(value)
                    for value, convert in zip(row, self._converters, strict=True)
                ]
            )
            for row in driver.execute(self._sql, values)
        ]
