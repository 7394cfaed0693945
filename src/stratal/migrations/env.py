"""Run by Alembic for every command: which connection, which tables.

Whoever runs a command that compares (a new revision, the drift test) has imported the composition root, so
that every kind has declared its tables.
"""

from typing import Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import Connection

from stratal.kernel import columns
from stratal.kernel.tables import METADATA


def render_item(_kind: str, item: object, _context: AutogenContext) -> str | Literal[False]:
    """How a revision names one of Stratal's own column types: by what the database knows of it."""
    match item:
        case columns.UtcTime():
            return "columns.UtcTime()"
        case columns.JsonColumn():
            return "columns.JsonColumn()"
        case columns.EnumColumn() | columns.StringSliceColumn():
            return "sa.Text()"
        case _:
            return False


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=METADATA,
        # SQLite cannot alter a table: Alembic makes a new one and copies
        render_as_batch=connection.dialect.name == "sqlite",
        compare_type=True,
        render_item=render_item,
        transaction_per_migration=False,
    )
    context.run_migrations()


run(context.config.attributes["connection"])
