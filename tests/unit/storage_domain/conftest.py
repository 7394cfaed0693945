from collections.abc import Iterator

import pytest

from storage_installation import Installation, running


@pytest.fixture
def here(sqlite_url: str) -> Iterator[Installation]:
    """A running installation with simulated storage, on SQLite."""
    with running(sqlite_url) as installation:
        yield installation


@pytest.fixture
def anywhere(database_url: str) -> Iterator[Installation]:
    """The same, once on SQLite and once on PostgreSQL."""
    with running(database_url) as installation:
        yield installation
