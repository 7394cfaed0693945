"""Statements that every request runs: compiled once, and executed by the database's driver itself.

SQLAlchemy takes about 60 µs to execute a statement that SQLite answers in 5, and PostgreSQL's driver sends
and receives in 70. Where a request asks for two or three rows by their keys, that is most of its time.
Called through `transaction`.
"""

import sqlite3
from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import psycopg
from sqlalchemy import Connection, Delete, Dialect, Insert, Select, Update
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from stratal.kernel.failures import as_sqlalchemy_has_it

Parameters = Mapping[str, Any]
Statement = Select[*tuple[Any, ...]] | Insert | Update | Delete
Driver = sqlite3.Connection | psycopg.Connection[Any]


class Prepared:
    """A statement with parameters, each of which has one value: no IN over a list.

    An INSERT or UPDATE is given the `columns` that its parameters will set.
    """

    def __init__(self, statement: Statement, columns: Sequence[str] | None = None) -> None:
        self._statement = statement
        self._columns = columns
        self._compiled: dict[str, _Compiled] = {}

    def rows(self, connection: Connection, parameters: Parameters) -> Sequence[Any]:
        """All rows. Their columns have the names that the statement gives them, where these are unique."""
        return self._for(connection).rows(driver_of(connection), parameters)

    def run(self, connection: Connection, parameters: Sequence[Parameters]) -> int:
        """Once for each of these. Returns how many rows were written."""
        return self._for(connection).run(driver_of(connection), parameters)

    def _for(self, connection: Connection) -> "_Compiled":
        dialect = connection.dialect
        compiled = self._compiled.get(dialect.name)
        if compiled is None:
            if dialect.name == "postgresql":
                dialect = PGDialect_psycopg(dbapi=psycopg, paramstyle="format")
            compiled = self._compiled[dialect.name] = _Compiled(self._statement, self._columns, dialect)
        return compiled


def driver_of(connection: Connection) -> Driver:
    """The driver's own connection."""
    return cast(Driver, connection.connection.driver_connection)


class _Compiled:
    def __init__(self, statement: Statement, columns: Sequence[str] | None, dialect: Dialect) -> None:
        keys = None if columns is None else list(columns)
        compiled = statement.compile(dialect=dialect, column_keys=keys)
        if compiled.post_compile_params or compiled.literal_execute_params:
            raise ValueError(f"this depends on its parameters' values: {compiled.string}")
        self._sql = compiled.string
        self._sql_bytes = self._sql.encode()
        self._constants = {name: bind.value for name, bind in compiled.binds.items() if not bind.required}
        self._parameters = [
            (name, compiled.binds[name].type.dialect_impl(dialect).bind_processor(dialect))
            for name in compiled.positiontup or ()
        ]
        self._dialect = dialect
        self._found = list(statement.exported_columns)
        self._converters: list[Callable[[Any], Any] | None] | None = None
        names = [str(column.name) for column in self._found]
        row: Any = namedtuple("Row", names, rename=True)  # pyright: ignore[reportUntypedNamedTuple]
        self._row: Callable[[list[Any]], Any] = row._make

    def rows(self, driver: Driver, parameters: Parameters) -> list[Any]:
        values = self._values(parameters)
        if isinstance(driver, sqlite3.Connection):
            cursor = driver.execute(self._sql, values)
            found = cursor.fetchall()
        else:
            try:
                cursor = driver.execute(self._sql_bytes, values, prepare=True)
                found = cursor.fetchall()
            except psycopg.Error as error:
                raise as_sqlalchemy_has_it(error, broken=driver.closed) from error
        converters = self._converters
        if converters is None:
            converters = self._converters = self._converters_of(cursor.description or ())
        return [
            self._row(
                [
                    value if convert is None else convert(value)
                    for value, convert in zip(row, converters, strict=True)
                ]
            )
            for row in found
        ]

    def run(self, driver: Driver, parameters: Sequence[Parameters]) -> int:
        if isinstance(driver, sqlite3.Connection):
            return driver.executemany(self._sql, map(self._values, parameters)).rowcount
        try:
            if len(parameters) == 1:
                return driver.execute(self._sql_bytes, self._values(parameters[0]), prepare=True).rowcount
            cursor = driver.cursor()
            cursor.executemany(self._sql_bytes, [self._values(each) for each in parameters])
            return cursor.rowcount
        except psycopg.Error as error:
            raise as_sqlalchemy_has_it(error, broken=driver.closed) from error

    def _converters_of(self, description: Sequence[Any]) -> list[Callable[[Any], Any] | None]:
        """What brings each column from the driver's type, which some conversions depend on, to its own."""
        return [
            column.type.dialect_impl(self._dialect).result_processor(self._dialect, described[1])
            for column, described in zip(self._found, description, strict=True)
        ]

    def _values(self, parameters: Parameters) -> list[Any]:
        given = {**self._constants, **parameters}
        return [
            given[name] if convert is None else convert(given[name]) for name, convert in self._parameters
        ]
