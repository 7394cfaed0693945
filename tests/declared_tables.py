"""The tables of the installations that tests run, made quickly: on SQLite they are made once per process and
copied from then on. To make them takes ten times as long as most tests of what is in them.
"""

import tempfile
from functools import cache
from pathlib import Path

from sqlalchemy import MetaData, make_url

from stratal.kernel.connections import sqlite_engine
from stratal.kernel.database import Database
from stratal.kernel.tables import METADATA


def create_tables(database: Database, *others: MetaData) -> None:
    """Create the tables of all declared kinds, and those of `others`. What is there stays."""
    schemas = (METADATA, *others)
    file = Path(database.url.database or "")
    if database.is_sqlite and not file.exists():
        # the names: a kind may be declared later
        file.write_bytes(_file_with(schemas, frozenset(name for each in schemas for name in each.tables)))
        return
    for each in schemas:
        each.create_all(database.engine)


@cache
def _file_with(schemas: tuple[MetaData, ...], names: frozenset[str]) -> bytes:
    """A SQLite database in which there are these tables, and nothing in them."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "tables.db")
        engine = sqlite_engine(make_url(f"sqlite:///{file}"))
        for each in schemas:
            each.create_all(engine)
        engine.dispose()  # the last connection brings what is in the log into the file
        assert names
        return file.read_bytes()
