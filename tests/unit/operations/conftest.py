"""The fixtures of the operations domain's tests."""

from collections.abc import Iterator

import pytest
from operations_installation import Installation, running

from stratal.operations import Operations


@pytest.fixture
def installation(sqlite_url: str) -> Iterator[Installation]:
    with running(sqlite_url) as installation:
        yield installation


@pytest.fixture
def operations(installation: Installation) -> Operations:
    return installation.operations
