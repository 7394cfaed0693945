from collections.abc import Iterator
from pathlib import Path

import pytest

from compute_installation import ComputeInstallation, running


@pytest.fixture
def here(sqlite_url: str, tmp_path: Path) -> Iterator[ComputeInstallation]:
    """A running installation where all is simulated, on SQLite."""
    with running(sqlite_url, tmp_path) as installation:
        yield installation


@pytest.fixture
def anywhere(database_url: str, tmp_path: Path) -> Iterator[ComputeInstallation]:
    """The same, once on SQLite and once on PostgreSQL."""
    with running(database_url, tmp_path) as installation:
        yield installation
