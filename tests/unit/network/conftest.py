from collections.abc import Iterator

import pytest

from network_installation import Installation, running


@pytest.fixture
def here(sqlite_url: str) -> Iterator[Installation]:
    """A running installation with a simulated network, on SQLite."""
    with running(sqlite_url) as installation:
        yield installation
