from collections.abc import Generator

import pytest
from kernel_garden import create_tables, opened

from stratal.kernel.database import Database


@pytest.fixture
def database(database_url: str) -> Generator[Database]:
    """A database with the kernel's tables and those of the test kinds: on SQLite, and on PostgreSQL."""
    with opened(database_url) as database:
        create_tables(database)
        yield database


@pytest.fixture
def on_sqlite(sqlite_url: str) -> Generator[Database]:
    with opened(sqlite_url) as database:
        create_tables(database)
        yield database


@pytest.fixture
def on_postgres(postgres_url: str) -> Generator[Database]:
    with opened(postgres_url) as database:
        create_tables(database)
        yield database
