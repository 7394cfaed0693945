from collections.abc import Generator

import pytest
from kernel_garden import create_tables, forget_everything, opened

import postgres
from stratal.kernel.database import Database


@pytest.fixture(scope="session")
def _garden_url(postgres_server: postgres.Server) -> Generator[str]:
    """A PostgreSQL database with the tables of the test kinds. Made once, which takes longer than a test."""
    with postgres_server.database() as url:
        with opened(url) as database:
            create_tables(database)
        yield url


@pytest.fixture
def garden_url(_garden_url: str) -> Generator[str]:
    """The URL of the test kinds' database on PostgreSQL, in which there is nothing."""
    yield _garden_url
    with opened(_garden_url) as database:
        forget_everything(database)


@pytest.fixture(params=["on_sqlite", "on_postgres"])
def database(request: pytest.FixtureRequest) -> Database:
    """A database with the kernel's tables and those of the test kinds: on SQLite, and on PostgreSQL."""
    found: Database = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def on_sqlite(sqlite_url: str) -> Generator[Database]:
    with opened(sqlite_url) as database:
        create_tables(database)
        yield database


@pytest.fixture
def on_postgres(garden_url: str) -> Generator[Database]:
    with opened(garden_url) as database:
        yield database
