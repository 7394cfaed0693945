"""One unit of work on the database: what services and reconcilers are handed.

Made by `database` only. A transaction knows its time and its chance, runs statements, and collects what
is to happen once it is durable (waking the reconcile engine).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, CursorResult, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.base import Executable
from sqlalchemy.sql.dml import ReturningInsert

from stratal.kernel.clock import Clock, Entropy
from stratal.kernel.prepared import Prepared


class Transaction:
    """Statements that take effect together, at one moment, or not at all."""

    def __init__(self, connection: Connection, clock: Clock, entropy: Entropy) -> None:
        self._connection = connection
        self.now: datetime = clock.now()
        self.entropy = entropy
        #: the resources (kind, id) that looks were asked for; `database` writes them down at the end, in one
        #: order for all transactions, so that no two of them wait for each other
        self.asked: set[tuple[str, int]] = set()

    @property
    def wakes_engine(self) -> bool:
        """Whether work was asked for: the engine is woken when this transaction has become durable."""
        return bool(self.asked)

    @property
    def dialect(self) -> str:
        return self._connection.dialect.name

    def execute(
        self, statement: Executable, parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    ) -> CursorResult[Any]:
        return self._connection.execute(statement, parameters)

    def rows(self, prepared: Prepared, parameters: Mapping[str, Any]) -> Sequence[Any]:
        """The rows that a prepared statement finds, or returns of what it wrote."""
        return prepared.rows(self._connection, parameters)

    def run(self, prepared: Prepared, *parameters: Mapping[str, Any]) -> int:
        """Run a prepared statement once for each of these. Returns how many rows it wrote."""
        return prepared.run(self._connection, parameters)

    def insert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        """An INSERT that knows ON CONFLICT, in the dialect of this database."""
        return postgresql.insert(table) if self.dialect == "postgresql" else sqlite.insert(table)

    def insert_row(self, table: Table, values: Mapping[str, Any]) -> int:
        """Insert one row and return its id."""
        statement: ReturningInsert[Any] = table.insert().returning(table.c.id)
        return int(self._connection.execute(statement, dict(values)).scalar_one())
