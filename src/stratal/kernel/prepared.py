"""Statements that every request runs: compiled once, and on SQLite executed by the driver itself.

SQLAlchemy takes about 40 µs to execute a statement that SQLite answers in 5. Where a request asks for two or
three rows by their keys, that is most of its time. Called through `transaction`.
"""

import sqlite3
from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from sqlalchemy import Connection, Delete, Dialect, Insert, Select, Update

Parameters = Mapping[str, Any]
Statement = Select[*tuple[Any, ...]] | Insert | Update | Delete


class Prepared:
    """A statement with parameters, each of which has one value: no IN over a list.

    An INSERT or UPDATE is given the `columns` that its parameters will set.
    """

    def __init__(self, statement: Statement, columns: Sequence[str] | None = None) -> None:
        self._statement = statement
        self._columns = columns
        self._compiled: _OnSqlite | None = None

    def rows(self, connection: Connection, parameters: Parameters) -> Sequence[Any]:
        """All rows. Their columns have the names that the statement gives them, where these are unique."""
        if connection.dialect.name != "sqlite":
            return connection.execute(self._statement, parameters).all()
        return self._on_sqlite(connection).rows(driver_of(connection), parameters)

    def run(self, connection: Connection, parameters: Sequence[Parameters]) -> int:
        """Once for each of these. Returns how many rows were written."""
        if connection.dialect.name != "sqlite":
            return connection.execute(self._statement, parameters).rowcount
        return self._on_sqlite(connection).run(driver_of(connection), parameters)

    def _on_sqlite(self, connection: Connection) -> "_OnSqlite":
        if self._compiled is None:
            self._compiled = _OnSqlite(self._statement, self._columns, connection.dialect)
        return self._compiled


def driver_of(connection: Connection) -> sqlite3.Connection:
    """The driver's own connection to SQLite."""
    return cast(sqlite3.Connection, connection.connection.driver_connection)


class _OnSqlite:
    def __init__(self, statement: Statement, columns: Sequence[str] | None, dialect: Dialect) -> None:
        keys = None if columns is None else list(columns)
        compiled = statement.compile(dialect=dialect, column_keys=keys)
        if compiled.post_compile_params or compiled.literal_execute_params:
            raise ValueError(f"this depends on its parameters' values: {compiled.string}")
        self._sql = compiled.string
        self._constants = {name: bind.value for name, bind in compiled.binds.items() if not bind.required}
        self._parameters = [
            (name, compiled.binds[name].type.dialect_impl(dialect).bind_processor(dialect))
            for name in compiled.positiontup or ()
        ]
        found = list(statement.exported_columns)
        self._converters = [
            column.type.dialect_impl(dialect).result_processor(dialect, None) for column in found
        ]
        names = [str(column.name) for column in found]
        row: Any = namedtuple("Row", names, rename=True)  # pyright: ignore[reportUntypedNamedTuple]
        self._row: Callable[[list[Any]], Any] = row._make

    def rows(self, driver: sqlite3.Connection, parameters: Parameters) -> list[Any]:
        return [
            self._row(
                [
                    value if convert is None else convert(value)
                    for value, convert in zip(row, self._converters, strict=True)
                ]
            )
            for row in driver.execute(self._sql, self._values(parameters))
        ]

    def run(self, driver: sqlite3.Connection, parameters: Sequence[Parameters]) -> int:
        return driver.executemany(self._sql, map(self._values, parameters)).rowcount

    def _values(self, parameters: Parameters) -> list[Any]:
        given = {**self._constants, **parameters}
        return [
            given[name] if convert is None else convert(given[name]) for name, convert in self._parameters
        ]
